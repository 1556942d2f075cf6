-- How devices are pushed to, and what they were pushed. Both go with the device.

CREATE TABLE push_registrations (
    device_id     TEXT    NOT NULL PRIMARY KEY REFERENCES devices (device_id) ON DELETE CASCADE,
    token_hash    BLOB    NOT NULL UNIQUE, -- SHA-256 of the provider, a zero byte and the token: a token is one device's
    provider      TEXT    NOT NULL,        -- apns, fcm, webpush
    token         TEXT    NOT NULL,        -- of webpush the endpoint
    topic         TEXT,                    -- of apns: the app's bundle id
    sandbox       INTEGER NOT NULL,        -- of apns: a token of the development environment
    p256dh        TEXT,                    -- of webpush: the browser's public key
    auth          TEXT,                    -- of webpush: the browser's secret
    hides_content INTEGER NOT NULL,
    registered_ms INTEGER NOT NULL         -- when the token was last registered
) STRICT, WITHOUT ROWID;

CREATE TABLE push_marks (
    device_id       TEXT    NOT NULL REFERENCES push_registrations (device_id) ON DELETE CASCADE,
    conversation_id TEXT    NOT NULL,
    pushed_seq      INTEGER NOT NULL, -- the conversation was pushed up to here
    cleared_seq     INTEGER NOT NULL, -- what was pushed up to here was cleared again
    PRIMARY KEY (device_id, conversation_id)
) STRICT, WITHOUT ROWID;
