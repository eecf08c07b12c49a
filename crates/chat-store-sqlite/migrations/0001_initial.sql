-- Ids are 16-byte blobs (UUIDs): half the size of text in every row and index.
-- Instants are milliseconds since 1970. Every table is STRICT, so a wrong type is an error.

CREATE TABLE users (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name          TEXT    NOT NULL,
    -- What the name looks like: two users never have names that can be taken for each other.
    skeleton      TEXT    NOT NULL UNIQUE,
    kind          TEXT    NOT NULL CHECK (kind IN ('guest', 'account')),
    username      TEXT    UNIQUE,
    password_hash TEXT,
    created_at    INTEGER NOT NULL,
    CHECK ((kind = 'account') = (username IS NOT NULL)),
    CHECK ((kind = 'account') = (password_hash IS NOT NULL))
) STRICT;

CREATE TABLE sessions (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user         BLOB    NOT NULL REFERENCES users (id),
    device       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX sessions_of_user ON sessions (user, last_used_at);

-- Every token of a family stays, so that the reuse of any older one is noticed.
CREATE TABLE refresh_tokens (
    hash      BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    session   BLOB NOT NULL REFERENCES sessions (id),
    used_at   INTEGER,
    successor BLOB,
    CHECK ((used_at IS NULL) = (successor IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session);

CREATE TABLE sites (
    key     TEXT NOT NULL PRIMARY KEY,
    origins TEXT NOT NULL CHECK (json_valid(origins))
) STRICT, WITHOUT ROWID;

CREATE TABLE rooms (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind          TEXT    NOT NULL CHECK (kind IN ('page', 'public', 'private', 'direct')),
    name          TEXT    NOT NULL,
    topic         TEXT    NOT NULL,
    archived      INTEGER NOT NULL DEFAULT 0,
    read_only     INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    epoch         TEXT    NOT NULL,
    -- The seq of the room's newest change of any kind.
    head          INTEGER NOT NULL DEFAULT 0,
    -- The seq of the newest change of this row's own fields; 0 before the first.
    room_seq      INTEGER NOT NULL DEFAULT 0,
    last_number   INTEGER NOT NULL DEFAULT 0,
    last_at       INTEGER,
    -- last_at, or created_at before the first message: the order of lists.
    active_at     INTEGER NOT NULL,
    members_count INTEGER NOT NULL DEFAULT 0,
    site          TEXT REFERENCES sites (key),
    page          TEXT,
    -- The two users of a direct room, the smaller id first.
    direct_low    BLOB REFERENCES users (id),
    direct_high   BLOB REFERENCES users (id),
    UNIQUE (site, page),
    UNIQUE (direct_low, direct_high),
    CHECK ((kind = 'page') = (site IS NOT NULL AND page IS NOT NULL)),
    CHECK ((kind = 'direct') = (direct_low IS NOT NULL AND direct_high IS NOT NULL)),
    CHECK (direct_low < direct_high)
) STRICT;
CREATE INDEX rooms_public ON rooms (active_at DESC, id DESC) WHERE kind = 'public' AND archived = 0;

-- A row stays after leaving, so that the compacted feed can say so.
CREATE TABLE memberships (
    room       BLOB    NOT NULL REFERENCES rooms (id),
    user       BLOB    NOT NULL REFERENCES users (id),
    -- The rank: 1 guest, 2 member, 3 moderator, 4 owner.
    role       INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),
    joined_at  INTEGER NOT NULL,
    left_at    INTEGER,
    -- The seq of this row's newest change, and of its newest change while a member: the feed tells
    -- both of somebody who left, for the first may have renamed the author of messages.
    seq        INTEGER NOT NULL,
    member_seq INTEGER NOT NULL,
    -- Up to which message number the member has read.
    read       INTEGER NOT NULL,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX memberships_feed ON memberships (room, seq);
CREATE INDEX memberships_feed_of_left ON memberships (room, member_seq)
    WHERE left_at IS NOT NULL;
CREATE INDEX memberships_of_user ON memberships (user, room) WHERE left_at IS NULL;
CREATE INDEX memberships_listed ON memberships (room, role DESC, joined_at, user)
    WHERE left_at IS NULL;

CREATE TABLE messages (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    room         BLOB    NOT NULL REFERENCES rooms (id),
    number       INTEGER NOT NULL,
    -- The seq of this row's newest change, and that of its creation for the acknowledgement.
    seq          INTEGER NOT NULL,
    created_seq  INTEGER NOT NULL,
    author       BLOB    NOT NULL REFERENCES users (id),
    client_id    BLOB    NOT NULL CHECK (length(client_id) = 16),
    -- NULL in a tombstone.
    body         TEXT,
    sent_at      INTEGER NOT NULL,
    edited_at    INTEGER,
    deleted_at   INTEGER,
    by_moderator INTEGER NOT NULL DEFAULT 0,
    reply_to     BLOB REFERENCES messages (id),
    pinned       INTEGER NOT NULL DEFAULT 0,
    UNIQUE (room, number),
    UNIQUE (room, author, client_id),
    CHECK ((body IS NULL) = (deleted_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX messages_feed ON messages (room, seq);

CREATE TABLE reactions (
    message  BLOB    NOT NULL REFERENCES messages (id),
    emoji    TEXT    NOT NULL,
    user     BLOB    NOT NULL REFERENCES users (id),
    -- The room's seq when this emoji was first put under the message: the order to show them in.
    -- It is the same for everybody who chose the emoji, so it stays when the first one leaves.
    position INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (message, emoji, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE invites (
    code       BLOB    NOT NULL PRIMARY KEY CHECK (length(code) = 32),
    room       BLOB    NOT NULL REFERENCES rooms (id),
    created_by BLOB    NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row that the readiness check writes.
CREATE TABLE readiness (
    id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    checks INTEGER NOT NULL
) STRICT;
INSERT INTO readiness (id, checks) VALUES (1, 0);
