-- The schema of version 1, as it was published.
CREATE TABLE owners (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    heard_from INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    locks INTEGER NOT NULL,
    process INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY
        CONSTRAINT at_most_2147483647_sessions CHECK (number BETWEEN 1 AND 2147483647),
    name TEXT NOT NULL UNIQUE,
    last INTEGER NOT NULL
        CONSTRAINT at_most_4294967295_entries CHECK (last BETWEEN 0 AND 4294967295),
    closed INTEGER NOT NULL,
    packed INTEGER NOT NULL DEFAULT 0,
    owner INTEGER,
    began INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    head BLOB
) STRICT;
CREATE INDEX sessions_to_pack ON sessions (number) WHERE closed AND packed < last;
CREATE TABLE entries (
    place INTEGER PRIMARY KEY,
    entry TEXT NOT NULL,
    link BLOB,
    session INTEGER AS (place >> 32) VIRTUAL,
    seq INTEGER AS (place & 4294967295) VIRTUAL
) STRICT;
CREATE TABLE packs (
    place INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    entries BLOB NOT NULL,
    session INTEGER AS (place >> 32) VIRTUAL,
    seq INTEGER AS (place & 4294967295) VIRTUAL
) STRICT;
CREATE TABLE snapshots (
    session INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    state BLOB NOT NULL
) STRICT;
