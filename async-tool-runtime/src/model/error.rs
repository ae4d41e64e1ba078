//! Failure of a turn.

use std::{error::Error, fmt, sync::Arc, time::Duration};

/// A turn failed. The message is for operators and holds no keys.
#[derive(Clone, Debug)]
pub struct ModelError {
    message: String,
    retryable: bool,
    retry_after: Option<Duration>,
    too_long: bool,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ModelError {
    /// A failure that another try doesn't mend, such as a refused key or a bad request.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retryable: false,
            retry_after: None,
            too_long: false,
            source: None,
        }
    }

    /// A failure that another try may mend, such as a broken connection or an overloaded server.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            ..Self::permanent(message)
        }
    }

    /// The stream ended without [`ModelEvent::Done`](super::ModelEvent::Done).
    #[must_use]
    pub fn truncated() -> Self {
        Self::transient("the model's stream ended before the turn was complete")
    }

    /// Nothing came for this long.
    #[must_use]
    pub fn silent(limit: Duration) -> Self {
        Self::transient(format!("the model said nothing for {limit:?}"))
    }

    /// The conversation is longer than the model can read. The agent cuts it down and asks once more.
    #[must_use]
    pub fn too_long(message: impl Into<String>) -> Self {
        Self {
            too_long: true,
            ..Self::permanent(message)
        }
    }

    /// The same failure, not to be tried again before this long from now.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same failure with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// True if another try can help.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        self.retryable
    }

    /// True if the conversation was longer than the model can read.
    #[must_use]
    pub const fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// Pause before another try, if the provider asks for one.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ModelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Equal where message and retry advice are; the source doesn't count.
impl PartialEq for ModelError {
    fn eq(&self, other: &Self) -> bool {
        (&self.message, self.retryable, self.retry_after, self.too_long)
            == (&other.message, other.retryable, other.retry_after, other.too_long)
    }
}
