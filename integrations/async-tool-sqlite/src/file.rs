//! The file, before SQLite opens it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use async_tool_runtime::task::Timestamp;
use uuid::Uuid;

use crate::{
    DamagedLog, OpenError,
    log::{Beyond, beyond},
    owner,
    schema::{APPLICATION_ID, VERSION},
};

/// Length of the database header: <https://www.sqlite.org/fileformat2.html#the_database_header>.
const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Space that SQLite needs to open a journal: the log's index, and the first frames of the log.
const SPACE: usize = 64 * 1024;

/// Identity of a file in the system: device and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u64, u64);

impl Id {
    /// Without numbers of files, as on Windows, all are equal. There, an open file can't be replaced.
    pub(crate) fn of(file: &fs::Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Self(file.dev(), file.ino())
        }
        #[cfg(not(unix))]
        {
            let _ = file;
            Self(0, 0)
        }
    }

    /// The number, which is unique on its device.
    pub(crate) const fn number(self) -> u64 {
        self.1
    }
}

/// Number of open journals in this process, by their file.
///
/// When a process closes a file, the system drops all its locks on that file, also those of SQLite's connections. Another
/// process would then find the journal unused, and delete the log that this one writes. So the file of an open journal
/// is never opened past SQLite.
static OPEN: Mutex<BTreeMap<Id, usize>> = Mutex::new(BTreeMap::new());

/// A file that this process has open as a journal. It must outlive the connections.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The path with links resolved, where the companion files are.
    pub(crate) path: PathBuf,
    /// Damage of the log, with a copy if the file is opened for writing.
    pub(crate) damaged_log: Option<DamagedLog>,
    id: Id,
}

impl Opened {
    /// Looks at the file, and refuses one that is not a journal's, without a lock or a write. With a time, the file is
    /// created if it is missing, and a damaged log is copied.
    pub(crate) fn new(path: &Path, for_writing: Option<Timestamp>) -> Result<Self, OpenError> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if for_writing.is_some() {
            create_if_missing(path)?;
        }
        let found = metadata(path)?;
        if for_writing.is_none() && found.len() == 0 {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        let id = Id::of(&found);
        let is_first = cfg!(not(unix)) || !open.contains_key(&id);
        if is_first {
            look_at(path)?;
        }
        let path = fs::canonicalize(path).map_err(|error| fail(path, error))?;
        let damaged_log = if is_first {
            examine_log(&path, for_writing).map_err(|error| OpenError::io(&path, error))?
        } else {
            None
        };
        *open.entry(id).or_default() += 1;
        Ok(Self { path, damaged_log, id })
    }

    /// Removes the copy of a file that was refused, and so was not changed.
    pub(crate) fn remove_copy(&self) {
        if let Some(copy) = self.damaged_log.as_ref().and_then(|damaged| damaged.copy.as_ref()) {
            let _ = fs::remove_file(log(copy));
            let _ = fs::remove_file(copy);
        }
    }
}

/// Looks for commits that SQLite won't read. While another process has the journal open, its own opening has looked.
fn examine_log(journal: &Path, for_writing: Option<Timestamp>) -> io::Result<Option<DamagedLog>> {
    if !has_log(journal) || owner::is_attended(journal) {
        return Ok(None);
    }
    // SQLite deletes the log of an empty file.
    let is_empty = fs::metadata(journal)?.len() == 0;
    let Some(Beyond { frames, commits }) = beyond(&log(journal), is_empty)? else {
        return Ok(None);
    };
    let copy = for_writing.map(|now| keep_copy(journal, now.as_millis())).transpose()?;
    Ok(Some(DamagedLog {
        commits,
        pages: frames,
        copy,
    }))
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.id);
            }
        }
    }
}

/// Opens a file past SQLite, unless this process has it open as a journal. Links are resolved, because the log is beside the
/// file and not beside a link to it.
pub(crate) fn past_sqlite<T>(path: &Path, open: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, OpenError> {
    let opened = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let found = metadata(path)?;
    if cfg!(unix) && opened.contains_key(&Id::of(&found)) {
        return Err(OpenError::Busy {
            path: path.to_owned(),
            process: Some(std::process::id()),
        });
    }
    let target = fs::canonicalize(path).map_err(|error| fail(path, error))?;
    open(&target).map_err(|error| fail(path, error))
}

fn fail(path: &Path, error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path: path.to_owned() },
        _ => OpenError::io(path, error),
    }
}

fn metadata(path: &Path) -> Result<fs::Metadata, OpenError> {
    let found = fs::metadata(path).map_err(|error| fail(path, error))?;
    // Checked before opening, because opening a pipe would wait for a writer.
    if !found.is_file() {
        return Err(OpenError::NotAFile { path: path.to_owned() });
    }
    Ok(found)
}

/// Creates the file if it is missing, readable and writable for its user only. SQLite gives its companion files the
/// same mode.
fn create_if_missing(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Windows reports this error for a directory.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(OpenError::io(path, error)),
    }
}

/// Refuses a file whose first bytes are not a journal's.
fn look_at(path: &Path) -> Result<(), OpenError> {
    let fail = |error| fail(path, error);
    let mut header = Vec::with_capacity(HEADER);
    let file = File::open(path).map_err(fail)?;
    let bytes = file.metadata().map_err(fail)?.len();
    file.take(HEADER as u64).read_to_end(&mut header).map_err(fail)?;
    if !header.is_empty() {
        let number = |at: usize| {
            let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, i32::from_be_bytes)
        };
        let is_database = header.len() == HEADER && header.starts_with(MAGIC);
        // A database of one page has no tables, so no program owns it. A new journal is in that state for a moment, and
        // its process may have died then.
        let page = header.get(16..18).and_then(|bytes| bytes.try_into().ok());
        let is_empty = number(68) == 0 && page.is_some_and(|page| bytes <= u64::from(u16::from_be_bytes(page)));
        if !is_database || (number(68) != APPLICATION_ID && !is_empty) {
            if is_half_made(path) {
                return Ok(());
            }
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        if number(60) > VERSION {
            return Err(OpenError::Newer {
                path: path.to_owned(),
                version: number(60),
                known: VERSION,
            });
        }
    }
    Ok(())
}

/// True if the file had no tables, and a power loss stopped the transaction that made the first ones. SQLite's rollback
/// journal is then beside it, and SQLite undoes the transaction:
/// <https://www.sqlite.org/fileformat2.html#the_rollback_journal>.
fn is_half_made(path: &Path) -> bool {
    let read = || {
        let mut header = [0; 20];
        File::open(with_suffix(&fs::canonicalize(path)?, "-journal"))?.read_exact(&mut header)?;
        io::Result::Ok(header)
    };
    // At most one page, as above.
    let is_of_empty_file = |header: [u8; 20]| {
        header.starts_with(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7") && header[16..19] == [0; 3] && header[19] <= 1
    };
    read().is_ok_and(is_of_empty_file)
}

/// True if a non-empty write-ahead log exists.
pub(crate) fn has_log(journal: &Path) -> bool {
    // If the log's state can't be read, assume that it exists.
    fs::metadata(log(journal)).map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |log| log.len() > 0)
}

/// The write-ahead log.
pub(crate) fn log(journal: &Path) -> PathBuf {
    with_suffix(journal, "-wal")
}

/// The index of the write-ahead log. Locks are on this file, so it is never opened past SQLite.
pub(crate) fn log_index(journal: &Path) -> PathBuf {
    with_suffix(journal, "-shm")
}

pub(crate) fn with_suffix(journal: &Path, suffix: &str) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Name by which SQLite reads a file that doesn't change: without locks, a log, or other files.
pub(crate) fn as_immutable(journal: &Path) -> PathBuf {
    let mut name = OsString::from("file:");
    for byte in journal.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            name.push(char::from(*byte).to_string());
        } else {
            name.push(format!("%{byte:02X}"));
        }
    }
    name.push("?immutable=1");
    name.into()
}

/// Fails if the file system is full. SQLite maps the log's index into memory, and where the system has no page for it,
/// writing to that memory ends the process (`SIGBUS`).
pub(crate) fn find_space(journal: &Path) -> io::Result<()> {
    let has_index = fs::metadata(log_index(journal)).is_ok_and(|index| index.len() >= 32 * 1024);
    if has_index {
        return Ok(());
    }
    let probe = beside(journal, &format!("space-{}", Uuid::new_v4().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    private(&mut options);
    let mut file = options.open(&probe)?;
    let written = file.write_all(&vec![1; SPACE]);
    let _ = fs::remove_file(&probe);
    written
}

/// Copies the file and its log to a new name beside them, which is returned.
fn keep_copy(journal: &Path, now: u64) -> io::Result<PathBuf> {
    let copy = with_suffix(journal, &format!(".damaged-{now}"));
    // The log first: SQLite takes it for damaged without its file, but a file without its log for whole.
    for (from, to) in [(log(journal), log(&copy)), (journal.to_owned(), copy.clone())] {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        let copied = options
            .open(&to)
            .and_then(|mut file| io::copy(&mut File::open(from)?, &mut file).and_then(|_| file.sync_all()));
        if let Err(error) = copied {
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _ = fs::remove_file(log(&copy));
                let _ = fs::remove_file(&copy);
            }
            return Err(error);
        }
    }
    Ok(copy)
}

/// The file beside the journal that this owner keeps locked.
pub(crate) fn beside(journal: &Path, owner: &str) -> PathBuf {
    let mut name = prefix(journal);
    name.push(owner);
    journal.with_file_name(name)
}

/// Prefix of the names of owners' files.
pub(crate) fn prefix(journal: &Path) -> OsString {
    let mut name = journal.file_name().unwrap_or_default().to_owned();
    name.push(".owner-");
    name
}

/// Sets the mode of a new file.
pub(crate) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}
