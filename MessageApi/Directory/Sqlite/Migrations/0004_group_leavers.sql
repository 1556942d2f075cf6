-- What who has left a group still sees of it: the name that it had then. While somebody is in a group he has no row.

CREATE TABLE group_leavers (
    group_id TEXT NOT NULL REFERENCES chat_groups (group_id),
    user_id  TEXT NOT NULL REFERENCES accounts (user_id),
    name     TEXT NOT NULL,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
