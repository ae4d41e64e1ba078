//! Compaction of closed sessions.
//!
//! # Invariants
//!
//! 1. Nothing is lost: the bytes and the links of entries are packed. Before the entries are deleted, the pack is
//!    unpacked and compared with them.
//! 2. Row, entries and the session's count of packed entries change in one transaction. So a reader finds each entry
//!    once, at any time. It happens only if the session is as it was read: another process may have packed or removed it.
//! 3. Appends wait for one small transaction at most: the reader thread reads and compresses, and pages are returned in
//!    small groups.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::{
    SqliteJournal, StoreError,
    error::is_damage,
    pack,
    page::{Raw, entries},
    schema::place,
};

/// Limits of one packed row. A shorter session is one row.
const ENTRIES: usize = 4096;
const BYTES: usize = 512 * 1024;

/// Number of pages returned in one transaction.
const PAGES: u32 = 256;

/// Result of a compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Number of packed sessions.
    pub sessions: u64,
    /// Number of their entries.
    pub entries: u64,
    /// Number of closed sessions that were skipped, because entries are missing or damaged.
    /// [`verify`](SqliteJournal::verify) reports them.
    pub skipped: u64,
    /// File size before, in bytes, without the log.
    pub bytes_before: u64,
    /// File size after, in bytes, without the log.
    pub bytes_after: u64,
}

impl Compacted {
    /// Number of bytes by which the file shrank.
    #[must_use]
    pub const fn saved(&self) -> u64 {
        self.bytes_before.saturating_sub(self.bytes_after)
    }
}

impl SqliteJournal {
    /// Packs the entries of closed sessions, and returns free pages to the system. Packed entries are read as before.
    /// Safe at any time, also during writes of other processes.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. Sessions packed before the error stay packed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the compaction after the current row.
    pub async fn compact(&self) -> Result<Compacted, StoreError> {
        let mut done = Compacted {
            bytes_before: self.write(size).await?,
            ..Compacted::default()
        };
        let mut after = 0;
        while let Some(bundle) = self
            .shared
            .reader()
            .query(move |file| Bundle::next(file, after))
            .await?
        {
            let (session, is_last) = (bundle.session, bundle.is_last);
            let count = bundle.entries.len() as u64;
            let written = match bundle.pack {
                Some(_) => self.write(move |file| bundle.write(file)).await?,
                None => Written::Damaged,
            };
            match written {
                Written::Packed => {
                    done.entries += count;
                    done.sessions += u64::from(is_last);
                }
                Written::Changed => {}
                Written::Damaged => done.skipped += 1,
            }
            if is_last || written != Written::Packed {
                after = session;
            }
        }
        while self.write(give_back).await? {}
        self.write(carry_over).await?;
        done.bytes_after = self.write(size).await?;
        Ok(done)
    }
}

/// Outcome of packing some entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Packed,
    /// Another process has packed, continued or removed the session since it was read. No damage.
    Changed,
    Damaged,
}

/// A row to be written.
struct Bundle {
    session: i64,
    entries: Vec<Raw>,
    is_last: bool,
    /// `None` if the entries can't be packed.
    pack: Option<Vec<u8>>,
}

impl Bundle {
    /// Reads the next entries to pack, of the first such session after this one.
    fn next(connection: &Connection, after: i64) -> Result<Option<Self>, StoreError> {
        let view = connection.unchecked_transaction()?;
        let found = view
            .prepare_cached(
                "SELECT number, packed, last, name FROM sessions WHERE closed AND packed < last AND number > ?1 ORDER BY number LIMIT 1",
            )?
            .query_row([after], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?))
            })
            .optional()?;
        let Some((session, packed, last, name)) = found else {
            return Ok(None);
        };
        let entries = match entries(&view, session, packed, last, ENTRIES, BYTES) {
            // A session without entries can't be packed.
            Err(error) if is_damage(&error) => Vec::new(),
            entries => entries?,
        };
        let pack = pack(&entries, &name, packed).map_err(StoreError::other)?;
        Ok(Some(Self {
            session,
            is_last: entries.last().is_none_or(|entry| entry.seq >= last),
            entries,
            pack,
        }))
    }

    /// Replaces the entries by the row, unless the session has changed.
    fn write(self, connection: &mut Connection) -> rusqlite::Result<Written> {
        let (Some(pack), Some(first), Some(last)) = (self.pack, self.entries.first(), self.entries.last()) else {
            return Ok(Written::Damaged);
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let bytes: usize = self.entries.iter().map(|entry| entry.bytes.len()).sum();
        let is_as_before = transaction
            .prepare_cached(
                "UPDATE sessions SET packed = ?3
                 WHERE number = ?1 AND packed = ?2 AND closed AND last >= ?3",
            )?
            .execute(params![self.session, first.seq - 1, last.seq])?;
        if is_as_before == 0 {
            return Ok(Written::Changed);
        }
        let from = place(self.session, first.seq);
        transaction
            .prepare_cached("INSERT OR REPLACE INTO packs (place, last, bytes, entries) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![from, last.seq, bytes, pack])?;
        transaction
            .prepare_cached("DELETE FROM entries WHERE place BETWEEN ?1 AND ?2")?
            .execute(params![from, place(self.session, last.seq)])?;
        transaction.commit()?;
        Ok(Written::Packed)
    }
}

/// Packs these entries. Returns `None` if an entry is missing or changed, or if unpacking gives other bytes.
fn pack(entries: &[Raw], session: &str, after: u64) -> std::io::Result<Option<Vec<u8>>> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(None);
    };
    let is_whole = entries
        .iter()
        .map(|entry| entry.seq)
        .eq((after + 1..).take(entries.len()));
    let is_alike = entries.iter().all(|entry| entry.link.is_some() == first.link.is_some());
    if !is_whole || !is_alike || !entries.iter().all(|entry| entry.is_intact(session)) {
        return Ok(None);
    }
    let row = pack::encode(entries)?;
    let bytes = entries.iter().map(|entry| entry.bytes.len() as u64).sum();
    let (unpacked, damage) = pack::decode(&row, first.seq, last.seq, bytes);
    Ok((damage.is_none() && unpacked == entries).then_some(row))
}

/// Returns some free pages to the system. True if more may be free.
fn give_back(connection: &mut Connection) -> rusqlite::Result<bool> {
    let free = |connection: &Connection| connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    let before = free(connection)?;
    // Each step of the statement returns one page.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    drop(statement);
    let after = free(connection)?;
    Ok(after > 0 && after < before)
}

/// Checkpoints the log, as far as no reader uses it. Only then does the file itself shrink.
fn carry_over(connection: &mut Connection) -> rusqlite::Result<()> {
    let timeout: i64 = connection.query_row("PRAGMA busy_timeout", [], |row| row.get(0))?;
    connection.busy_timeout(Duration::ZERO)?;
    // If it fails, a later checkpoint does the work.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(Duration::from_millis(timeout.unsigned_abs()))
}

fn size(connection: &mut Connection) -> rusqlite::Result<u64> {
    let pages: u64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let size: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    Ok(pages * size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checksum::checksum, schema};

    /// A file with a closed session of three entries.
    fn file() -> (tempfile::TempDir, Connection) {
        let directory = tempfile::tempdir().unwrap();
        let mut file = Connection::open(directory.path().join("sessions.db")).unwrap();
        schema::prepare(&mut file).unwrap();
        file.execute_batch(
            "INSERT INTO sessions (name, last, closed, began, changed, bytes) VALUES ('a', 3, TRUE, 1, 1, 6)",
        )
        .unwrap();
        for seq in 1..=3 {
            let row = params![place(1, seq), "{}", checksum("a", seq, b"{}")];
            file.execute("INSERT INTO entries (place, entry, sum) VALUES (?1, ?2, ?3)", row)
                .unwrap();
        }
        (directory, file)
    }

    #[test]
    fn a_session_that_another_process_changes_meanwhile_does_not_count_as_damaged() {
        for (change, expected) in [
            ("", Written::Packed),
            ("DELETE FROM sessions", Written::Changed),
            ("UPDATE sessions SET packed = 3", Written::Changed),
            ("UPDATE sessions SET closed = FALSE", Written::Changed),
        ] {
            let (_directory, mut file) = file();
            let bundle = Bundle::next(&file, 0).unwrap().unwrap();
            file.execute_batch(change).unwrap();
            assert_eq!(bundle.write(&mut file).unwrap(), expected, "{change}");
        }
        let (_directory, mut file) = file();
        file.execute_batch("UPDATE entries SET entry = '[]' WHERE seq = 2")
            .unwrap();
        let bundle = Bundle::next(&file, 0).unwrap().unwrap();
        assert!(bundle.pack.is_none());
        assert_eq!(bundle.write(&mut file).unwrap(), Written::Damaged);
    }
}
