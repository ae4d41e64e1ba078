//! Why a note was not kept, found or forgotten.

use std::{error::Error, fmt};

use async_tool_runtime::{ToolError, ToolErrorKind};

use super::NoteId;
use crate::StoreError;

/// Why a note was not kept, found or forgotten. What it says is said so that a model can act on it.
#[derive(Debug)]
#[non_exhaustive]
pub enum MemoryError {
    /// The note has no text.
    Empty,
    /// The note is larger than notes of this memory may be ([`Memory::max_note_bytes`](super::Memory::max_note_bytes)).
    TooLong {
        /// What its text and its tags are, in bytes.
        bytes: usize,
        /// What they may be.
        limit: usize,
    },
    /// The scope has as many notes as it may have ([`Memory::max_notes`](super::Memory::max_notes)). Nothing was dropped for the new one.
    TooMany {
        /// How many it may have.
        limit: u64,
    },
    /// The host's filter let nothing of the note pass ([`Memory::with_filter`](super::Memory::with_filter)).
    Refused,
    /// There never was a note of this id in the scope.
    Unknown {
        /// The id.
        id: NoteId,
    },
    /// The file could not be read or written.
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

/// What the file's state is, is the operator's to know: the model is told that it isn't the call that is wrong.
impl From<MemoryError> for ToolError {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::Store(StoreError::Full | StoreError::Busy) => Self::from_error(error)
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
            Self::Empty => f.write_str("a note needs a text; say what is to be remembered"),
            Self::TooLong { bytes, limit } => write!(
                f,
                "the note has {bytes} bytes, and a note may have {limit}; make it shorter, or several notes of it"
            ),
            Self::TooMany { limit } => write!(
                f,
                "the memory is full: it has {limit} notes; forget some that are of no use any more, and try again"
            ),
            Self::Refused => f.write_str("this may not be remembered"),
            Self::Unknown { id } => write!(f, "there is no note {id}; take the id of one that was found"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for MemoryError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // It speaks for itself.
            Self::Store(error) => error.source(),
            _ => None,
        }
    }
}
