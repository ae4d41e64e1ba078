//! The file, before SQLite opens it.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use crate::{
    OpenError,
    schema::{APPLICATION_ID, VERSION},
};

/// Length of the database header: <https://www.sqlite.org/fileformat2.html#the_database_header>.
const HEADER: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Creates the file if it is missing, readable and writable for its user only. SQLite gives its companion files the
/// same mode.
pub(crate) fn create_if_missing(path: &Path) -> Result<(), OpenError> {
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

/// Refuses a file whose first bytes are not a journal's, without a lock or a write. Returns the path with links
/// resolved, where the companion files are.
pub(crate) fn look_at(path: &Path) -> Result<PathBuf, OpenError> {
    let fail = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path: path.to_owned() },
        _ => OpenError::io(path, error),
    };
    // Checked before opening, because opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(OpenError::NotAFile { path: path.to_owned() });
    }
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
    fs::canonicalize(path).map_err(fail)
}

/// True if a non-empty write-ahead log exists.
pub(crate) fn has_log(journal: &Path) -> bool {
    let mut log = journal.as_os_str().to_owned();
    log.push("-wal");
    // If the log's state can't be read, assume that it exists.
    fs::metadata(log).map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |log| log.len() > 0)
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
