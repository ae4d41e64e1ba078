//! Attempt of a task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, tool::ToolError};

/// One run of a task's function. A retry is a further attempt.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// use async_tool_runtime::{ToolContext, ToolError, ToolErrorKind};
/// use serde_json::json;
///
/// /// Answers at the second attempt.
/// #[async_tool(effect = "read", retry(attempts = 2, backoff = "1ms..5ms"))]
/// async fn look_up(word: String, #[inject] cx: ToolContext) -> Result<String, ToolError> {
///     match cx.attempt() {
///         1 => Err(ToolError::new(ToolErrorKind::Unavailable, "the server is busy")),
///         _ => Ok(word),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![look_up]).build()?;
/// let call = ToolCall::new("call_1", "look_up", json!({"word": "tea"}));
/// let task = manager.submit(&SessionId::new("s"), call)?;
/// task.outcome().await;
/// let attempts = task.snapshot().latest_attempts;
/// assert_eq!(attempts[0].error.as_ref().map(ToolError::message), Some("the server is busy"));
/// assert_eq!((attempts[1].number, attempts[1].error.is_none()), (2, true));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TaskAttempt {
    /// Number of the attempt, from 1. Attempts of earlier processes count.
    pub number: u32,
    /// Start of the attempt.
    pub started: Timestamp,
    /// End of the attempt; `None` while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Error that ended it; `None` while it runs, and if it returned a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ToolError>,
}
