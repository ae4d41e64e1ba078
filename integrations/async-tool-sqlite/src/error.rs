//! Why a journal could not be opened, written or read.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

use async_tool_runtime::{
    SessionId,
    journal::{AppendError, ReadError, Seq},
};
use rusqlite::ErrorCode;

/// A journal could not be opened. A file that was there before is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no file of this name, and reading needs one.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The path names a directory, a device or something else that is no file.
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
        /// The version of its schema.
        version: i32,
        /// The latest version that is known here.
        known: i32,
    },
    /// The file is a journal, and damaged.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// Another process kept the file locked all the time that [`busy_timeout`](crate::SqliteJournalBuilder::busy_timeout) allows.
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// SQLite refused.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
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

    /// Sorts what SQLite said.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
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
                "{} is no file; a journal is one file, so give the path of one",
                path.display()
            ),
            Self::Foreign { path } => write!(
                f,
                "{} is not a journal, and is left as it is; give another path",
                path.display()
            ),
            Self::Newer { path, version, known } => write!(
                f,
                "{} has version {version} of the schema, and this program knows versions up to {known}; use a newer program",
                path.display()
            ),
            Self::Corrupt { path, detail } => write!(
                f,
                "the journal {} is damaged ({detail}); take a copy of it and its -wal file before anything else",
                path.display()
            ),
            Self::Busy { path } => write!(f, "another process keeps the journal {} locked", path.display()),
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

/// What is behind an [`AppendError::Unavailable`] and a [`ReadError`] of this crate's: which of the two a host can do something about.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no space left for the file. Nothing that was accepted is lost, and the journal goes on when there is space again.
    Full,
    /// Another process kept the file locked all the time that [`busy_timeout`](crate::SqliteJournalBuilder::busy_timeout) allows.
    Busy,
    /// The journal was opened for reading.
    ReadOnly,
    /// The thread that works on the file has ended.
    Stopped,
    /// An entry is there, and can't be read as one.
    Unreadable {
        /// Its session.
        session: SessionId,
        /// Its place.
        seq: Seq,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An entry is not there, and there are later ones.
    Missing {
        /// Its session.
        session: SessionId,
        /// Its place.
        seq: Seq,
    },
    /// Anything else that SQLite or the system said, in its words.
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

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
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
            Self::Busy => f.write_str("another process keeps the journal locked; try again"),
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
            Self::Missing { session, seq } => {
                write!(f, "entry {} of session {:?} is missing", seq.as_u64(), session.as_str())
            }
            Self::Other(source) => source.fmt(f),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(&**source),
            // It speaks for itself.
            Self::Other(source) => source.source(),
            _ => None,
        }
    }
}
