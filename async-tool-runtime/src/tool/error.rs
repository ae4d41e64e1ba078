//! How a tool fails.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ToolErrorKind {
    /// The tool returned an error.
    Failed,
    /// The arguments don't fit the tool's schema. Nothing ran.
    InvalidArguments,
    /// There is no tool of that name. Nothing ran.
    UnknownTool,
    /// The tool ran past its timeout.
    Timeout,
    /// The tool panicked.
    Panicked,
    /// Something the tool needs can't be reached now.
    Unavailable,
    /// There is no room for the task now. Nothing ran.
    Overloaded,
    /// The same call is still open. Nothing ran.
    Duplicate,
    /// The host was asked whether the call may run, and said no. Nothing ran.
    Refused,
    /// The task was told to stop.
    Cancelled,
    /// Nobody can say whether the work was done.
    Unknown,
    /// The library or the host is at fault, not the tool or the model.
    Internal,
}

impl ToolErrorKind {
    /// The kind in lower case, as it is serialised.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::InvalidArguments => "invalid_arguments",
            Self::UnknownTool => "unknown_tool",
            Self::Timeout => "timeout",
            Self::Panicked => "panicked",
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
            Self::Internal => "internal",
        }
    }

    /// Whether another try can help, unless the error says otherwise.
    const fn is_retryable(self) -> bool {
        matches!(self, Self::Timeout | Self::Unavailable | Self::Overloaded)
    }
}

impl fmt::Display for ToolErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The failure of a tool: a kind, a message for operators, and a message for the model.
///
/// `message` is for logs and may hold detail such as paths; `model_message` is all that the model reads. What a tool
/// returns as `Err` is shown to the model as it displays itself; kinds the library makes (a panic, an internal error)
/// are shown without detail.
///
/// A tool may return its own error type, or a `ToolError` to say more:
///
/// ```
/// use async_tool_runtime::{ToolError, ToolErrorKind};
/// use std::time::Duration;
///
/// let error = ToolError::new(ToolErrorKind::Unavailable, "connect to 10.0.0.7:5432: refused")
///     .with_model_message("the database is down")
///     .with_retry_after(Duration::from_secs(30));
/// assert!(error.retryable());
/// assert_eq!(error.model_message(), "the database is down");
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToolError(Box<Inner>);

#[derive(Clone, Serialize, Deserialize)]
struct Inner {
    kind: ToolErrorKind,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<Duration>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    not_started: bool,
    #[serde(skip)]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ToolError {
    /// An error of this kind. The model reads the same message unless [`with_model_message`](Self::with_model_message)
    /// says otherwise.
    #[must_use]
    pub fn new(kind: ToolErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            model_message: None,
            retryable: None,
            retry_after: None,
            not_started: false,
            source: None,
        }))
    }

    /// An error of kind [`ToolErrorKind::Failed`].
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ToolErrorKind::Failed, message)
    }

    /// An error of kind [`ToolErrorKind::Failed`] that keeps `error` as its source and shows the model what it displays.
    #[must_use]
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        let mut inner = Self::failed(error.to_string());
        inner.0.source = Some(error.into());
        inner
    }

    /// The same error as another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ToolErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What the model reads instead of the message.
    #[must_use]
    pub fn with_model_message(mut self, message: impl Into<String>) -> Self {
        self.0.model_message = Some(message.into());
        self
    }

    /// Whether another try can help. Default: by kind; `Timeout`, `Unavailable` and `Overloaded` are retryable.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// The work was not even started, so that another try can't do it twice: a tool whose effect is
    /// [`Effect::Once`](crate::Effect::Once) is tried again only after such an error. The error is retryable.
    #[must_use]
    pub fn with_not_started(mut self) -> Self {
        self.0.not_started = true;
        self.with_retryable(true)
    }

    /// Another try can help, but not before this long from now.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self.0.retryable.get_or_insert(true);
        self
    }

    /// The same error in other words. What caused it is left out, because it says the same in the old ones.
    pub(crate) fn reworded(&self, reword: impl Fn(&str) -> String) -> Self {
        let Inner {
            message, model_message, ..
        } = &*self.0;
        Self(Box::new(Inner {
            message: reword(message),
            model_message: model_message.as_deref().map(&reword),
            source: None,
            ..*self.0
        }))
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> ToolErrorKind {
        self.0.kind
    }

    /// The message for operators.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The message for the model.
    #[must_use]
    pub fn model_message(&self) -> &str {
        self.0.model_message.as_deref().unwrap_or(&self.0.message)
    }

    /// Whether another try can help.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.0.retryable.unwrap_or_else(|| self.0.kind.is_retryable())
    }

    /// Whether the error says that another try can't help.
    pub(crate) fn is_definite(&self) -> bool {
        self.0.retryable == Some(false)
    }

    /// Whether the error says that the work was not even started.
    #[must_use]
    pub fn not_started(&self) -> bool {
        self.0.not_started
    }

    /// How long to wait before another try, if the error says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ToolError");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(model_message) = &self.0.model_message {
            out.field("model_message", model_message);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish_non_exhaustive()
    }
}

impl Error for ToolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The message already repeats the source itself; what lies below it is new.
        self.0.source.as_deref().and_then(Error::source)
    }
}

/// Equal where kind, messages and retry advice are; the source, which isn't serialised, doesn't count.
impl PartialEq for ToolError {
    fn eq(&self, other: &Self) -> bool {
        let key = |error: &Self| (error.kind(), error.retryable(), error.retry_after());
        key(self) == key(other) && self.message() == other.message() && self.model_message() == other.model_message()
    }
}

impl Eq for ToolError {}
