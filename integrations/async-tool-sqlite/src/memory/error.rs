//! Errors of a memory.

use std::{error::Error, fmt};

use async_tool_runtime::{ToolError, ToolErrorKind};

use super::NoteId;
use crate::StoreError;

/// Failure to keep, find or forget a note. The message tells a model what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum MemoryError {
    /// The note has no text.
    Empty,
    /// The note is larger than this memory allows ([`Memory::max_note_bytes`](super::Memory::max_note_bytes)).
    TooLong {
        /// Size of its text and tags, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The scope has reached its maximum number of notes ([`Memory::max_notes`](super::Memory::max_notes)). No old note
    /// was dropped.
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// The host's filter refused the whole text ([`Memory::with_filter`](super::Memory::with_filter)).
    Refused,
    /// The scope never had a note with this id.
    Unknown {
        /// The id.
        id: NoteId,
    },
    /// The file can't be read or written.
    Store(StoreError),
}

impl From<StoreError> for MemoryError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for MemoryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Hides the file's state from the model, because only the operator can act on it. The model learns that its call is
/// not at fault.
impl From<MemoryError> for ToolError {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::Store(StoreError::Full | StoreError::Busy { .. }) => Self::from_error(error)
                .with_kind(ToolErrorKind::Unavailable)
                .with_model_message("the memory can't be reached now"),
            MemoryError::Store(_) => Self::from_error(error)
                .with_kind(ToolErrorKind::Internal)
                .with_model_message("the memory can't be used"),
            MemoryError::Refused => Self::from_error(error).with_kind(ToolErrorKind::Refused),
            _ => Self::from_error(error),
        }
    }
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a note needs text; say what to remember"),
            Self::TooLong { bytes, limit } => write!(
                f,
                "the note has {bytes} bytes, and the limit is {limit}; shorten it, or split it into several notes"
            ),
            Self::TooMany { limit } => write!(
                f,
                "the memory is full: it has {limit} notes; forget notes that are no longer useful, and try again"
            ),
            Self::Refused => f.write_str("this may not be remembered"),
            Self::Unknown { id } => write!(f, "there is no note {id}; use the id of a note that `recall` found"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for MemoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Its text is already this error's text.
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}
