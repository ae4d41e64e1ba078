//! Checkpoints: values that a function saves for later attempts of its task.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::{ToolContext, ToolError, ToolErrorKind, context::outside_of_a_manager, is_too_deep, to_json, too_deep};

impl ToolContext {
    /// Latest [saved](Self::save_checkpoint) checkpoint of the task: of this attempt or an earlier one, also in an earlier process.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Arc<Value>> {
        self.host()?.checkpoint()
    }

    /// Saves a value for later attempts of this task, and returns when the session's journal has it. The latest value counts.
    ///
    /// After a restart of the process, a later attempt reads it with [`checkpoint`](Self::checkpoint): a place in a long list, or the id of
    /// a job elsewhere. If the tool has a [reconciler](super::Reconciler), a task with a checkpoint goes to it, whatever its effect: the
    /// [`LostTask`](super::LostTask) has the checkpoint in its context.
    ///
    /// The value is lost with the process for a task that has no place in a journal: one that the host or another task submitted.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError};
    /// use serde_json::json;
    ///
    /// # async fn send_mail(_to: usize) {}
    /// /// Sends a newsletter to all readers.
    /// #[async_tool(effect = "idempotent")]
    /// async fn send_newsletter(readers: usize, #[inject] cx: ToolContext) -> Result<usize, ToolError> {
    ///     let begin = cx.checkpoint().and_then(|sent| sent.as_u64()).unwrap_or(0) as usize;
    ///     for reader in begin..readers {
    ///         send_mail(reader).await;
    ///         cx.save_checkpoint(reader + 1).await?;
    ///     }
    ///     Ok(readers - begin)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![send_newsletter]).build()?;
    /// # let call = ToolCall::new("call_1", "send_newsletter", json!({"readers": 3}));
    /// # let task = manager.submit(&SessionId::new("example"), call)?;
    /// # assert_eq!(task.outcome().await.outcome.value(), Some(&json!(3)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::Internal`] outside of a manager, on a worker of a [`Backend`](crate::backend::Backend), and for a value that JSON or
    /// a journal can't hold. [`ToolErrorKind::Cancelled`] if the session has stopped.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the value may be saved or not.
    pub async fn save_checkpoint(&self, value: impl Serialize) -> Result<(), ToolError> {
        let host = self.host().cloned().ok_or_else(outside_of_a_manager)?;
        let value = to_json(&value).map_err(|error| ToolError::from_error(error).with_kind(ToolErrorKind::Internal))?;
        if is_too_deep(&value) {
            return Err(ToolError::new(ToolErrorKind::Internal, too_deep("the checkpoint")));
        }
        host.save_checkpoint(Arc::new(value)).await
    }
}
