//! The record of a task that has ended.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ResultPreview, TaskOutcome, TaskSpec, TaskStatus, Timing};
use crate::{
    id::{TaskId, TaskNo},
    tool::CallId,
};
use crate::{
    session::SessionId,
    tool::{Arguments, ToolError},
};

/// The record of a task that has ended: what was asked, how it ended, and when.
///
/// It stands on its own, because whoever reads it may be elsewhere by then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AsyncTaskResult {
    /// The task.
    pub task: TaskId,
    /// Its number in the session, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<TaskNo>,
    /// The conversation that asked: where the result goes.
    pub session: SessionId,
    /// The task that had submitted it, where it was a task, or the call that its agent worked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The call that the task carries out.
    pub call: CallId,
    /// The name of the tool.
    pub tool: Arc<str>,
    /// The arguments as the model sent them.
    pub arguments: Arguments,
    /// Its outcome.
    pub outcome: TaskOutcome,
    /// Times of acceptance, start and end.
    pub timing: Timing,
    /// Starts of the tool; 0 if it never ran.
    pub attempts: u32,
    /// Preview that the model is shown in place of a result that is too large; `None` if it is shown all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Box<ResultPreview>>,
    /// True if a part of the outcome was a secret, and was replaced before the record was written down: so it is in a record that comes from a
    /// journal. It must not be worked with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

impl AsyncTaskResult {
    /// The record of a task that ended like this, for hosts that run tasks themselves.
    #[must_use]
    pub fn new(spec: &TaskSpec, outcome: TaskOutcome, timing: Timing, attempts: u32) -> Self {
        Self {
            task: spec.task,
            number: spec.number,
            session: spec.session.clone(),
            parent: spec.parent,
            call: spec.call.id.clone(),
            tool: Arc::clone(&spec.call.name),
            arguments: spec.call.arguments.clone(),
            outcome,
            timing,
            attempts,
            preview: None,
            redacted: false,
        }
    }

    /// The same record, of which the model is shown `bytes` bytes of JSON at most: of a larger value it is shown the beginning, how
    /// large the whole is, and by what name it is kept. The outcome stays whole. What is said of a failure is cut likewise.
    ///
    /// Only the value counts; what goes with it (the call, the arguments, the times) is not in the limit.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     task::{TaskSpec, Timestamp, Timing},
    ///     AsyncTaskResult, SessionId, TaskOutcome, ToolCall,
    /// };
    /// use serde_json::json;
    ///
    /// let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "read_log", json!({})));
    /// let now = Timestamp::from_millis(0);
    /// let outcome = TaskOutcome::Completed(json!("line\n".repeat(1_000)));
    /// let result = AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 1).with_limit(1_024);
    ///
    /// let preview = result.preview.as_ref().expect("it is larger");
    /// assert_eq!(preview.bytes, 6_002); // A line break is two bytes in JSON, and the quotes are two more.
    /// assert!(preview.text.starts_with("line\nline\n") && preview.text.len() < 1_024);
    /// assert_eq!(result.outcome.value(), Some(&json!("line\n".repeat(1_000))));
    /// ```
    #[must_use]
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.limit(bytes);
        self
    }

    /// See [`with_limit`](Self::with_limit).
    pub(crate) fn limit(&mut self, bytes: usize) {
        let handle = || {
            self.number
                .map_or_else(|| self.task.to_string(), |number| number.to_string())
        };
        let preview = match &self.outcome {
            TaskOutcome::Completed(value) => ResultPreview::of_value(value, bytes, handle),
            TaskOutcome::Failed(error) => ResultPreview::of_text(error.model_message(), bytes, handle),
            TaskOutcome::Cancelled(text) | TaskOutcome::Unknown(text) => ResultPreview::of_text(text, bytes, handle),
        };
        self.preview = preview.map(Box::new);
    }

    /// The value of the outcome as the model is shown it.
    pub(crate) fn shown_value<'a>(&self, value: &'a Value) -> Cow<'a, Value> {
        let preview = self.preview.as_ref();
        preview.map_or(Cow::Borrowed(value), |preview| Cow::Owned(preview.to_model_json()))
    }

    /// The error of the outcome as the model is shown it.
    pub(crate) fn shown_error(&self, error: &ToolError) -> Value {
        let mut shown = json!({
            "kind": error.kind(),
            "message": self.shown_text(error.model_message()),
            "retryable": error.retryable(),
        });
        if let Some(after) = error.retry_after() {
            shown["retry_after_ms"] = json!(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        }
        shown
    }

    /// The message of the outcome as the model is shown it.
    pub(crate) fn shown_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let preview = self.preview.as_ref();
        preview.map_or(Cow::Borrowed(text), |preview| Cow::Owned(preview.to_model_text()))
    }

    /// The terminal status of the task.
    #[must_use]
    pub const fn status(&self) -> TaskStatus {
        self.outcome.status()
    }
}
