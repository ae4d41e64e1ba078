//! Errors of a journal.

use std::{error::Error, fmt, time::Duration};

use super::Seq;

/// Failure of an append.
///
/// The session is unchanged, except after [`Unavailable`](AppendError::Unavailable) if the store itself can't tell whether it wrote
/// the entries.
///
/// ```
/// use async_tool_runtime::journal::{AppendError, Claim, Entry, Format, Journal, MemoryJournal, Seq};
/// use async_tool_runtime::{SessionId, task::Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), AppendError> {
/// let (journal, session, claim) = (MemoryJournal::new(), SessionId::new("s"), Claim::new());
/// # let at = Timestamp::from_millis(0);
/// let opened = [Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at }];
/// journal.append(&session, &claim, Seq::START, &opened).await?;
///
/// // A writer that doesn't know the first entry.
/// match journal.append(&session, &claim, Seq::START, &opened).await {
///     Err(AppendError::Conflict { last }) => assert_eq!(last, Seq::new(1)),
///     other => panic!("{other:?}"),
/// }
///
/// // Another agent.
/// match journal.append(&session, &Claim::new(), Seq::new(1), &opened).await {
///     Err(AppendError::Taken { retry_after }) => assert_eq!(retry_after, None),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// Another writer has written entries that this writer doesn't know.
    Conflict {
        /// The last entry of the session.
        last: Seq,
    },
    /// Another [claim](super::Claim) has the session, or this one was lost.
    Taken {
        /// Earliest time after which the session can be taken if its owner shows no sign of life. `None` if no time is known: the owner
        /// is in this process, or the journal has no leases.
        retry_after: Option<Duration>,
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
            Self::Taken { retry_after: None } => {
                f.write_str("another agent has the session; let it leave the session, or end it")
            }
            Self::Taken {
                retry_after: Some(after),
            } => write!(
                f,
                "another agent has the session; let it leave the session, end it, or try again after {after:?}"
            ),
            Self::Conflict { last } => write!(
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
            Self::Conflict { .. } | Self::Taken { .. } | Self::Unredacted { .. } => None,
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
