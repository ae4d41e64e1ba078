//! Child task: a task that another task has submitted.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{TaskCell, TaskHandle, record_of};
use crate::{
    id::TaskId,
    policy::canonical,
    task::{AsyncTaskResult, TaskOutcome},
    tool::{ToolCall, ToolContext, ToolError, ToolErrorKind, outside_of_a_manager, to_json},
};

/// Child task: a task that another task has submitted with
/// [`ToolContext::submit_tool`](crate::tool::ToolContext::submit_tool).
///
/// It ends with its parent at the latest: dropping this value cancels it.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError, async_tool, tools};
/// use serde_json::json;
///
/// /// Counts the words of a text.
/// #[async_tool(effect = "read")]
/// async fn count_words(text: String) -> usize {
///     text.split_whitespace().count()
/// }
///
/// /// Counts the words of two texts, side by side.
/// #[async_tool(effect = "read")]
/// async fn count_both(one: String, two: String, #[inject] cx: ToolContext) -> Result<usize, ToolError> {
///     let one = cx.submit_tool("count_words", json!({"text": one}))?;
///     let two = cx.submit_tool("count_words", json!({"text": two}))?;
///     Ok(one.value::<usize>().await? + two.value::<usize>().await?)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![count_words, count_both]).build()?;
/// let call = ToolCall::new("call_1", "count_both", json!({"one": "to be", "two": "or not to be"}));
/// let task = manager.submit(&SessionId::new("example"), call)?;
/// assert_eq!(task.outcome().await.outcome.value(), Some(&json!(6)));
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a child task cancels it"]
pub struct ChildTask {
    handle: TaskHandle,
    parent: Arc<TaskCell>,
    is_detached: bool,
}

impl ChildTask {
    /// Id of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.handle.id()
    }

    /// Waits until the task has ended, and returns its result. The parent holds no slot meanwhile.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the outcome stays with the task.
    pub async fn outcome(&self) -> Arc<AsyncTaskResult> {
        if let Some(result) = self.handle.result() {
            return result;
        }
        let suspension = self.parent.suspend();
        let result = self.handle.outcome().await;
        if let Some(suspension) = suspension {
            suspension.end().await;
        }
        result
    }

    /// Waits until the task has ended, and returns its value as a `T`.
    ///
    /// # Errors
    ///
    /// The task's error; [`ToolErrorKind::Internal`] if the value isn't a `T`; [`ToolErrorKind::Cancelled`] if the task
    /// was cancelled; [`ToolErrorKind::Unknown`] if its outcome is unknown.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the task.
    pub async fn value<T: DeserializeOwned>(self) -> Result<T, ToolError> {
        let result = self.outcome().await;
        match &result.outcome {
            TaskOutcome::Completed(value) => T::deserialize(&*result.whole_value().unwrap_or(Cow::Borrowed(value)))
                .map_err(|error| {
                    ToolError::new(
                        ToolErrorKind::Internal,
                        format!("the value of `{}` can't be read: {error}", result.tool),
                    )
                    .with_model_message("the tool is not set up correctly")
                }),
            TaskOutcome::Failed(error) => Err(error.clone()),
            TaskOutcome::Cancelled(reason) => Err(ToolError::new(ToolErrorKind::Cancelled, reason.clone())),
            TaskOutcome::Unknown(why) => Err(ToolError::new(ToolErrorKind::Unknown, why.clone())),
        }
    }

    /// Tells the task to stop, with a reason.
    pub fn cancel(&self, reason: impl Into<String>) {
        self.handle.cancel(reason);
    }

    /// Detaches the task, which may then outlive its parent.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, TaskId, TaskStatus, ToolCall, ToolContext, ToolError, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Sends a report.
    /// # #[async_tool]
    /// # async fn send_report() {}
    /// #
    /// /// Starts to send the report, and returns the id of that task.
    /// #[async_tool]
    /// async fn start_report(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    ///     let report = cx.submit_tool("send_report", json!({}))?.detach();
    ///     Ok(report.id().to_string())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![send_report, start_report]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "start_report", json!({})))?;
    /// let id: TaskId = task.outcome().await.outcome.value().and_then(|id| id.as_str()).unwrap().parse()?;
    /// let report = manager.task(id).unwrap().outcome().await;
    /// assert_eq!(report.status(), TaskStatus::Completed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn detach(mut self) -> TaskHandle {
        self.is_detached = true;
        self.parent.release_child(self.handle.cell());
        self.handle.clone()
    }
}

impl ToolContext {
    /// Calls another tool of the manager and waits for its value as a `T`; [`Value`](serde_json::Value) takes any. The
    /// call is a child task of this one. It has the policies of its tool, and its result comes here and not to the
    /// model.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Counts the words of a text.
    /// # #[async_tool(effect = "read")]
    /// # async fn count_words(text: String) -> usize {
    /// #     text.split_whitespace().count()
    /// # }
    /// #
    /// /// Estimates the minutes that it takes to read a text.
    /// #[async_tool(effect = "read")]
    /// async fn reading_time(text: String, #[inject] cx: ToolContext) -> Result<usize, ToolError> {
    ///     let words: usize = cx.call_tool("count_words", json!({"text": text})).await?;
    ///     Ok(words.div_ceil(200))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![count_words, reading_time]).build()?;
    /// let call = ToolCall::new("call_1", "reading_time", json!({"text": "to be or not to be"}));
    /// let task = manager.submit(&SessionId::new("example"), call)?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!(1)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The [idempotency key](Self::idempotency_key) of the call comes from this task's key, the number of the call in
    /// this attempt, the tool and the arguments. So a retry that makes the same call again uses the same key.
    ///
    /// This task gives its slot away while it waits, so that tasks that wait for each other can't fill the manager. Run
    /// calls side by side with `tokio::join!`.
    ///
    /// # Errors
    ///
    /// The tool's error. Also if the tool is unknown, the arguments don't fit, the manager is full, or this task runs
    /// outside of a manager. [`ToolErrorKind::Duplicate`] if the call would wait for itself: it would share the run of an
    /// equal call that waits for this task.
    ///
    /// The error describes the call, including whether the call [was started](ToolError::not_started). A tool that
    /// returns it as its own error doesn't claim that the tool itself did nothing; see [`ToolError::with_not_started`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call. This task goes on at once, [even if no slot is
    /// free](crate::manager::AsyncToolManagerBuilder::concurrency).
    pub async fn call_tool<T: DeserializeOwned>(&self, name: &str, arguments: impl Serialize) -> Result<T, ToolError> {
        self.submit_tool(name, arguments)?.value().await
    }

    /// Submits a call of another tool and returns at once. The child task is cancelled when the [`ChildTask`] is
    /// dropped or this task ends, unless it is [detached](ChildTask::detach).
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError, async_tool, tools};
    /// # use serde_json::json;
    /// # use std::time::Duration;
    /// #
    /// # /// Asks a slow service.
    /// # #[async_tool(effect = "read")]
    /// # async fn ask_service() -> String {
    /// #     std::future::pending().await
    /// # }
    /// #
    /// /// Asks the service, and gives up after a minute.
    /// #[async_tool(effect = "read")]
    /// async fn ask(#[inject] cx: ToolContext) -> Result<String, ToolError> {
    ///     let service = cx.submit_tool("ask_service", json!({}))?;
    ///     match tokio::time::timeout(Duration::from_secs(60), service.value()).await {
    ///         Ok(answer) => answer,
    ///         Err(_) => Ok("no answer".to_owned()), // The drop of `service` has cancelled the child task.
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![ask_service, ask]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "ask", json!({})))?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("no answer")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`call_tool`](Self::call_tool), except the tool's own. [`ToolErrorKind::Cancelled`] if this task has
    /// ended: a context that was kept can't start tasks.
    pub fn submit_tool(&self, name: &str, arguments: impl Serialize) -> Result<ChildTask, ToolError> {
        let cell = record_of(self)?;
        let manager = cell.manager().ok_or_else(outside_of_a_manager)?;
        let arguments = to_json(&arguments).map_err(|error| {
            ToolError::from_error(error)
                .with_kind(ToolErrorKind::Internal)
                .with_model_message("the arguments of a call below can't be written as JSON")
        })?;
        let key = self
            .idempotency_key()
            .below(self.next_ordinal(), name, &canonical(&arguments));
        let call = ToolCall::new(self.call().clone(), name, arguments);
        let child = manager.submit_child(&cell, call, key).map_err(|refused| {
            let (call, error) = refused.into_parts();
            error.of_call(&call.name)
        })?;
        Ok(ChildTask {
            handle: TaskHandle::new(child),
            parent: cell,
            is_detached: false,
        })
    }
}

impl Drop for ChildTask {
    fn drop(&mut self) {
        if !self.is_detached {
            self.handle.cancel("the task that had submitted it gave it up");
        }
    }
}

impl fmt::Debug for ChildTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildTask").field(&self.handle).finish()
    }
}
