//! The builder of [`SqliteJournal`].

use std::{
    cell::RefCell,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_tool_runtime::task::Timestamp;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use crate::{
    OpenError, OpenReport, SqliteJournal,
    clock::Clock,
    file::{self, Opened},
    identity::Identity,
    journal::Shared,
    owner::{EnterError, Owner, clean_up},
    reader::Reader,
    schema, unsynced,
    writer::Writer,
};

/// Time at which an append counts as durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// On the disk. The append survives a power loss, if the disk honours syncs. The default.
    #[default]
    Full,
    /// In the system's cache. The append survives the death of the process. A power loss or a crash of the system may lose the
    /// last appends. Each session then still holds its first appends, whole, and the file can be opened.
    Normal,
}

impl Durability {
    pub(crate) const fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// Extent of the check for damage when a file is opened. It checks that the file is a sound database;
/// [`verify`](SqliteJournal::verify) checks that the entries are unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenCheck {
    /// Every page if the file has at most 64 MiB; otherwise as [`None`](Self::None). The default.
    ///
    /// Checking every page takes 3 to 8 ms per MiB of sessions and 11 ms per MiB of notes, measured. So a file of
    /// 10,000 sessions opens in less than half a second, and a file of many gigabytes at once.
    #[default]
    Bounded,
    /// Every page, and the agreement of indexes with their tables.
    Full,
    /// Every page.
    Quick,
    /// The header and the schema only. Damage elsewhere gives an error when it is read.
    None,
}

impl OpenCheck {
    const BOUND: i64 = 64 * 1024 * 1024;

    pub(crate) fn pragma(self, connection: &Connection) -> rusqlite::Result<Option<&'static str>> {
        let quick = Some("PRAGMA quick_check(4)");
        Ok(match self {
            Self::Full => Some("PRAGMA integrity_check(4)"),
            Self::Quick => quick,
            Self::None => None,
            Self::Bounded => {
                let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
                let size: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
                quick.filter(|_| pages.saturating_mul(size) <= Self::BOUND)
            }
        })
    }
}

/// Builder of a [`SqliteJournal`].
///
/// ```
/// use async_tool_sqlite::{Durability, SqliteJournal};
/// use std::time::Duration;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("sessions.db");
/// let journal = SqliteJournal::builder(path)
///     .durability(Durability::Normal)
///     .lease(Duration::from_secs(10))
///     .hash_chain(true)
///     .open()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteJournalBuilder {
    path: PathBuf,
    durability: Durability,
    check: OpenCheck,
    busy_timeout: Duration,
    lease: Duration,
    is_chaining: bool,
    clock: Clock,
    boot: String,
}

impl SqliteJournalBuilder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            durability: Durability::default(),
            check: OpenCheck::default(),
            busy_timeout: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            is_chaining: false,
            clock: Clock::default(),
            boot: unsynced::boot(),
        }
    }

    /// Sets when an append counts as durable. Default: [`Durability::Full`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how much is checked for damage on opening. Default: [`OpenCheck::Bounded`].
    pub fn check(mut self, check: OpenCheck) -> Self {
        self.check = check;
        self
    }

    /// Sets the longest wait for another process's write. After it, an append fails with the retryable
    /// [`Unavailable`](async_tool_runtime::journal::AppendError::Unavailable). Default: 5 s.
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets the lease: how long a silent owner keeps its sessions while its process lives. An owner shows a sign of life
    /// every quarter of that time. An owner that wants its sessions must see none for the whole time, by its own monotonic
    /// clock. Minimum: 1 s. Default: 30 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// Hash-chains sessions that begin from now on, if true. A session keeps the mode of its first entry. Default:
    /// false.
    pub fn hash_chain(mut self, is_chained: bool) -> Self {
        self.is_chaining = is_chained;
        self
    }

    /// Replaces the time of day, for tests.
    #[doc(hidden)]
    pub fn clock(mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock.set_now(now);
        self
    }

    /// Replaces the monotonic clock, for tests of leases.
    #[doc(hidden)]
    pub fn ticks(mut self, ticks: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock.set_ticks(ticks);
        self
    }

    /// Replaces the identity of the machine's run, for tests of power losses.
    #[doc(hidden)]
    pub fn boot(mut self, boot: impl Into<String>) -> Self {
        self.boot = boot.into();
        self
    }

    /// Opens the file, or creates it. Blocks during the check; needs no async runtime.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. A refused file stays unchanged.
    pub fn open(self) -> Result<SqliteJournal, OpenError> {
        let opened = Opened::new(&self.path, Some(self.clock.now()))?;
        let path = opened.path.clone();
        let fail = |error| OpenError::sqlite(&path, error);
        let fail_io = |error| OpenError::io(&path, error);
        file::find_space(&path).map_err(fail_io)?;
        let has_log = file::has_log(&path);
        let mut connection = self.connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Closing a connection checkpoints the log. That must not happen before the file is known to be sound and of a
        // known version.
        keep_log(&connection, has_log).map_err(fail)?;
        schema::examine(&connection, &path, self.check).inspect_err(|_| opened.remove_copy())?;
        if connection.is_readonly("main").map_err(fail)? {
            return Err(OpenError::io(&path, std::io::ErrorKind::PermissionDenied.into()));
        }
        keep_log(&connection, false).map_err(fail)?;
        schema::prepare(&mut connection).map_err(fail)?;
        let (owner, may_have_lost_appends) = self.enter(&mut connection, &path)?;
        connection
            .pragma_update(None, "synchronous", self.durability.pragma())
            .map_err(fail)?;
        let identity = Identity::new(&connection, &path, self.check).map_err(fail_io)?;
        let reader = self.connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let writer = Writer {
            connection,
            owner,
            identity,
            journal: path.clone(),
            clock: self.clock.clone(),
            is_chaining: self.is_chaining,
            lease: self.lease,
            tenants: RefCell::default(),
            watches: RefCell::default(),
        };
        let owner = writer.owner.number;
        let writer = writer.start().map_err(fail_io)?;
        let reader = Reader::start(reader).map_err(fail_io)?;
        let report = OpenReport {
            damaged_log: opened.damaged_log.clone(),
            may_have_lost_appends,
        };
        report.log(&path);
        let shared = Shared::new(opened, reader, Some((writer, owner)), self.clock, report);
        Ok(SqliteJournal::of(shared))
    }

    /// Opens an existing file for reading. Reads see later writes of other processes; appends are refused.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open_read_only(self) -> Result<SqliteJournal, OpenError> {
        let opened = Opened::new(&self.path, None)?;
        let path = opened.path.clone();
        let (connection, version) = self.connect_to_read(&path)?;
        if version == 0 {
            return Err(OpenError::Foreign { path });
        }
        let may_have_lost = unsynced::may_have_lost(&connection, &self.boot);
        let report = OpenReport {
            damaged_log: opened.damaged_log.clone(),
            may_have_lost_appends: may_have_lost.map_err(|error| OpenError::sqlite(&path, error))?,
        };
        report.log(&path);
        let reader = Reader::start(connection).map_err(|error| OpenError::io(&path, error))?;
        let shared = Shared::new(opened, reader, None, self.clock, report);
        Ok(SqliteJournal::of(shared))
    }

    /// Connects and examines. Returns the version of the schema.
    fn connect_to_read(&self, path: &Path) -> Result<(Connection, i32), OpenError> {
        let space = file::find_space(path);
        if space.is_ok() || file::has_log(path) {
            // Without space, the log's index may not be made.
            if let Err(error) = space
                && error.kind() == io::ErrorKind::StorageFull
            {
                return Err(OpenError::io(path, error));
            }
            let connection = self.connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let version = schema::examine(&connection, path, self.check)?;
            return Ok((connection, version));
        }
        // A closed journal is whole without a log, and nothing can be made beside it: the directory is read-only, or
        // the file system is full.
        let connection = self.connect(
            &file::as_immutable(path),
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        )?;
        let version = schema::examine(&connection, path, self.check)?;
        Ok((connection, version))
    }

    fn connect(&self, path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
        // No URI, so that a path that begins with `file:` stays a path. No mutex, because one thread uses each
        // connection.
        let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|error| OpenError::sqlite(path, error))?;
        schema::set_up(&connection, self.busy_timeout).map_err(|error| OpenError::sqlite(path, error))?;
        Ok(connection)
    }

    /// Enters as an owner. Also returns true if earlier owners may have lost appends.
    fn enter(&self, connection: &mut Connection, path: &Path) -> Result<(Owner, bool), OpenError> {
        let mut enter = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let now = self.clock.now();
            clean_up(&transaction, path)?;
            let may_have_lost = unsynced::may_have_lost(&transaction, &self.boot)?;
            unsynced::clean_up(&transaction, &self.boot)?;
            let owner = Owner::enter(&transaction, path, self.lease, now)?;
            if self.durability != Durability::Full {
                unsynced::enter(&transaction, owner.number, &self.boot)?;
            }
            transaction.commit()?;
            Ok((owner, may_have_lost))
        };
        enter().map_err(|error| match error {
            EnterError::Io(error) => OpenError::io(path, error),
            EnterError::Sqlite(error) => OpenError::sqlite(path, error),
        })
    }
}

fn keep_log(connection: &Connection, is_kept: bool) -> rusqlite::Result<bool> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_kept)
}
