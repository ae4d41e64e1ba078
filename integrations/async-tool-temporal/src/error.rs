//! Failures of a connection or a worker.

use std::{error::Error, fmt};

/// Failure to connect, or to run a worker.
///
/// ```
/// use async_tool_temporal::{TemporalBackend, TemporalErrorKind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = TemporalBackend::connect("not an address").await.unwrap_err();
/// assert_eq!(error.kind(), TemporalErrorKind::Setting);
/// # }
/// ```
#[derive(Debug)]
pub struct TemporalError {
    kind: TemporalErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Kind of a [`TemporalError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemporalErrorKind {
    /// A setting is wrong, such as the address or a timeout.
    Setting,
    /// The server can't be reached now.
    Unreachable,
    /// The server refused: no permission, or no such namespace.
    Refused,
    /// The server or the namespace lacks something that this crate needs.
    Unprepared,
    /// The worker ended although nothing had stopped it.
    Worker,
}

impl TemporalError {
    pub(crate) fn new(kind: TemporalErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> TemporalErrorKind {
        self.kind
    }
}

impl fmt::Display for TemporalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TemporalError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
