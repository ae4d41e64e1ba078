//! Owners whose appends count before they are synced ([`Durability::Normal`](crate::Durability::Normal)).
//!
//! A power loss may remove their last appends, and nothing in the file shows it. So each such owner has a row until it
//! closes. A row from before the machine's last start says that appends may be lost.

use std::fs;

use rusqlite::{Connection, params};

use crate::schema::has_sums;

/// Identity of the machine's current run; empty if the system has none.
pub(crate) fn boot() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    boot.unwrap_or_default().trim().to_owned()
}

/// True if an owner was open when the machine stopped.
pub(crate) fn may_have_lost(connection: &Connection, boot: &str) -> rusqlite::Result<bool> {
    // The table is as old as the checksums. An unknown run may be another one.
    if !has_sums(connection)? {
        return Ok(false);
    }
    connection
        .prepare("SELECT 1 FROM unsynced WHERE boot <> ?1 OR (boot = '' AND owner NOT IN (SELECT number FROM owners))")?
        .exists([boot])
}

/// Removes the rows of dead owners. The caller must hold a write transaction, and must have removed dead owners.
pub(crate) fn clean_up(transaction: &Connection, boot: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM unsynced WHERE boot <> ?1 OR owner NOT IN (SELECT number FROM owners)",
        [boot],
    )?;
    Ok(())
}

/// Adds the row of an owner.
pub(crate) fn enter(transaction: &Connection, owner: i64, boot: &str) -> rusqlite::Result<()> {
    let row = params![owner, boot];
    transaction.execute("INSERT INTO unsynced (owner, boot) VALUES (?1, ?2)", row)?;
    Ok(())
}

/// Syncs everything that this connection has written, and removes the owner's row.
pub(crate) fn leave(connection: &Connection, owner: i64) -> rusqlite::Result<()> {
    let is_unsynced = connection
        .prepare("SELECT 1 FROM unsynced WHERE owner = ?1")?
        .exists([owner])?;
    if is_unsynced {
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute("DELETE FROM unsynced WHERE owner = ?1", [owner])?;
    }
    Ok(())
}
