//! Removal of closed sessions.
//!
//! One transaction, so that a reader or a killed process finds the whole session or nothing of it. Appends wait for it: a session of
//! megabytes takes milliseconds. The pages are used for the next entries, and [`compact`](crate::SqliteJournal::compact) returns those
//! that are free to the system.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::schema::place;

/// Removes a session if it is closed. True if nothing of it is left.
pub(crate) fn remove(connection: &mut Connection, session: &str) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: Option<(i64, bool)> = transaction
        .prepare_cached("SELECT number, closed FROM sessions WHERE name = ?1")?
        .query_row([session], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((number, is_closed)) = found else {
        return Ok(true);
    };
    if !is_closed {
        return Ok(false);
    }
    for statement in [
        "DELETE FROM entries WHERE place BETWEEN ?1 AND ?2",
        "DELETE FROM packs WHERE place BETWEEN ?1 AND ?2",
    ] {
        transaction
            .prepare_cached(statement)?
            .execute(params![place(number, 0), place(number, u64::MAX)])?;
    }
    for statement in [
        "DELETE FROM blobs WHERE session = ?1",
        "DELETE FROM snapshots WHERE session = ?1",
        "DELETE FROM sessions WHERE number = ?1",
    ] {
        transaction.prepare_cached(statement)?.execute([number])?;
    }
    transaction.commit()?;
    Ok(true)
}
