//! Failure of a backend.

use std::{error::Error, fmt};

/// Failure of a backend. Its kind decides what the manager does.
///
/// ```
/// use async_tool_runtime::backend::{BackendError, BackendErrorKind};
/// use std::{error::Error, io};
///
/// let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
/// let error = BackendError::unreachable("the engine at port 7000 can't be reached").with_source(cause);
/// assert_eq!(error.kind(), BackendErrorKind::Unreachable);
/// assert_eq!(error.to_string(), "the engine at port 7000 can't be reached");
/// assert!(error.source().is_some_and(|cause| cause.is::<io::Error>()));
/// ```
#[derive(Debug)]
pub struct BackendError {
    kind: BackendErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Kind of a backend's failure.
///
/// ```
/// use async_tool_runtime::backend::{BackendError, BackendErrorKind};
///
/// assert_eq!(BackendError::refused("no permission").kind(), BackendErrorKind::Refused);
/// assert_eq!(BackendError::not_found("no such task").kind(), BackendErrorKind::NotFound);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// The engine can't be reached now. The operation may have happened all the same, and is repeated until the task's
    /// deadline.
    Unreachable,
    /// The engine doesn't have the task.
    NotFound,
    /// The engine refuses, and will refuse again.
    Refused,
}

impl BackendError {
    /// Error of kind [`BackendErrorKind::Unreachable`], with a message for operators.
    #[must_use]
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(BackendErrorKind::Unreachable, message)
    }

    /// Error of kind [`BackendErrorKind::NotFound`], with a message for operators.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(BackendErrorKind::NotFound, message)
    }

    /// Error of kind [`BackendErrorKind::Refused`], with a message for operators.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(BackendErrorKind::Refused, message)
    }

    fn new(kind: BackendErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> BackendErrorKind {
        self.kind
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
