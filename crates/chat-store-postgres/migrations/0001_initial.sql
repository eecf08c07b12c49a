-- Instants are milliseconds since 1970. Text that is looked up has the collation "C": its indexes do
-- not depend on a library of the system, whose update would silently damage them.

CREATE TABLE users (
    id            UUID   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    -- What the name looks like: two users never have names that can be taken for each other.
    skeleton      TEXT   COLLATE "C" NOT NULL UNIQUE,
    kind          TEXT   COLLATE "C" NOT NULL CHECK (kind IN ('guest', 'account')),
    username      TEXT   COLLATE "C" UNIQUE,
    password_hash TEXT,
    created_at    BIGINT NOT NULL,
    CHECK ((kind = 'account') = (username IS NOT NULL)),
    CHECK ((kind = 'account') = (password_hash IS NOT NULL))
);

CREATE TABLE sessions (
    id           UUID   NOT NULL PRIMARY KEY,
    user_id      UUID   NOT NULL REFERENCES users (id),
    device       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT
);
CREATE INDEX sessions_of_user ON sessions (user_id, last_used_at);
CREATE INDEX sessions_by_end ON sessions ((coalesce(revoked_at, expires_at)));

-- Every token of a family stays for a while, so that the reuse of any older one is noticed.
CREATE TABLE refresh_tokens (
    hash      BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    session   UUID   NOT NULL REFERENCES sessions (id),
    used_at   BIGINT,
    successor BYTEA,
    CHECK ((used_at IS NULL) = (successor IS NULL))
);
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session, used_at);

-- A site that is not configured any more stays for the sake of its rooms, and is unknown.
CREATE TABLE sites (
    key      TEXT    COLLATE "C" NOT NULL PRIMARY KEY,
    origins  TEXT[]  NOT NULL,
    disabled BOOLEAN NOT NULL DEFAULT FALSE
);

-- Every change of a room changes its row: room is left on each page for the next version.
CREATE TABLE rooms (
    id            UUID    NOT NULL PRIMARY KEY,
    kind          TEXT    COLLATE "C" NOT NULL
                          CHECK (kind IN ('page', 'public', 'private', 'direct')),
    name          TEXT    NOT NULL,
    topic         TEXT    NOT NULL,
    archived      BOOLEAN NOT NULL DEFAULT FALSE,
    read_only     BOOLEAN NOT NULL DEFAULT FALSE,
    created_at    BIGINT  NOT NULL,
    epoch         TEXT    NOT NULL,
    -- The seq of the room's newest change of any kind.
    head          BIGINT  NOT NULL DEFAULT 0,
    -- The seq of the newest change of this row's own fields; 0 before the first.
    room_seq      BIGINT  NOT NULL DEFAULT 0,
    last_number   BIGINT  NOT NULL DEFAULT 0,
    last_at       BIGINT,
    -- last_at, or created_at before the first message: the order of lists.
    active_at     BIGINT  NOT NULL,
    members_count BIGINT  NOT NULL DEFAULT 0,
    site          TEXT    COLLATE "C" REFERENCES sites (key),
    page          TEXT    COLLATE "C",
    -- The two users of a direct room, the smaller id first.
    direct_low    UUID    REFERENCES users (id),
    direct_high   UUID    REFERENCES users (id),
    UNIQUE (site, page),
    UNIQUE (direct_low, direct_high),
    CHECK ((kind = 'page') = (site IS NOT NULL AND page IS NOT NULL)),
    CHECK ((kind = 'direct') = (direct_low IS NOT NULL AND direct_high IS NOT NULL)),
    CHECK (direct_low < direct_high)
) WITH (fillfactor = 70);
CREATE INDEX rooms_public ON rooms (active_at DESC, id DESC) WHERE kind = 'public' AND NOT archived;
CREATE INDEX rooms_empty_pages ON rooms (active_at) WHERE kind = 'page' AND head = 0;
CREATE INDEX rooms_of_direct_high ON rooms (direct_high) WHERE direct_high IS NOT NULL;

-- A row stays after leaving, so that the compacted feed can say so.
CREATE TABLE memberships (
    room       UUID     NOT NULL REFERENCES rooms (id),
    user_id    UUID     NOT NULL REFERENCES users (id),
    -- The rank: 1 guest, 2 member, 3 moderator, 4 owner.
    role       SMALLINT NOT NULL CHECK (role BETWEEN 1 AND 4),
    joined_at  BIGINT   NOT NULL,
    left_at    BIGINT,
    -- The seq of this row's newest change, and of its newest change while a member: the feed tells
    -- both of somebody who left, for the first may have renamed the author of messages.
    seq        BIGINT   NOT NULL,
    member_seq BIGINT   NOT NULL,
    -- Up to which message number the member has read.
    read       BIGINT   NOT NULL,
    PRIMARY KEY (room, user_id)
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX memberships_feed ON memberships (room, seq);
CREATE INDEX memberships_feed_of_left ON memberships (room, member_seq) WHERE left_at IS NOT NULL;
CREATE INDEX memberships_of_user ON memberships (user_id, room) WHERE left_at IS NULL;
CREATE INDEX memberships_listed ON memberships (room, (-role), joined_at, user_id)
    WHERE left_at IS NULL;
-- By this a user who is deleted is checked to be a member of nothing, ever.
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE messages (
    id           UUID    NOT NULL PRIMARY KEY,
    room         UUID    NOT NULL,
    number       BIGINT  NOT NULL,
    -- The seq of this row's newest change, and that of its creation for the acknowledgement.
    seq          BIGINT  NOT NULL,
    created_seq  BIGINT  NOT NULL,
    author       UUID    NOT NULL,
    client_id    UUID    NOT NULL,
    -- NULL in a tombstone.
    body         TEXT,
    sent_at      BIGINT  NOT NULL,
    edited_at    BIGINT,
    deleted_at   BIGINT,
    by_moderator BOOLEAN NOT NULL DEFAULT FALSE,
    reply_to     UUID    REFERENCES messages (id),
    pinned       BOOLEAN NOT NULL DEFAULT FALSE,
    UNIQUE (room, number),
    UNIQUE (room, author, client_id),
    -- Whoever wrote in a room has a membership there, ended or not. One check for each message in
    -- place of two, of the room and of the author.
    FOREIGN KEY (room, author) REFERENCES memberships (room, user_id),
    CHECK ((body IS NULL) = (deleted_at IS NOT NULL))
);
CREATE UNIQUE INDEX messages_feed ON messages (room, seq);

CREATE TABLE reactions (
    message  UUID   NOT NULL REFERENCES messages (id),
    emoji    TEXT   COLLATE "C" NOT NULL,
    user_id  UUID   NOT NULL REFERENCES users (id),
    -- The room's seq when this emoji was first put under the message: the order to show them in.
    -- It is the same for everybody who chose the emoji, so it stays when the first one leaves.
    position BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (message, emoji, user_id)
);
CREATE INDEX reactions_of_user ON reactions (user_id);

CREATE TABLE invites (
    code       BYTEA  NOT NULL PRIMARY KEY CHECK (octet_length(code) = 32),
    room       UUID   NOT NULL REFERENCES rooms (id),
    created_by UUID   NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX invites_by_end ON invites (expires_at);
CREATE INDEX invites_of_room ON invites (room);
CREATE INDEX invites_of_creator ON invites (created_by);

-- One row that the readiness check writes.
CREATE TABLE readiness (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    checks BIGINT  NOT NULL
);
INSERT INTO readiness (id, checks) VALUES (1, 0);
