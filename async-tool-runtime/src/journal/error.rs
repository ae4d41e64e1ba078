//! Why a journal could not be written or read.

use std::{error::Error, fmt};

use super::Seq;

/// Entries could not be added. Nothing has changed, unless the error is [`Unavailable`](AppendError::Unavailable) and the
/// store itself can't say.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The session has entries the writer doesn't know of: somebody else owns it now.
    Conflict {
        /// The last entry of the session.
        last: Seq,
    },
    /// The store can't be written to now; another try may work.
    Unavailable(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { last } => write!(
                f,
                "the session goes on to entry {}: another process owns it now",
                last.as_u64()
            ),
            Self::Unavailable(_) => f.write_str("the journal can't be written to"),
        }
    }
}

impl Error for AppendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Conflict { .. } => None,
            Self::Unavailable(source) => Some(&**source),
        }
    }
}

/// Entries could not be read.
#[derive(Debug)]
pub struct ReadError(Box<dyn Error + Send + Sync>);

impl ReadError {
    /// An error of the store.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the journal can't be read")
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
