-- A site that is not configured any more stays for the sake of its rooms, and is unknown.
ALTER TABLE sites ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;

-- How what is old enough to go is found.
CREATE INDEX sessions_by_end ON sessions (coalesce(revoked_at, expires_at));
CREATE INDEX rooms_empty_pages ON rooms (active_at) WHERE kind = 'page' AND head = 0;
CREATE INDEX invites_by_end ON invites (expires_at);

-- A rotation forgets old tokens of its session and reads none of those that stay.
DROP INDEX refresh_tokens_of_session;
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session, used_at);

-- By these a user or a room that is deleted is checked to be referred to by nothing; without them
-- each deletion would read the whole table.
CREATE INDEX memberships_by_user ON memberships (user);
CREATE INDEX messages_of_author ON messages (author);
CREATE INDEX reactions_of_user ON reactions (user);
CREATE INDEX invites_of_room ON invites (room);
CREATE INDEX invites_of_creator ON invites (created_by);
CREATE INDEX rooms_of_direct_high ON rooms (direct_high) WHERE direct_high IS NOT NULL;
