//! Questions of tasks to people.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tool::Arguments;

/// Question that a task in [`TaskStatus::InputRequired`](crate::task::TaskStatus::InputRequired) waits for.
///
/// The host answers with [`answer`](crate::manager::AsyncToolManager::answer), [`approve`](crate::manager::AsyncToolManager::approve) or
/// [`refuse`](crate::manager::AsyncToolManager::refuse).
///
/// ```
/// use async_tool_runtime::{
///     async_tool, tool::InputRequest, tools, AsyncToolManager, SessionId, TaskStatus, ToolCall, ToolContext, ToolError,
/// };
/// use serde_json::json;
///
/// /// Books a table.
/// #[async_tool]
/// async fn book_table(#[inject] cx: ToolContext) -> Result<String, ToolError> {
///     cx.request("Which room?").await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![book_table]).build()?;
/// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "book_table", json!({})))?;
/// # while task.status() != TaskStatus::InputRequired { tokio::task::yield_now().await; }
/// match task.snapshot().request.unwrap() {
///     InputRequest::Approval { .. } => manager.approve(task.id())?,
///     InputRequest::Input { prompt, schema } => {
///         assert_eq!((&*prompt, &schema["type"]), ("Which room?", &json!("string")));
///         manager.answer(task.id(), "the garden")?;
///     }
///     _ => manager.refuse(task.id(), "unknown question")?,
/// }
/// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("the garden")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum InputRequest {
    /// Asks for approval of the call.
    Approval {
        /// Arguments as the model sent them.
        arguments: Arguments,
    },
    /// Asks a question of the tool's.
    Input {
        /// Question, for people.
        prompt: String,
        /// JSON Schema of the answer.
        schema: Arc<Value>,
    },
}
