//! A task below another task.

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{TaskCell, TaskHandle, record_of};
use crate::{
    id::TaskId,
    policy::canonical,
    task::{AsyncTaskResult, TaskOutcome},
    tool::{ToolCall, ToolContext, ToolError, ToolErrorKind, outside_of_a_manager},
};

/// A task that another task has submitted, with [`ToolContext::submit_tool`](crate::tool::ToolContext::submit_tool).
///
/// It lives no longer than its owner: dropping this cancels it.
#[must_use = "dropping a child task cancels it"]
pub struct ChildTask {
    handle: TaskHandle,
    parent: Arc<TaskCell>,
    is_detached: bool,
}

impl ChildTask {
    /// The id of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.handle.id()
    }

    /// Waits until the task has ended, and gives its record. The parent holds no slot meanwhile.
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

    /// Waits until the task has ended, and gives its value, read as a `T`.
    ///
    /// # Errors
    ///
    /// The error the task failed with; [`ToolErrorKind::Internal`] if the value is no `T`; [`ToolErrorKind::Cancelled`] if it was cancelled, [`ToolErrorKind::Unknown`] if nobody can say
    /// how it ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the task.
    pub async fn value<T: DeserializeOwned>(self) -> Result<T, ToolError> {
        let result = self.outcome().await;
        match &result.outcome {
            TaskOutcome::Completed(value) => T::deserialize(value).map_err(|error| {
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

    /// Tells the task to stop, for this reason.
    pub fn cancel(&self, reason: impl Into<String>) {
        self.handle.cancel(reason);
    }

    /// Lets the task live on its own: it may outlive its parent.
    pub fn detach(mut self) -> TaskHandle {
        self.is_detached = true;
        self.parent.release_child(self.handle.cell());
        self.handle.clone()
    }
}

impl ToolContext {
    /// Calls another tool of the manager and waits for its value, read as a `T`; [`Value`](serde_json::Value) takes any. The call is a task of its own, below this one: it has the policies
    /// of its tool, and its result comes here and not to the model.
    ///
    /// If this task is tried again, a call that it makes again (as the same of its calls, with the same arguments) has the same
    /// [idempotency key](Self::idempotency_key) again.
    ///
    /// While this waits, the task gives its slot away, so that tasks that wait for each other can't fill the manager. Run calls side by
    /// side with `tokio::join!`.
    ///
    /// # Errors
    ///
    /// The tool's error; also if there is no such tool, the arguments don't fit, the manager is full, or the task runs outside of a manager.
    ///
    /// It says what became of the call, also whether that [was started](ToolError::not_started). A tool that returns it as its own error
    /// doesn't say by that that it has itself done nothing; see [`ToolError::with_not_started`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call, and this task goes on at once, [whether there is a slot or not](crate::manager::AsyncToolManagerBuilder::concurrency).
    pub async fn call_tool<T: DeserializeOwned>(&self, name: &str, arguments: impl Serialize) -> Result<T, ToolError> {
        self.submit_tool(name, arguments)?.value().await
    }

    /// Submits a call of another tool, and goes on. The task below ends with this one at the latest: when the [`ChildTask`] is dropped or
    /// this task ends, it is cancelled, unless it has been [detached](ChildTask::detach).
    ///
    /// # Errors
    ///
    /// As for [`call_tool`](Self::call_tool), except the tool's own; [`ToolErrorKind::Cancelled`] if this task has ended: what has kept
    /// its context can start nothing more.
    pub fn submit_tool(&self, name: &str, arguments: impl Serialize) -> Result<ChildTask, ToolError> {
        let cell = record_of(self)?;
        let manager = cell.manager().ok_or_else(outside_of_a_manager)?;
        let arguments = serde_json::to_value(arguments).map_err(|error| {
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
