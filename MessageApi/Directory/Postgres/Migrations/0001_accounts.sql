-- Times are milliseconds since 1970-01-01 UTC. Text that is sorted or compared has collation "C", by bytes: the order
-- must not depend on the server's locale, nor change with its version of the C library under an index.

CREATE TABLE accounts (
    user_id       UUID   NOT NULL PRIMARY KEY,
    username      TEXT   NOT NULL,
    username_key  TEXT   NOT NULL COLLATE "C" UNIQUE, -- the name in lower case: what is compared
    display_name  TEXT   NOT NULL,
    about         TEXT,
    password_hash TEXT   NOT NULL,
    created_ms    BIGINT NOT NULL
);

CREATE TABLE devices (
    device_id     UUID   NOT NULL PRIMARY KEY,
    user_id       UUID   NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    name          TEXT   NOT NULL,
    platform      TEXT   NOT NULL,
    created_ms    BIGINT NOT NULL,
    last_token_ms BIGINT NOT NULL,
    family_hash   BYTEA  NOT NULL UNIQUE, -- of the part that all refresh tokens of one sign-in share
    token_hash    BYTEA  NOT NULL,        -- of the current refresh token
    previous_hash BYTEA,                  -- of the one before
    exchanged_ms  BIGINT,                 -- when that one was exchanged
    regranted     BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX devices_of_user ON devices (user_id, created_ms, device_id);

CREATE TABLE blocks (
    blocker_id    UUID   NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    blocked_id    UUID   NOT NULL REFERENCES accounts (user_id) ON DELETE CASCADE,
    created_ms    BIGINT NOT NULL,
    PRIMARY KEY (blocker_id, blocked_id)
);

CREATE INDEX blocks_of_blocked ON blocks (blocked_id);

CREATE TABLE signing_keys (
    key_id         TEXT   NOT NULL COLLATE "C" PRIMARY KEY,
    private_key    BYTEA  NOT NULL,
    signs_from_ms  BIGINT NOT NULL,
    signs_until_ms BIGINT NOT NULL,
    expires_ms     BIGINT NOT NULL
);
