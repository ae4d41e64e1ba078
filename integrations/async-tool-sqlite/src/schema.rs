//! The tables, and the steps from older versions.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, TransactionBehavior, config::DbConfig, params};

use crate::{Durability, OpenCheck, OpenError, checksum::checksum, pack};

/// "ATJL" in the file's header, the mark of a journal.
pub(crate) const APPLICATION_ID: i32 = 0x4154_4A4C;

/// The version after all steps.
pub(crate) const VERSION: i32 = STEPS.len() as i32;

/// Steps from each version to the next. A published step never changes.
const STEPS: [&str; 4] = [
    // The key of an entry is `session << 32 | seq`. So a session's entries lie together, in order. A plain table by row
    // number stores long rows better than one without row numbers, and compares one number instead of two. Constraints
    // of `sessions` limit both halves.
    //
    // An owner's number is never reused. So a session of a gone owner is free, and its row needs no change when the
    // owner goes.
    "
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
    ",
    // Memory. The key of a note is `scope << 32 | id`, as that of an entry. The index's rows have the same keys, so a
    // search covers only the range of one scope.
    //
    // The index holds words only (`content = ''`), because the text is in `notes`. Scripts without spaces are indexed
    // as pairs of characters. Search ignores accents and English endings (`porter`). Combining marks are part of a word
    // (`M*`); otherwise Hindi would fall apart into single consonants.
    "
    CREATE TABLE scopes (
        number INTEGER PRIMARY KEY
            CONSTRAINT at_most_2147483647_scopes CHECK (number BETWEEN 1 AND 2147483647),
        name TEXT NOT NULL UNIQUE,
        notes INTEGER NOT NULL,
        last INTEGER NOT NULL
            CONSTRAINT at_most_4294967295_notes CHECK (last BETWEEN 1 AND 4294967295)
    ) STRICT;
    CREATE TABLE notes (
        place INTEGER PRIMARY KEY,
        text TEXT NOT NULL,
        tags TEXT NOT NULL,
        digest BLOB NOT NULL,
        written INTEGER NOT NULL,
        touched INTEGER NOT NULL,
        scope INTEGER AS (place >> 32) VIRTUAL,
        seq INTEGER AS (place & 4294967295) VIRTUAL
    ) STRICT;
    CREATE UNIQUE INDEX notes_by_text ON notes (scope, digest);
    CREATE VIRTUAL TABLE notes_index USING fts5(
        text, tags, content = '', contentless_delete = 1,
        tokenize = \"porter unicode61 remove_diacritics 2 categories 'L* N* Co M*'\"
    );
    CREATE TABLE note_keys (
        number INTEGER PRIMARY KEY,
        scope INTEGER NOT NULL,
        key TEXT NOT NULL,
        note INTEGER NOT NULL,
        UNIQUE (scope, key)
    ) STRICT;
    ",
    // A checksum for each entry and each snapshot, see `checksum.rs`. Entries of earlier versions get theirs in `seal`.
    //
    // Owners whose appends count before they are synced. A row whose machine has been restarted since shows that
    // appends may be lost.
    "
    ALTER TABLE entries ADD COLUMN sum INTEGER;
    ALTER TABLE snapshots ADD COLUMN sum INTEGER;
    CREATE TABLE unsynced (
        owner INTEGER PRIMARY KEY,
        boot TEXT NOT NULL
    ) STRICT;
    -- Bytes of images, sounds and files, which entries name by their SHA-256. A table by row number stores long rows
    -- better than one without row numbers.
    CREATE TABLE blobs (
        number INTEGER PRIMARY KEY,
        session INTEGER NOT NULL,
        digest BLOB NOT NULL,
        bytes BLOB NOT NULL,
        UNIQUE (session, digest)
    ) STRICT;
    ",
    // The number of a removed session is never given again. What is left of it in a log or on a free page would otherwise
    // count as entries of the next session.
    "
    CREATE TABLE numbered (
        number INTEGER PRIMARY KEY AUTOINCREMENT
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
    INSERT INTO numbered SELECT * FROM sessions;
    DROP TABLE sessions;
    ALTER TABLE numbered RENAME TO sessions;
    CREATE INDEX sessions_to_pack ON sessions (number) WHERE closed AND packed < last;
    ",
];

/// First version with a table for blobs. A file opened for reading may have an earlier version.
const VERSION_WITH_BLOBS: i32 = 3;

/// True if the file can have blobs.
pub(crate) fn has_blobs(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i32 = connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))?;
    Ok(version >= VERSION_WITH_BLOBS)
}

/// First version with checksums. A file opened for reading may have an earlier version.
const VERSION_WITH_SUMS: i32 = 3;

/// True if the file has checksums.
pub(crate) fn has_sums(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i32 = connection
        .prepare_cached("PRAGMA user_version")?
        .query_row([], |row| row.get(0))?;
    Ok(version >= VERSION_WITH_SUMS)
}

/// First version with tables for notes. Only opening for writing upgrades a file, so a file opened for reading may have
/// an earlier version.
pub(crate) const VERSION_WITH_NOTES: i32 = 2;

/// The key of an entry.
pub(crate) const fn place(session: i64, seq: u64) -> i64 {
    // Constraints limit both halves; a larger `seq` is after every entry.
    let seq = if seq > 0xFFFF_FFFF { 0xFFFF_FFFF } else { seq as i64 };
    (session << 32) | seq
}

/// The entry's number in a key.
pub(crate) const fn seq_of(place: i64) -> u64 {
    (place & 0xFFFF_FFFF) as u64
}

/// Size of the write-ahead log at which it is checkpointed: 16 MiB. A page that was written many times is copied once,
/// and a disk syncs a log faster if its file doesn't grow.
const CHECKPOINT_PAGES: i64 = 4096;

/// Pause before a file is tried again that others write.
const PAUSE: Duration = Duration::from_millis(2);

/// Applies settings to a connection, before anything is read.
pub(crate) fn set_up(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(64);
    // The file is untrusted input, so SQL hidden in its schema must not run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(())
}

/// Refuses a file that is damaged or not a journal, with the write-ahead log included. Changes nothing. Returns the
/// version.
pub(crate) fn examine(connection: &Connection, path: &Path, check: OpenCheck) -> Result<i32, OpenError> {
    let fail = |error| OpenError::sqlite(path, error);
    // One transaction, because another process may just be making the tables.
    let connection = connection.unchecked_transaction().map_err(fail)?;
    let pragma = |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i32>(0));
    let application = pragma("application_id").map_err(fail)?;
    let version = pragma("user_version").map_err(fail)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fail)?;
    if (application, version, tables) == (0, 0, 0) {
        return Ok(0);
    }
    if application != APPLICATION_ID || version < 1 {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if version > VERSION {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            version,
            known: VERSION,
        });
    }
    if let Some(pragma) = check.pragma(&connection).map_err(fail)? {
        let found: String = connection.query_row(pragma, [], |row| row.get(0)).map_err(fail)?;
        if found != "ok" {
            return Err(OpenError::Corrupt {
                path: path.to_owned(),
                detail: found
                    .trim_start_matches("*** in database main ***")
                    .trim()
                    .replace('\n', "; "),
            });
        }
    }
    Ok(version)
}

/// Upgrades the file to the latest version, and applies the settings for writing. Its writes, and the first ones after
/// it, are synced.
///
/// The schema is made before the write-ahead log is enabled, so that the file itself is marked as a journal from its
/// first byte on.
pub(crate) fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    // Works only on an empty file. It allows free pages to be returned.
    connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let version: i32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version < VERSION {
        // Two processes may arrive here; the second one finds the work done.
        for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
            transaction.execute_batch(step)?;
        }
        if (1..VERSION_WITH_SUMS).contains(&version) {
            seal(&transaction)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    enable_log(connection)?;
    connection.pragma_update(None, "synchronous", Durability::Full.pragma())?;
    connection.query_row(&format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"), [], |_| {
        Ok(())
    })?;
    connection.query_row("PRAGMA journal_size_limit = 33554432", [], |_| Ok(()))?;
    Ok(())
}

/// Enables the write-ahead log. Waits for a connection that is about to write or to do the same: SQLite tells of it at once, because it
/// reads the file itself by then (<https://www.sqlite.org/c3ref/busy_handler.html>).
fn enable_log(connection: &Connection) -> rusqlite::Result<()> {
    let limit: i64 = connection.query_row("PRAGMA busy_timeout", [], |row| row.get(0))?;
    let limit = Duration::from_millis(limit.unsigned_abs());
    let begun = Instant::now();
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && begun.elapsed() < limit => {
                thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

/// Adds the checksums to the entries of an earlier version.
fn seal(transaction: &Connection) -> rusqlite::Result<()> {
    let mut sessions = transaction.prepare("SELECT number, name FROM sessions")?;
    let sessions = sessions.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for session in sessions {
        let (number, name) = session?;
        let range = params![place(number, 0), place(number, u64::MAX)];
        let mut found = transaction.prepare_cached("SELECT place, entry FROM entries WHERE place BETWEEN ?1 AND ?2")?;
        let mut rows = found.query(range)?;
        let mut update = transaction.prepare_cached("UPDATE entries SET sum = ?2 WHERE place = ?1")?;
        while let Some(row) = rows.next()? {
            let place: i64 = row.get(0)?;
            let sum = checksum(&name, seq_of(place), row.get_ref(1)?.as_bytes()?);
            update.execute(params![place, sum])?;
        }
        let mut found = transaction
            .prepare_cached("SELECT place, last, bytes, entries FROM packs WHERE place BETWEEN ?1 AND ?2")?;
        let mut rows = found.query(range)?;
        let mut update = transaction.prepare_cached("UPDATE packs SET entries = ?2 WHERE place = ?1")?;
        while let Some(row) = rows.next()? {
            let place: i64 = row.get(0)?;
            let (mut entries, damage) =
                pack::decode(row.get_ref(3)?.as_blob()?, seq_of(place), row.get(1)?, row.get(2)?);
            // A damaged row stays, and is reported when it is read.
            if damage.is_none() {
                for raw in &mut entries {
                    raw.sum = Some(checksum(&name, raw.seq, &raw.bytes));
                }
                if let Ok(packed) = pack::encode(&entries) {
                    update.execute(params![place, packed])?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_enabled_after_the_write_of_another_connection() {
        let place = tempfile::tempdir().unwrap();
        let connect = || Connection::open(place.path().join("journal.db")).unwrap();
        let (writer, connection) = (connect(), connect());
        writer
            .execute_batch("CREATE TABLE written (number INTEGER); BEGIN IMMEDIATE")
            .unwrap();
        connection.busy_timeout(Duration::from_millis(20)).unwrap();
        assert!(enable_log(&connection).is_err());
        connection.busy_timeout(Duration::from_secs(60)).unwrap();
        thread::scope(|scope| {
            let enabled = scope.spawn(move || enable_log(&connection));
            thread::sleep(Duration::from_millis(50));
            assert!(!enabled.is_finished());
            writer.execute_batch("COMMIT").unwrap();
            enabled.join().unwrap().unwrap();
        });
    }
}
