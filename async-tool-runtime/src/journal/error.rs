//! Errors of a journal.

use std::{error::Error, fmt};

use super::Seq;
use crate::clock::Timestamp;

/// Failure of an append.
///
/// The session is unchanged, except after [`Unavailable`](AppendError::Unavailable) if the store itself can't tell whether it wrote
/// the entries.
///
/// ```
/// use async_tool_runtime::journal::{AppendError, Entry, Journal, MemoryJournal, Seq};
/// use async_tool_runtime::{SessionId, task::Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), AppendError> {
/// let (journal, session) = (MemoryJournal::new(), SessionId::new("s"));
/// # let at = Timestamp::from_millis(0);
/// let opened = [Entry::Opened { nonce: "n".into(), works_for: None, at }];
/// journal.append(&session, Seq::START, &opened).await?;
///
/// // A second writer that doesn't know the first entry.
/// match journal.append(&session, Seq::START, &opened).await {
///     Err(AppendError::Conflict { last, until }) => assert_eq!((last, until), (Seq::new(1), None)),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// Another writer owns the session: it has written entries that this writer doesn't know, or it holds a lease.
    Conflict {
        /// The last entry of the session.
        last: Seq,
        /// End of the owner's lease, if the journal has leases. No other writer can resume the session before.
        until: Option<Timestamp>,
    },
    /// The store can't be written to now; a retry may succeed.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// The agent withheld the entries from its journal, because it couldn't remove their secrets.
    ///
    /// See [`Redact`](crate::agent::Redact). Only an agent returns this error, never a journal.
    Unredacted {
        /// Reason, without any content of the entries.
        reason: String,
    },
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { until: Some(_), .. } => f.write_str(
                "another process holds the session; end that process, or try again after its lease has ended",
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

/// Failure to read from the store of a journal; its [`source`](Error::source) is the store's error.
///
/// ```
/// use async_tool_runtime::journal::ReadError;
/// use std::error::Error;
///
/// fn read(path: &str) -> Result<String, ReadError> {
///     std::fs::read_to_string(path).map_err(ReadError::new)
/// }
///
/// let error = read("no/such/journal").unwrap_err();
/// assert_eq!(error.to_string(), "the journal can't be read");
/// assert!(error.source().is_some_and(|cause| cause.is::<std::io::Error>()));
/// ```
#[derive(Debug)]
pub struct ReadError(Box<dyn Error + Send + Sync>);

impl ReadError {
    /// Wraps an error of the store.
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
