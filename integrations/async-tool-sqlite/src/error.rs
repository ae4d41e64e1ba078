//! Errors of opening, writing and reading a journal.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, ReadError, Seq},
};
use rusqlite::{ErrorCode, ffi};

use crate::holder::holder;

/// Failure to open a journal. An existing file is left unchanged.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The file doesn't exist, and reading needs one.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The path names a directory, a device, or another non-file.
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is no journal: another program wrote it, or its first page is damaged.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this crate wrote the file.
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of the file's schema.
        version: i32,
        /// Latest version that this crate supports.
        known: i32,
    },
    /// The file is a journal, but damaged.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// SQLite's description of the damage.
        detail: String,
    },
    /// Another process kept the file locked for the whole [`busy_timeout`](crate::SqliteJournalBuilder::busy_timeout).
    Busy {
        /// The file.
        path: PathBuf,
        /// The process that keeps it locked, if the system tells; it can be this one. If it hangs, the file can't be
        /// opened until it ends.
        process: Option<u32>,
    },
    /// The operating system reported an error.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// SQLite reported an error.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// Classifies an error of SQLite.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy {
                process: holder(&path),
                path,
            },
            Some(ErrorCode::DiskFull) => Self::io(&path, io::ErrorKind::StorageFull.into()),
            // The log's index can't grow.
            _ if source
                .sqlite_error()
                .is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE) =>
            {
                Self::io(&path, io::ErrorKind::StorageFull.into())
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt {
                path,
                detail: source.to_string(),
            },
            _ => Self::Sqlite {
                path,
                source: Box::new(source),
            },
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => write!(f, "there is no journal at {}", path.display()),
            Self::NotAFile { path } => write!(
                f,
                "{} is not a file; give the path of the journal's file",
                path.display()
            ),
            Self::Foreign { path } => write!(
                f,
                "{} is not a journal, and was left unchanged; give another path",
                path.display()
            ),
            Self::Newer { path, version, known } => write!(
                f,
                "{} has version {version} of the schema, and this program supports versions up to {known}; use a newer program",
                path.display()
            ),
            Self::Corrupt { path, detail } => write!(
                f,
                "the journal {} is damaged ({detail}); take a copy of it and its -wal file, then save its entries with `async-tool journal \
                 export --salvage`",
                path.display()
            ),
            Self::Busy { path, process } => {
                write!(f, "{} keeps the journal {} locked; ", Process(*process), path.display())?;
                f.write_str("if it hangs, end it, and open the journal again")
            }
            Self::Io { path, .. } | Self::Sqlite { path, .. } => {
                write!(f, "the journal {} can't be opened", path.display())
            }
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Sqlite { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

/// Cause of an [`AppendError::Unavailable`] or a [`ReadError`] of this crate. It tells a host which failures it can act on.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full. No accepted entry is lost, and appends work again when there is space.
    Full,
    /// Another process kept the file locked for the whole [`busy_timeout`](crate::SqliteJournalBuilder::busy_timeout).
    Busy {
        /// The process that keeps it locked, if the system tells; it can be this one.
        process: Option<u32>,
    },
    /// The file, its log or the log's index was deleted, replaced or cut off while the journal was open. Nothing is
    /// accepted any more, because no later process would find it. What was read before stays readable until the journal
    /// closes.
    Gone {
        /// The missing or replaced file.
        path: PathBuf,
    },
    /// The journal was opened read-only.
    ReadOnly,
    /// The journal's thread has ended.
    Stopped,
    /// An entry exists but can't be decoded.
    Unreadable {
        /// The entry's session.
        session: SessionId,
        /// The entry's number.
        seq: Seq,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An entry isn't the one that was written there: it was damaged, edited or moved, or lies after the session's end.
    Corrupt {
        /// The entry's session.
        session: SessionId,
        /// The entry's number.
        seq: Seq,
    },
    /// An entry is missing, but later entries exist.
    Missing {
        /// The entry's session.
        session: SessionId,
        /// The entry's number.
        seq: Seq,
    },
    /// The bytes of an image, sound or file are missing or damaged.
    DamagedBlob {
        /// The session.
        session: SessionId,
        /// SHA-256 of the bytes that were written.
        blob: String,
    },
    /// A page of the file is damaged, and it isn't known which entries are on it.
    DamagedFile {
        /// SQLite's description of the damage.
        detail: String,
    },
    /// Any other error of SQLite or the system.
    Other(Box<dyn Error + Send + Sync>),
}

impl StoreError {
    pub(crate) fn other(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(source.into())
    }

    pub(crate) fn unavailable(self) -> AppendError {
        AppendError::Unavailable(Box::new(self))
    }
}

/// True if the file is damaged where it was read: a page, or the type of a value.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
        )
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { process: None },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            _ if is_damage(&error) => Self::DamagedFile {
                detail: error.to_string(),
            },
            _ => Self::other(error),
        }
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there is no space left for the journal; make room, and try again"),
            Self::Busy { process } => write!(
                f,
                "{} keeps the journal locked; try again, and if it hangs, end it",
                Process(*process)
            ),
            Self::Gone { path } => write!(
                f,
                "{} was deleted, replaced or cut off while the journal was open; put it back, or open the journal again",
                path.display()
            ),
            Self::ReadOnly => f.write_str("the journal can only be read; open it for writing"),
            Self::Stopped => f.write_str("the journal's thread has ended; open the journal again"),
            Self::Unreadable { session, seq, .. } => {
                write!(
                    f,
                    "entry {} of session {:?} can't be read",
                    seq.as_u64(),
                    session.as_str()
                )
            }
            Self::Corrupt { session, seq } => write!(
                f,
                "entry {} of session {:?} is damaged: it doesn't match its checksum; `async-tool journal export --salvage` saves the \
                 others",
                seq.as_u64(),
                session.as_str()
            ),
            Self::Missing { session, seq } => {
                write!(f, "entry {} of session {:?} is missing", seq.as_u64(), session.as_str())
            }
            Self::DamagedBlob { session, blob } => write!(
                f,
                "the bytes {blob} of session {:?} are missing or damaged; restore the file from a copy",
                session.as_str()
            ),
            Self::DamagedFile { detail } => write!(
                f,
                "the file is damaged ({detail}); take a copy of it and its -wal file, then save its entries with `async-tool journal export \
                 --salvage`"
            ),
            Self::Other(source) => source.fmt(f),
        }
    }
}

/// The process that keeps a lock, as the subject of a sentence.
struct Process(Option<u32>);

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(process) if process == std::process::id() => write!(f, "this process ({process})"),
            Some(process) => write!(f, "process {process}"),
            None => f.write_str("another process"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(&**source),
            // Its text is already this error's text.
            Self::Other(source) => source.source(),
            _ => None,
        }
    }
}
