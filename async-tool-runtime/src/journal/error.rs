//! Errors of a journal.

use std::{error::Error, fmt};

use super::Seq;
use crate::clock::Timestamp;

/// Entries could not be added. Nothing has changed, unless the error is [`Unavailable`](AppendError::Unavailable) and the
/// store itself can't say.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// Another writer owns the session now: it has entries that this one doesn't know of, or holds it.
    Conflict {
        /// The last entry of the session.
        last: Seq,
        /// Until when whoever owns the session holds it, where the journal knows: nobody else can take it up before.
        until: Option<Timestamp>,
    },
    /// The store can't be written to now; another try may work.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The agent has not given the entries to its journal, because what must not be written could not be taken out of them; see
    /// [`Redact`](crate::agent::Redact). No journal fails like this.
    Unredacted {
        /// Reason, in words that hold nothing of the entries.
        reason: String,
    },
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { until: Some(_), .. } => f.write_str(
                "another process holds the session; end it there, or try again when it has not been heard of for a while",
            ),
            Self::Conflict { last, until: None } => write!(
                f,
                "the session goes on to entry {}: another process owns it now",
                last.as_u64()
            ),
            Self::Unavailable(_) => f.write_str("the journal can't be written to"),
            Self::Unredacted { reason } => write!(f, "an entry was not written, to keep its secrets: {reason}"),
        }
    }
}

impl Error for AppendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Conflict { .. } | Self::Unredacted { .. } => None,
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
