//! A task below another task.

use std::{fmt, sync::Arc};

use serde::de::DeserializeOwned;

use super::{AsyncTaskResult, TaskCell, TaskHandle, TaskId, TaskOutcome};
use crate::tool::{Suspension, TaskHost, ToolError, ToolErrorKind};

/// A task that another task has submitted, with [`ToolContext::submit_tool`](crate::ToolContext::submit_tool).
///
/// It lives no longer than its owner: dropping this cancels it.
#[must_use = "dropping a child task cancels it"]
pub struct ChildTask {
    handle: TaskHandle,
    parent: Arc<TaskCell>,
    host: Arc<dyn TaskHost>,
    is_detached: bool,
}

impl ChildTask {
    pub(crate) fn new(handle: TaskHandle, parent: Arc<TaskCell>, host: Arc<dyn TaskHost>) -> Self {
        Self {
            handle,
            parent,
            host,
            is_detached: false,
        }
    }

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
        let suspension = Suspension::begin(Arc::clone(&self.host), Arc::clone(&self.parent));
        let result = self.handle.outcome().await;
        suspension.end().await;
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
