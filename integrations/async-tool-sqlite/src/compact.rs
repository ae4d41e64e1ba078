//! Closed sessions, packed.
//!
//! # Invariants
//!
//! 1. Nothing is lost: the bytes and the links of entries are packed, and what was packed is unpacked and compared before the entries are deleted.
//! 2. Row, entries and the session's count of packed entries change in one transaction, so a reader finds each entry once, whenever it looks.
//! 3. Appends wait for a small transaction at most: reading and compressing is done by the thread that reads, and pages are given back some at a time.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::{
    SqliteJournal, StoreError, pack,
    page::{Raw, entries},
    schema::place,
};

/// What goes into one row at most. Shorter sessions are one row.
const ENTRIES: usize = 4096;
const BYTES: usize = 512 * 1024;

/// How many pages are given back in one transaction.
const PAGES: u32 = 256;

/// What compaction has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// How many sessions were packed.
    pub sessions: u64,
    /// How many entries they have.
    pub entries: u64,
    /// How many closed sessions were left as they are, because entries are missing or damaged; [`verify`](SqliteJournal::verify) says which.
    pub skipped: u64,
    /// How large the file was, in bytes, without its log.
    pub bytes_before: u64,
    /// How large it is now.
    pub bytes_after: u64,
}

impl Compacted {
    /// By how many bytes the file has become smaller.
    #[must_use]
    pub const fn saved(&self) -> u64 {
        self.bytes_before.saturating_sub(self.bytes_after)
    }
}

impl SqliteJournal {
    /// Packs the entries of closed sessions, and gives free pages back to the system. Packed entries are read as before. May be called at any time, also while
    /// others write.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. What was packed by then stays packed.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it stops after the row at hand.
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
            let is_packed = match bundle.pack {
                Some(_) => self.write(move |file| bundle.write(file)).await?,
                None => false,
            };
            if is_packed {
                done.entries += count;
                done.sessions += u64::from(is_last);
            } else {
                done.skipped += 1;
            }
            if is_last || !is_packed {
                after = session;
            }
        }
        while self.write(give_back).await? {}
        self.write(carry_over).await?;
        done.bytes_after = self.write(size).await?;
        Ok(done)
    }
}

/// One row to be written.
struct Bundle {
    session: i64,
    entries: Vec<Raw>,
    is_last: bool,
    /// Nothing if the entries can't be packed.
    pack: Option<Vec<u8>>,
}

impl Bundle {
    /// The next entries to be packed, of the first session after this one that has some.
    fn next(connection: &Connection, after: i64) -> Result<Option<Self>, StoreError> {
        let view = connection.unchecked_transaction()?;
        let found = view
            .prepare_cached(
                "SELECT number, packed, last FROM sessions WHERE closed AND packed < last AND number > ?1 ORDER BY number LIMIT 1",
            )?
            .query_row([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((session, packed, last)) = found else {
            return Ok(None);
        };
        let entries = entries(&view, session, packed, last, ENTRIES, BYTES)?;
        let pack = pack(&entries, packed).map_err(StoreError::other)?;
        Ok(Some(Self {
            session,
            is_last: entries.last().is_none_or(|entry| entry.seq >= last),
            entries,
            pack,
        }))
    }

    /// Puts the row in the place of the entries, unless the session has changed.
    fn write(self, connection: &mut Connection) -> rusqlite::Result<bool> {
        let (Some(pack), Some(first), Some(last)) = (self.pack, self.entries.first(), self.entries.last()) else {
            return Ok(false);
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let bytes: usize = self.entries.iter().map(|entry| entry.bytes.len()).sum();
        let is_as_before = transaction
            .prepare_cached(
                "UPDATE sessions SET packed = ?3 WHERE number = ?1 AND packed = ?2 AND closed AND last >= ?3",
            )?
            .execute(params![self.session, first.seq - 1, last.seq])?;
        if is_as_before == 0 {
            return Ok(false);
        }
        let from = place(self.session, first.seq);
        transaction
            .prepare_cached("INSERT OR REPLACE INTO packs (place, last, bytes, entries) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![from, last.seq, bytes, pack])?;
        transaction
            .prepare_cached("DELETE FROM entries WHERE place BETWEEN ?1 AND ?2")?
            .execute(params![from, place(self.session, last.seq)])?;
        transaction.commit()?;
        Ok(true)
    }
}

/// The bytes of a row with these entries, if they are all there, and come out of it again as they went in.
fn pack(entries: &[Raw], after: u64) -> std::io::Result<Option<Vec<u8>>> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(None);
    };
    let is_whole = entries
        .iter()
        .map(|entry| entry.seq)
        .eq((after + 1..).take(entries.len()));
    let is_alike = entries.iter().all(|entry| entry.link.is_some() == first.link.is_some());
    if !is_whole || !is_alike {
        return Ok(None);
    }
    let row = pack::encode(entries)?;
    let bytes = entries.iter().map(|entry| entry.bytes.len() as u64).sum();
    let (unpacked, damage) = pack::decode(&row, first.seq, last.seq, bytes);
    Ok((damage.is_none() && unpacked == entries).then_some(row))
}

/// Gives some free pages back. Says whether there may be more.
fn give_back(connection: &mut Connection) -> rusqlite::Result<bool> {
    let free = |connection: &Connection| connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    let before = free(connection)?;
    // Every step of the statement gives one page back.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    drop(statement);
    let after = free(connection)?;
    Ok(after > 0 && after < before)
}

/// Carries over the log, as far as nobody reads it: then the file itself becomes smaller.
fn carry_over(connection: &mut Connection) -> rusqlite::Result<()> {
    let timeout: i64 = connection.query_row("PRAGMA busy_timeout", [], |row| row.get(0))?;
    connection.busy_timeout(Duration::ZERO)?;
    // Where it fails the log is carried over some other time.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(Duration::from_millis(timeout.unsigned_abs()))
}

fn size(connection: &mut Connection) -> rusqlite::Result<u64> {
    let pages: u64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let size: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    Ok(pages * size)
}
