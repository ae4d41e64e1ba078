//! Who a session belongs to.
//!
//! # Invariants
//!
//! 1. **The fence is what makes it safe.** An append is made only after the last entry of its session, in the transaction that reads which that is. So of
//!    two writers that know the same last entry one goes on, and the other is refused, whatever clocks and locks say.
//! 2. **A session has one owner.** Claim, fence and entries are one transaction, and SQLite has one writer at a time. The number of an owner is never
//!    given again, so a session whose owner has no row belongs to nobody.
//! 3. **A live owner is not robbed.** It holds an operating system's lock on a file of its own for as long as its process lives, and says every third of its
//!    lease that it is there. A session changes hands if the lock is free (the process is dead, however it died), or if the lease has run out (the process
//!    hangs, and can't be told from one that is gone for ever).
//! 4. **An owner that was robbed learns it at its next write.** Its append finds the session in other hands, and is refused; nothing of it is written.
//! 5. **What can't be known counts as held.** Where the system can't say whether a file is locked, the lease alone decides.
//! 6. Rows and files of owners are made and cleaned up in write transactions only. So nobody finds a file that is made and not locked yet.
//!
//! Absent on purpose: any trust in clocks for safety. A clock that jumps can end a lease too early or too late: too early, and the fence refuses one of the
//! two; too late, and a session waits for longer.

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

/// An open journal, as others see it.
#[derive(Debug)]
pub(crate) struct Owner {
    /// In `owners` and `sessions`.
    pub(crate) number: i64,
    id: String,
    lease: Duration,
    journal: PathBuf,
    lock: Option<File>,
}

impl Owner {
    /// Makes the file, locks it and adds the row. To be called in a write transaction.
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
            // Then the lease alone decides, and a file that is never locked would say that we are dead.
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

    /// Says that this owner is there.
    pub(crate) fn renew(&self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        // Anew if somebody took the row for that of a dead one: the number is the same, so it is still no one else's.
        connection
            .prepare_cached(
                "INSERT INTO owners (number, id, heard_from, lease, locks, process) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (number) DO UPDATE SET heard_from = excluded.heard_from",
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

    /// Gives up everything that it owns.
    pub(crate) fn leave(mut self, connection: &Connection) -> rusqlite::Result<()> {
        let left = connection.execute("DELETE FROM owners WHERE number = ?1", [self.number]);
        // First the row: a file without a row is found by nobody, and a row without a file is one of a dead owner.
        if self.lock.take().is_some() {
            let _ = fs::remove_file(file::beside(&self.journal, &self.id));
        }
        left.map(|_| ())
    }

    fn lease_millis(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Another owner, as its row says.
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

    /// Until when it holds what it owns. Nothing if it is dead or its lease has run out.
    pub(crate) fn holds_until(&self, journal: &Path, now: Timestamp) -> Option<Timestamp> {
        let end = self.lease_end(now);
        if end <= millis(now) || self.is_dead(journal) {
            return None;
        }
        Some(Timestamp::from_millis(u64::try_from(end).unwrap_or(0)))
    }

    /// The process that it is in.
    pub(crate) const fn process(&self) -> u32 {
        self.process
    }

    fn lease_end(&self, now: Timestamp) -> i64 {
        // A clock that was set back doesn't make a lease longer than it is.
        self.heard_from.min(millis(now)).saturating_add(self.lease)
    }

    fn is_dead(&self, journal: &Path) -> bool {
        self.is_locking && is_free(&file::beside(journal, &self.id))
    }
}

/// Takes away the rows and files of owners that are dead. To be called in a write transaction.
pub(crate) fn clean_up(transaction: &Connection, journal: &Path, now: Timestamp) -> rusqlite::Result<()> {
    let mut owners = transaction.prepare("SELECT number, id, heard_from, lease, locks, process FROM owners")?;
    let owners = owners.query_map([], |row| Ok((row.get::<_, i64>("number")?, Other::from_row(row)?)))?;
    for owner in owners.collect::<Result<Vec<_>, _>>()? {
        let (number, owner) = owner;
        let is_gone = owner.is_dead(journal) || (!owner.is_locking && owner.lease_end(now) <= millis(now));
        if is_gone {
            transaction.execute("DELETE FROM owners WHERE number = ?1", [number])?;
        }
    }
    // All files that nobody holds: also those of owners that died before their row was there.
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
            // One that can't be taken away is asked again next time.
            let _ = fs::remove_file(found.path());
        }
    }
    Ok(())
}

/// Whether nobody holds this file locked.
fn is_free(path: &Path) -> bool {
    match File::open(path) {
        // Shared, so that two that ask at the same time don't take each other for the owner.
        Ok(file) => file.try_lock_shared().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// What keeps a journal from becoming an owner.
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
