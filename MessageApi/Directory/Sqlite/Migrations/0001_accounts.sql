-- Ids are UUIDs as text, times milliseconds since 1970-01-01 UTC.

CREATE TABLE accounts (
    user_id       TEXT    NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL,
    username_key  TEXT    NOT NULL UNIQUE, -- the name in lower case: what is compared
    display_name  TEXT    NOT NULL,
    about         TEXT,
    password_hash TEXT    NOT NULL,
    created_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    device_id     TEXT    NOT NULL PRIMARY KEY,
    user_id       TEXT    NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    name          TEXT    NOT NULL,
    platform      TEXT    NOT NULL,
    created_ms    INTEGER NOT NULL,
    last_token_ms INTEGER NOT NULL,
    family_hash   BLOB    NOT NULL UNIQUE, -- of the part that all refresh tokens of one sign-in share
    token_hash    BLOB    NOT NULL,        -- of the current refresh token
    previous_hash BLOB,                    -- of the one before
    exchanged_ms  INTEGER,                 -- when that one was exchanged
    regranted     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX devices_of_user ON devices (user_id, created_ms, device_id);

CREATE TABLE blocks (
    blocker_id    TEXT    NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    blocked_id    TEXT    NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    created_ms    INTEGER NOT NULL,
    PRIMARY KEY (blocker_id, blocked_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX blocks_of_blocked ON blocks (blocked_id);

CREATE TABLE signing_keys (
    key_id         TEXT    NOT NULL PRIMARY KEY,
    private_key    BLOB    NOT NULL,
    signs_from_ms  INTEGER NOT NULL,
    signs_until_ms INTEGER NOT NULL,
    expires_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
