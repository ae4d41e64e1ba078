//! Ownership of sessions.
//!
//! # Invariants
//!
//! 1. **The fence alone guarantees safety.** An append checks its session's last entry in its own transaction, and
//!    succeeds only directly after it. So of two writers that know the same last entry, one succeeds and the other is
//!    refused, even if clocks and locks are wrong.
//! 2. **A session has one owner.** Claim, fence and entries are one transaction, and SQLite has one writer at a time.
//!    An owner's number is never reused, so a session whose owner has no row is free.
//! 3. **An owner is an open journal, and one claim of it has the session.** The rows name owners; the claims of one open
//!    journal are in its memory (`tenants.rs`). They end with it, so no file needs to name them.
//! 4. **A live owner keeps its sessions.** It holds a lock on a file of its own until its process ends. It shows a sign of
//!    life in its row every quarter of its lease. Another owner may take a session if the lock is free, because then the
//!    process is dead. It may also take one if it has watched the row and seen no sign of life for a whole lease
//!    (`watch.rs`): a hanging process can't be told from one that is gone for ever.
//!    An owner gives up one session with `release`, and all of them when its journal closes.
//! 5. **An owner that lost a session learns it at its next write, and at the latest at its next sign of life.** Its append
//!    finds another owner in the row and is refused as a whole. The claim is told, so that its agent stops.
//! 6. **An uncertain lock counts as held.** If the system can't tell whether a file is locked, only the watch decides.
//! 7. Rows and files of owners are made and removed in write transactions only. So no process finds a new file before
//!    it is locked.
//!
//! Deliberately absent: trust in the time of day. `heard_from` is a count that grows with each sign of life, and happens
//! to be a time, for people.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_tool_runtime::task::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use crate::file;

/// An open journal's entry in the table of owners.
#[derive(Debug)]
pub(crate) struct Owner {
    /// The owner's number in `owners` and `sessions`.
    pub(crate) number: i64,
    id: String,
    lease: Duration,
    journal: PathBuf,
    lock: Option<File>,
}

impl Owner {
    /// Makes the file, locks it and adds the row. The caller must hold a write transaction.
    pub(crate) fn enter(
        transaction: &Connection,
        journal: &Path,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Self, EnterError> {
        let id = Uuid::new_v4().simple().to_string();
        let path = file::beside(journal, &id);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        file::private(&mut options);
        let lock = options.open(&path)?;
        let lock = match lock.lock() {
            Ok(()) => Some(lock),
            // Without locks the lease alone decides. The file must go, because an unlocked file would mark this owner
            // as dead.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                fs::remove_file(&path)?;
                None
            }
            Err(error) => return Err(error.into()),
        };
        let mut owner = Self {
            number: 0,
            id,
            lease,
            journal: journal.to_owned(),
            lock,
        };
        transaction.execute(
            "INSERT INTO owners (id, heard_from, lease, locks, process) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                owner.id,
                millis(now),
                owner.lease_millis(),
                owner.lock.is_some(),
                std::process::id()
            ],
        )?;
        owner.number = transaction.last_insert_rowid();
        Ok(owner)
    }

    /// Shows a sign of life: changes its row.
    pub(crate) fn renew(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        // Another process may have removed the row as a dead owner's. Inserting it again is safe, because numbers are
        // never reused.
        connection
            .prepare_cached(
                "INSERT INTO owners (number, id, heard_from, lease, locks, process) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (number) DO UPDATE SET heard_from = max(excluded.heard_from, heard_from + 1)",
            )?
            .execute(params![
                self.number,
                self.id,
                millis(now),
                self.lease_millis(),
                self.lock.is_some(),
                std::process::id()
            ])?;
        Ok(())
    }

    /// Gives up all its sessions.
    pub(crate) fn leave(mut self, connection: &Connection) -> rusqlite::Result<()> {
        let left = connection.execute("DELETE FROM owners WHERE number = ?1", [self.number]);
        // The row goes first: a file without a row is harmless, but a row without a file marks a dead owner.
        if self.lock.take().is_some() {
            let _ = fs::remove_file(file::beside(&self.journal, &self.id));
        }
        left.map(|_| ())
    }

    fn lease_millis(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Another owner, as its row describes it.
#[derive(Debug)]
pub(crate) struct Other {
    id: String,
    heard_from: i64,
    lease: i64,
    is_locking: bool,
    process: u32,
}

impl Other {
    pub(crate) fn find(connection: &Connection, number: i64) -> rusqlite::Result<Option<Self>> {
        connection
            .prepare_cached("SELECT id, heard_from, lease, locks, process FROM owners WHERE number = ?1")?
            .query_row([number], Self::from_row)
            .optional()
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            heard_from: row.get("heard_from")?,
            lease: row.get("lease")?,
            is_locking: row.get("locks")?,
            process: row.get("process")?,
        })
    }

    /// Last sign of life, as a number that each further one changes.
    pub(crate) const fn beat(&self) -> i64 {
        self.heard_from
    }

    /// Time of the last sign of life, by the owner's clock.
    pub(crate) fn heard_from(&self) -> Timestamp {
        Timestamp::from_millis(u64::try_from(self.heard_from).unwrap_or(0))
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.lease).unwrap_or(0))
    }

    /// The id of its process.
    pub(crate) const fn process(&self) -> u32 {
        self.process
    }

    /// True if its process has ended for sure.
    pub(crate) fn is_dead(&self, journal: &Path) -> bool {
        self.is_locking && is_free(&file::beside(journal, &self.id))
    }
}

/// Removes the rows and files of dead owners. The caller must hold a write transaction.
pub(crate) fn clean_up(transaction: &Connection, journal: &Path) -> rusqlite::Result<()> {
    let mut owners = transaction.prepare("SELECT number, id, heard_from, lease, locks, process FROM owners")?;
    let owners = owners.query_map([], |row| Ok((row.get::<_, i64>("number")?, Other::from_row(row)?)))?;
    for owner in owners.collect::<Result<Vec<_>, _>>()? {
        let (number, owner) = owner;
        if owner.is_dead(journal) {
            transaction.execute("DELETE FROM owners WHERE number = ?1", [number])?;
        } else if !owner.is_locking {
            // It may live. Without its row its sessions would be free, so the row goes with the last of them.
            transaction.execute(
                "DELETE FROM owners WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM sessions WHERE owner = ?1)",
                [number],
            )?;
        }
    }
    // This covers all unlocked files, also of owners that died before they had a row.
    let prefix = file::prefix(journal);
    let Some(Ok(files)) = journal.parent().map(fs::read_dir) else {
        return Ok(());
    };
    for found in files.flatten() {
        let is_ours = found
            .file_name()
            .as_encoded_bytes()
            .starts_with(prefix.as_encoded_bytes());
        if is_ours && is_free(&found.path()) {
            // A file that can't be removed is tried again next time.
            let _ = fs::remove_file(found.path());
        }
    }
    Ok(())
}

/// True if the journal has an owner that lives for sure.
pub(crate) fn is_attended(journal: &Path) -> bool {
    let prefix = file::prefix(journal);
    let Some(Ok(files)) = journal.parent().map(fs::read_dir) else {
        return false;
    };
    files.flatten().any(|found| {
        let name = found.file_name();
        name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) && !is_free(&found.path())
    })
}

/// True if no process holds this file locked.
fn is_free(path: &Path) -> bool {
    match File::open(path) {
        // A shared lock, so that two processes that check at the same time don't mistake each other for the owner.
        Ok(file) => file.try_lock_shared().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Failure to enter a journal as an owner.
#[derive(Debug)]
pub(crate) enum EnterError {
    Io(io::Error),
    Sqlite(rusqlite::Error),
}

impl From<io::Error> for EnterError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for EnterError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
