//! Errors of tools.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kind of a tool's failure.
///
/// "Nothing ran" refers to the call that failed. A tool that made this call has run. If it returns the error as its own, it fails as
/// [`Failed`](Self::Failed), or as [`Unavailable`](Self::Unavailable) where there was no room.
///
/// ```
/// use async_tool_runtime::{ToolError, ToolErrorKind};
///
/// fn advice(error: &ToolError) -> &'static str {
///     match error.kind() {
///         ToolErrorKind::InvalidArguments | ToolErrorKind::UnknownTool => "the model must correct its call",
///         ToolErrorKind::Timeout | ToolErrorKind::Unavailable | ToolErrorKind::Overloaded => "another try can help",
///         ToolErrorKind::Unknown => "the work may have been done",
///         _ => "read the message",
///     }
/// }
///
/// assert_eq!(advice(&ToolError::new(ToolErrorKind::Timeout, "30 s have passed")), "another try can help");
/// assert_eq!(advice(&ToolError::failed("no such city")), "read the message");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// A service that the tool needs can't be reached now.
    Unavailable,
    /// There is no room for the task now. Nothing ran.
    Overloaded,
    /// An equal call is still open. Nothing ran. The open call may even wait for this one; the message then names the circle.
    Duplicate,
    /// The host refused to approve the call. Nothing ran.
    Refused,
    /// The task was told to stop.
    Cancelled,
    /// The work may or may not have been done.
    Unknown,
    /// The library or the host is at fault, not the tool or the model.
    Internal,
}

impl ToolErrorKind {
    /// Kind in lower case, as it is serialised.
    ///
    /// ```
    /// use async_tool_runtime::ToolErrorKind;
    ///
    /// assert_eq!(ToolErrorKind::InvalidArguments.as_str(), "invalid_arguments");
    /// assert_eq!(serde_json::to_string(&ToolErrorKind::Timeout)?, "\"timeout\"");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
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

    /// True if another try can help, unless the error says otherwise.
    const fn is_retryable(self) -> bool {
        matches!(self, Self::Timeout | Self::Unavailable | Self::Overloaded)
    }
}

impl fmt::Display for ToolErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Failure of a tool: a kind, a message for operators, and a message for the model.
///
/// `message` is for logs and may hold details such as paths; the model reads only `model_message`. Of an error that a tool returns, the
/// model reads the displayed text. Of an error that the library makes (a panic, an internal error), it reads no details.
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
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ToolError(Box<Inner>);

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
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
    /// Name of the tool whose call ended with this error, if a call has.
    #[serde(skip)]
    call: Option<Arc<str>>,
}

impl ToolError {
    /// Error of this kind. The model reads the same message, unless [`with_model_message`](Self::with_model_message) sets another.
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
            call: None,
        }))
    }

    /// Error of kind [`ToolErrorKind::Failed`].
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ToolErrorKind::Failed, message)
    }

    /// Error of kind [`ToolErrorKind::Failed`] that keeps `error` as its [original](Self::original). The model reads its displayed text.
    ///
    /// ```
    /// use async_tool_runtime::ToolError;
    /// use std::io;
    ///
    /// let error = ToolError::from_error(io::Error::new(io::ErrorKind::NotFound, "no file named notes.txt"));
    /// assert_eq!(error.model_message(), "no file named notes.txt");
    ///
    /// let original = error.original().and_then(|original| original.downcast_ref::<io::Error>());
    /// assert_eq!(original.map(io::Error::kind), Some(io::ErrorKind::NotFound));
    /// ```
    #[must_use]
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        let mut inner = Self::failed(error.to_string());
        inner.0.source = Some(error.into());
        inner
    }

    /// Sets the kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ToolErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Sets the message for the model.
    #[must_use]
    pub fn with_model_message(mut self, message: impl Into<String>) -> Self {
        self.0.model_message = Some(message.into());
        self
    }

    /// Sets if another try can help. Default: by kind; `Timeout`, `Unavailable` and `Overloaded` are retryable.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// Says that the work was not even started, so another try can't do it twice. Makes the error retryable.
    ///
    /// A tool whose effect is [`Effect::Once`](crate::tool::Effect::Once) is retried only after such an error.
    ///
    /// It applies to one call. A tool that returns the error of a [nested call](crate::tool::ToolContext::call_tool) has itself started, so the
    /// library takes the mark off. A tool that has really done nothing sets it again.
    ///
    /// ```
    /// use async_tool_runtime::{ToolError, ToolErrorKind};
    ///
    /// let error = ToolError::new(ToolErrorKind::Failed, "no connection, so no mail was sent").with_not_started();
    /// assert!(error.not_started() && error.retryable());
    /// ```
    #[must_use]
    pub fn with_not_started(mut self) -> Self {
        self.0.not_started = true;
        self.0.call = None;
        self.with_retryable(true)
    }

    /// Sets the least pause before another try. Makes the error retryable, unless [`with_retryable`](Self::with_retryable) has said otherwise.
    ///
    /// ```
    /// use async_tool_runtime::ToolError;
    /// use std::time::Duration;
    ///
    /// let error = ToolError::failed("too many requests").with_retry_after(Duration::from_secs(30));
    /// assert!(error.retryable());
    /// assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    /// ```
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self.0.retryable.get_or_insert(true);
        self
    }

    /// Same error in other words. Drops the source, because it repeats the old words.
    pub(crate) fn reworded(&self, reword: impl Fn(&str) -> String) -> Self {
        let Inner {
            message, model_message, ..
        } = &*self.0;
        Self(Box::new(Inner {
            message: reword(message),
            model_message: model_message.as_deref().map(&reword),
            source: None,
            call: self.0.call.clone(),
            ..*self.0
        }))
    }

    /// Marks the error as the outcome of a call of `tool`. The caller sees it unchanged. If the caller is a tool that returns it as its own,
    /// [`of_caller`](Self::of_caller) converts it.
    pub(crate) fn of_call(mut self, tool: &Arc<str>) -> Self {
        self.0.call = Some(Arc::clone(tool));
        self
    }

    /// Converts the error of a nested call to the error of the tool that returned it. That tool has itself run, whatever its call did.
    pub(crate) fn of_caller(mut self) -> Self {
        let Some(tool) = self.0.call.take() else { return self };
        let kind = match self.0.kind {
            ToolErrorKind::Overloaded => ToolErrorKind::Unavailable,
            ToolErrorKind::InvalidArguments
            | ToolErrorKind::UnknownTool
            | ToolErrorKind::Duplicate
            | ToolErrorKind::Refused => ToolErrorKind::Failed,
            kind => kind,
        };
        if kind == self.0.kind && !self.0.not_started {
            return self;
        }
        if self.0.kind == ToolErrorKind::Refused {
            // A refusal is an answer, and no sign of ill health.
            self.0.retryable.get_or_insert(false);
        }
        self.0.kind = kind;
        self.0.not_started = false;
        // The words address the caller of `tool`; the new reader has called another tool.
        let reword = |said: &str| format!("its call of `{tool}` failed: {said}");
        self.0.model_message = self.0.model_message.as_deref().map(reword);
        self.0.message = reword(&self.0.message);
        self
    }

    /// Kind of failure.
    #[must_use]
    pub fn kind(&self) -> ToolErrorKind {
        self.0.kind
    }

    /// Message for operators.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Message for the model.
    #[must_use]
    pub fn model_message(&self) -> &str {
        self.0.model_message.as_deref().unwrap_or(&self.0.message)
    }

    /// True if another try can help.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.0.retryable.unwrap_or_else(|| self.0.kind.is_retryable())
    }

    /// True if the error says that another try can't help.
    pub(crate) fn is_definite(&self) -> bool {
        self.0.retryable == Some(false)
    }

    /// True if the error says that the work was not even started.
    #[must_use]
    pub fn not_started(&self) -> bool {
        self.0.not_started
    }

    /// Error that this one was made [from](Self::from_error), for hosts that look for a certain type.
    ///
    /// [`source`](Error::source) returns the source of the original instead, because the message already has the original's text. `None` once
    /// the error has been serialised and read again.
    #[must_use]
    pub fn original(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// Least pause before another try, if the error says so.
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
        // The message already has the text of the original; only its own source is new.
        self.0.source.as_deref().and_then(Error::source)
    }
}

/// Equal if kind, messages and retry advice are equal; the source, which isn't serialised, doesn't count.
impl PartialEq for ToolError {
    fn eq(&self, other: &Self) -> bool {
        let key = |error: &Self| (error.kind(), error.retryable(), error.retry_after());
        key(self) == key(other) && self.message() == other.message() && self.model_message() == other.model_message()
    }
}

impl Eq for ToolError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn call_of_ship(error: ToolError) -> ToolError {
        error.of_call(&Arc::from("ship"))
    }

    #[test]
    fn a_host_finds_the_error_it_was_made_from_and_what_lies_below_that() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no number")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let below = "x".parse::<u8>().unwrap_err();
        let error = ToolError::from_error(Outer(below.clone()));
        assert_eq!(error.message(), "no number");
        assert!(error.original().is_some_and(|original| original.is::<Outer>()));
        assert_eq!(error.source().and_then(|below| below.downcast_ref()), Some(&below));
        assert!(ToolError::failed("no").original().is_none());
    }

    #[test]
    fn the_error_of_a_call_never_says_that_its_caller_did_not_run() {
        use ToolErrorKind::{
            Cancelled, Duplicate, Failed, Internal, InvalidArguments, Overloaded, Panicked, Refused, Timeout,
            Unavailable, Unknown, UnknownTool,
        };
        for (kind, of_caller) in [
            (Failed, Failed),
            (InvalidArguments, Failed),
            (UnknownTool, Failed),
            (Timeout, Timeout),
            (Panicked, Panicked),
            (Unavailable, Unavailable),
            (Overloaded, Unavailable),
            (Duplicate, Failed),
            (Refused, Failed),
            (Cancelled, Cancelled),
            (Unknown, Unknown),
            (Internal, Internal),
        ] {
            let own = ToolError::new(kind, "words");
            assert_eq!(own.clone().of_caller(), own, "{kind}: it is no error of a call");
            let error = call_of_ship(own.clone());
            assert_eq!(error, own, "{kind}: the caller sees the error of its call unchanged");
            let returned = error.of_caller();
            assert_eq!(returned.kind(), of_caller);
            assert_eq!(returned.retryable(), own.retryable(), "{kind}");
            assert_eq!(returned == own, kind == of_caller, "{kind}: {returned:?}");
            assert_eq!(returned.is_definite(), kind == Refused, "{kind}");
            let not_started = own.with_not_started().with_retry_after(Duration::from_secs(7));
            let returned = call_of_ship(not_started).of_caller();
            assert!(!returned.not_started() && returned.retryable(), "{kind}");
            assert_eq!(returned.retry_after(), Some(Duration::from_secs(7)));
        }
    }

    #[test]
    fn a_tool_whose_call_failed_can_say_itself_that_it_has_done_nothing() {
        let error = call_of_ship(ToolError::new(ToolErrorKind::Unavailable, "down"));
        assert!(error.with_not_started().of_caller().not_started());
    }

    #[test]
    fn the_error_of_a_call_says_whose_it_was_to_operators_and_models() {
        let error = ToolError::from_error("disk full")
            .with_kind(ToolErrorKind::Overloaded)
            .with_model_message("no room");
        let returned = call_of_ship(error).of_caller();
        assert_eq!(returned.message(), "its call of `ship` failed: disk full");
        assert_eq!(returned.model_message(), "its call of `ship` failed: no room");
    }
}
