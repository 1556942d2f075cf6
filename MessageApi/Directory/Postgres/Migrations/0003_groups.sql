-- Groups, who is in them, ways in, and what their logs have yet to be told.

CREATE TABLE chat_groups (
    group_id         UUID    NOT NULL PRIMARY KEY,
    name             TEXT    NOT NULL,
    description      TEXT,
    picture          TEXT,
    only_admins_send BOOLEAN NOT NULL,
    member_count     INTEGER NOT NULL, -- always the number of its rows in group_members
    created_by       UUID    NOT NULL REFERENCES accounts (user_id),
    created_ms       BIGINT  NOT NULL,
    client_group_id  TEXT COLLATE "C", -- the maker's client's own id
    content_hash     BYTEA   NOT NULL, -- SHA-256 of what the maker chose: the same id must mean the same
    version          BIGINT  NOT NULL, -- of the newest change
    last_change_id   UUID    NOT NULL,
    deleted_ms       BIGINT,           -- the row stays: who was in the group still sees its name
    UNIQUE (created_by, client_group_id)
);

CREATE TABLE group_members (
    group_id       UUID    NOT NULL REFERENCES chat_groups (group_id),
    user_id        UUID    NOT NULL REFERENCES accounts (user_id),
    role           INTEGER NOT NULL, -- 0 member, 1 admin
    joined_ms      BIGINT  NOT NULL,
    joined_version BIGINT  NOT NULL, -- of the change with which he came: who came first, whatever the clocks say
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX group_members_of_user ON group_members (user_id);

CREATE TABLE group_changes (
    group_id   UUID   NOT NULL REFERENCES chat_groups (group_id),
    version    BIGINT NOT NULL,
    change_id  UUID   NOT NULL UNIQUE,
    actor_id   UUID   NOT NULL,
    at_ms      BIGINT NOT NULL,
    change     TEXT   NOT NULL, -- JSON, as the entry of the log has it
    joined_ids BYTEA  NOT NULL, -- sixteen bytes for each who came
    left_ids   BYTEA  NOT NULL, -- and for each who went
    PRIMARY KEY (group_id, version)
);

CREATE INDEX group_changes_by_time ON group_changes (at_ms);

CREATE TABLE group_invites (
    invite_id  UUID   NOT NULL PRIMARY KEY,
    group_id   UUID   NOT NULL REFERENCES chat_groups (group_id),
    code_hash  BYTEA  NOT NULL UNIQUE, -- SHA-256 of the code, which is kept nowhere
    created_by UUID   NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    max_uses   INTEGER,
    uses       INTEGER NOT NULL,
    revoked_ms BIGINT
);

CREATE INDEX group_invites_of_group ON group_invites (group_id, created_ms);
