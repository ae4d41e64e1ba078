//! Failure of a turn.

use std::{borrow::Cow, error::Error, fmt, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::without_keys;

/// Failure of a turn. The message is for operators.
///
/// [`without_keys`] cuts message and cause where they may hold a key, because servers and libraries repeat what they were sent. So no key
/// of a known form reaches the host, the journal, the events or the log.
///
/// ```
/// use async_tool_runtime::model::ModelError;
/// use std::time::Duration;
///
/// /// The error of an HTTP status.
/// fn error_of(status: u16) -> ModelError {
///     match status {
///         429 => ModelError::transient("too many requests").with_retry_after(Duration::from_secs(20)),
///         500.. => ModelError::transient(format!("the server answered {status}")),
///         _ => ModelError::permanent(format!("the request was refused with {status}")),
///     }
/// }
///
/// assert!(error_of(429).retryable());
/// assert_eq!(error_of(429).retry_after(), Some(Duration::from_secs(20)));
/// assert!(!error_of(401).retryable());
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ModelError {
    message: String,
    retryable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<Duration>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    too_long: bool,
    #[serde(skip)]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ModelError {
    /// Creates a failure that a retry can't resolve, such as a refused key or a bad request.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Cow::Owned(clean) = without_keys(&message) {
            message = clean;
        }
        Self {
            message,
            retryable: false,
            retry_after: None,
            too_long: false,
            source: None,
        }
    }

    /// Creates a failure that a retry may resolve, such as a broken connection or an overloaded server.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            ..Self::permanent(message)
        }
    }

    /// Creates the transient failure of a stream that ended without [`ModelEvent::Done`](super::ModelEvent::Done).
    #[must_use]
    pub fn truncated() -> Self {
        Self::transient("the model's stream ended before the turn was complete")
    }

    /// Creates the transient failure of a stream that sent nothing for `limit`.
    ///
    /// ```
    /// use async_tool_runtime::model::ModelError;
    /// use std::time::Duration;
    ///
    /// let error = ModelError::silent(Duration::from_secs(90));
    /// assert_eq!(error.to_string(), "the model said nothing for 90s");
    /// assert!(error.retryable());
    /// ```
    #[must_use]
    pub fn silent(limit: Duration) -> Self {
        Self::transient(format!("the model said nothing for {limit:?}"))
    }

    /// Creates the transient failure of a turn without text and calls, although the model was given results. Also of a turn that
    /// announced calls and made none. The agent asks once more.
    ///
    /// ```
    /// use async_tool_runtime::model::ModelError;
    ///
    /// assert!(ModelError::empty().retryable());
    /// ```
    #[must_use]
    pub fn empty() -> Self {
        Self::transient("the model's turn was empty")
    }

    /// Creates the failure of a conversation that exceeds the model's context. The agent shows the model less of it, step by step, and
    /// asks again until the model takes it or nothing can be shown shorter.
    ///
    /// ```
    /// use async_tool_runtime::model::ModelError;
    ///
    /// let error = ModelError::too_long("128,512 tokens, and the context has 128,000");
    /// assert!(error.is_too_long());
    /// assert!(!error.retryable()); // not without pruning
    /// ```
    #[must_use]
    pub fn too_long(message: impl Into<String>) -> Self {
        Self {
            too_long: true,
            ..Self::permanent(message)
        }
    }

    /// Sets the pause before a retry, counted from now.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Sets the cause. A cause whose text, or that of a cause of its own, may hold a key is replaced by its text without keys.
    ///
    /// ```
    /// use async_tool_runtime::model::ModelError;
    /// use std::{error::Error, io};
    ///
    /// let cause = io::Error::from(io::ErrorKind::ConnectionReset);
    /// let error = ModelError::transient("the connection broke").with_source(cause);
    /// assert!(error.source().is_some_and(|cause| cause.is::<io::Error>()));
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        self.source = Some(match clean(&*source) {
            Some(clean) => Arc::new(clean),
            None => source.into(),
        });
        self
    }

    /// True if a retry may succeed.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        self.retryable
    }

    /// True if the conversation exceeded the model's context.
    #[must_use]
    pub const fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// Kind of the failure in one word, for logs and traces.
    pub(crate) const fn kind(&self) -> &'static str {
        match (self.too_long, self.retryable) {
            (true, _) => "too_long",
            (false, true) => "transient",
            (false, false) => "permanent",
        }
    }

    /// Pause before a retry, if the provider asks for one.
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

/// Cause without the keys that its text held.
#[derive(Debug)]
struct CleanCause {
    message: String,
    cause: Option<Box<Self>>,
}

impl fmt::Display for CleanCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CleanCause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Texts of an error and its causes without keys; `None` if they hold none.
fn clean(error: &(dyn Error + 'static)) -> Option<CleanCause> {
    let errors: Vec<_> = std::iter::successors(Some(error), |error| (*error).source()).collect();
    // Much prints only the `Debug` form, which may show more.
    let holds_key = |text: &str| matches!(without_keys(text), Cow::Owned(_));
    if !errors
        .iter()
        .any(|error| holds_key(&error.to_string()) || holds_key(&format!("{error:?}")))
    {
        return None;
    }
    let causes = errors.iter().rev().fold(None, |cause: Option<Box<CleanCause>>, error| {
        let message = without_keys(&error.to_string()).into_owned();
        Some(Box::new(CleanCause { message, cause }))
    });
    causes.map(|cause| *cause)
}

/// Compares message and retry advice, and ignores the source.
impl PartialEq for ModelError {
    fn eq(&self, other: &Self) -> bool {
        (&self.message, self.retryable, self.retry_after, self.too_long)
            == (&other.message, other.retryable, other.retry_after, other.too_long)
    }
}
