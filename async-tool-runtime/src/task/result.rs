//! Record of an ended task.

use std::{borrow::Cow, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ResultPreview, TaskOutcome, TaskSpec, TaskStatus, Timing};
use crate::{
    content::{Content, ContentError, Media, StoredMedia, restore_media, take_media},
    id::{TaskId, TaskNo},
    session::SessionId,
    tool::{Arguments, CallId, ToolError, ToolErrorKind},
};

/// Record of an ended task: its call, its outcome and its times.
///
/// Complete in itself, because the reader may no longer have the call at hand.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// # use serde_json::json;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// let task = manager.submit(&SessionId::new("s"), call)?;
/// let result = task.outcome().await;
///
/// assert_eq!((&*result.tool, result.call.as_str()), ("add", "call_1"));
/// assert_eq!(result.arguments["a"], 2);
/// assert_eq!(result.outcome.value(), Some(&json!(5)));
/// println!("{} took {:?}", result.tool, result.timing.elapsed());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AsyncTaskResult {
    /// The task.
    pub task: TaskId,
    /// Number of the task in the session, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<TaskNo>,
    /// The conversation that made the call; it receives the result.
    pub session: SessionId,
    /// The task that submitted this one, or the task that its agent works for as a tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The provider's id of the call.
    pub call: CallId,
    /// Name of the tool.
    pub tool: Arc<str>,
    /// The arguments as the model sent them.
    pub arguments: Arguments,
    /// Outcome of the task, always whole.
    pub outcome: TaskOutcome,
    /// Images, sounds and files of the value, in the order of their numbers in it. The value has a description of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<StoredMedia>")]
    pub media: Vec<Media>,
    /// Times of acceptance, start and end.
    pub timing: Timing,
    /// Number of times the tool was started; 0 if it never ran.
    pub attempts: u32,
    /// Preview that the model sees in place of a result that is too large; `None` if the model sees the whole result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Box<ResultPreview>>,
    /// True if a secret in the outcome was replaced before the record was written to a journal.
    ///
    /// Only records read from a journal have it. Such an outcome is incomplete; don't compute with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// W3C `traceparent` of the task's span, if the manager has a [propagator](crate::manager::TracePropagator).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<Arc<str>>,
}

impl AsyncTaskResult {
    /// Creates the record of an ended task, for hosts that run tasks themselves.
    #[must_use]
    pub fn new(spec: &TaskSpec, mut outcome: TaskOutcome, timing: Timing, attempts: u32) -> Self {
        let media = match &mut outcome {
            TaskOutcome::Completed(value) => take_media(value),
            TaskOutcome::Failed(_) | TaskOutcome::Cancelled(_) | TaskOutcome::Unknown(_) => Vec::new(),
        };
        if let Some(error) = refusal(&media) {
            return Self::new(spec, TaskOutcome::Failed(error), timing, attempts);
        }
        Self {
            task: spec.task,
            number: spec.number,
            session: spec.session.clone(),
            parent: spec.parent,
            call: spec.call.id.clone(),
            tool: Arc::clone(&spec.call.name),
            arguments: spec.call.arguments.clone(),
            outcome,
            media,
            timing,
            attempts,
            preview: None,
            redacted: false,
            traceparent: None,
        }
    }

    /// Limits what the model sees of the outcome to `bytes` bytes of JSON.
    ///
    /// Of a larger value, the model sees a [`preview`](Self::preview): the beginning, the size of the whole, and the name under which
    /// it is kept. The message of a failure is cut likewise. The outcome itself stays whole.
    ///
    /// Only the value or message counts towards the limit; the call, the arguments and the times don't.
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

    /// As [`with_limit`](Self::with_limit), in place.
    pub(crate) fn limit(&mut self, bytes: usize) {
        self.preview = self.preview_within(bytes).map(Box::new);
    }

    /// Preview for a limit of `bytes` bytes of JSON; `None` if the outcome is within it.
    pub(crate) fn preview_within(&self, bytes: usize) -> Option<ResultPreview> {
        let handle = || {
            self.number
                .map_or_else(|| self.task.to_string(), |number| number.to_string())
        };
        match &self.outcome {
            TaskOutcome::Completed(value) => ResultPreview::of_value(value, bytes, handle),
            TaskOutcome::Failed(error) => ResultPreview::of_text(error.model_message(), bytes, handle),
            TaskOutcome::Cancelled(text) | TaskOutcome::Unknown(text) => ResultPreview::of_text(text, bytes, handle),
        }
    }

    /// The record with a smaller preview; `None` if that saves nothing.
    pub(crate) fn cut(&self, bytes: usize) -> Option<Self> {
        let shown = match &self.preview {
            Some(known) => known.text.len(),
            None => self.preview_within(bytes)?.bytes.saturating_sub(ResultPreview::AROUND),
        };
        let preview = self.preview_within(bytes).filter(|_| shown > bytes)?;
        let preview = Some(Box::new(preview));
        Some(Self {
            preview,
            ..self.clone()
        })
    }

    /// The outcome's value as the model sees it.
    pub(crate) fn shown_value<'a>(&self, value: &'a Value) -> Cow<'a, Value> {
        let preview = self.preview.as_ref();
        preview.map_or(Cow::Borrowed(value), |preview| Cow::Owned(preview.to_model_json()))
    }

    /// The outcome's error as the model sees it.
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

    /// The outcome's message as the model sees it.
    pub(crate) fn shown_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let preview = self.preview.as_ref();
        preview.map_or(Cow::Borrowed(text), |preview| Cow::Owned(preview.to_model_text()))
    }

    /// The value that the tool returned, with its media in it; `None` for any other outcome.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     AsyncTaskResult, SessionId, TaskOutcome, ToolCall,
    ///     content::Media,
    ///     task::{TaskSpec, Timestamp, Timing},
    /// };
    /// use serde_json::json;
    ///
    /// # let now = Timestamp::from_millis(0);
    /// # let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "draw", json!({})));
    /// let outcome = TaskOutcome::Completed(json!([Media::bytes("image/png", [1])]));
    /// let result = AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 1);
    /// assert_eq!(result.outcome.value(), Some(&json!([{"media": 1, "type": "image/png", "bytes": 1}])));
    /// let whole = result.whole_value().expect("the tool returned a value");
    /// let images: Vec<Media> = serde_json::from_value(whole.into_owned())?;
    /// assert_eq!(images, result.media);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn whole_value(&self) -> Option<Cow<'_, Value>> {
        let value = self.outcome.value()?;
        if self.media.is_empty() {
            return Some(Cow::Borrowed(value));
        }
        let mut whole = value.clone();
        restore_media(&mut whole, &self.media);
        Some(Cow::Owned(whole))
    }

    /// Terminal status of the task.
    #[must_use]
    pub const fn status(&self) -> TaskStatus {
        self.outcome.status()
    }
}

/// Error in place of a value with more bytes of media than a message can hold.
fn refusal(media: &[Media]) -> Option<ToolError> {
    let bytes: u64 = media
        .iter()
        .filter_map(|media| media.as_bytes())
        .map(|bytes| bytes.len() as u64)
        .sum();
    (bytes > Content::MAX_BYTES).then(|| {
        let error = ContentError::TooLarge { bytes };
        ToolError::new(ToolErrorKind::Internal, format!("the result can't be kept: {error}")).with_retryable(false)
    })
}
