//! Control over one task.

use std::{fmt, sync::Arc};

use super::TaskCell;
use crate::{
    id::TaskId,
    manager::run,
    task::{AsyncTaskResult, SendError, TaskAck, TaskSnapshot, TaskSpec, TaskStatus},
};

/// Control over one task, for the host. Cheap to clone; dropping it does nothing to the task.
#[derive(Clone)]
pub struct TaskHandle {
    cell: Arc<TaskCell>,
}

impl TaskHandle {
    pub(crate) const fn new(cell: Arc<TaskCell>) -> Self {
        Self { cell }
    }

    /// The id of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.cell.spec.task
    }

    pub(crate) fn cell(&self) -> &Arc<TaskCell> {
        &self.cell
    }

    /// Current status.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.cell.status()
    }

    /// Current state, as data.
    #[must_use]
    pub fn snapshot(&self) -> TaskSnapshot {
        self.cell.snapshot()
    }

    /// Acknowledgement for the model: the task is accepted, and there is no result yet.
    ///
    /// Its status is the current one, or `Running` if the task has ended since: an acknowledgement never hints at a result.
    #[must_use]
    pub fn ack(&self) -> TaskAck {
        let status = self.status();
        let status = if status.is_terminal() {
            TaskStatus::Running
        } else {
            status
        };
        let TaskSpec { task, number, call, .. } = &self.cell.spec;
        TaskAck::new(*task, *number, Arc::clone(&call.name), call.arguments.clone(), status)
    }

    /// Tells the task to stop, for this reason. A task that waits for a slot ends at once; a running tool sees its token
    /// fire and is dropped after the manager's cancel grace. Does nothing to a task that has ended.
    pub fn cancel(&self, reason: impl Into<String>) {
        if self.cell.is_settled() {
            return;
        }
        self.cell.request_cancel(reason.into());
        self.stop(false);
    }

    /// Ends the task now, and drops its future without a grace time. A function that blocks its thread can't be dropped: it goes on
    /// until it returns, and what it returns is lost.
    pub fn abort(&self, reason: impl Into<String>) {
        self.cell.request_cancel(reason.into());
        self.stop(true);
    }

    fn stop(&self, at_once: bool) {
        if let Some(manager) = self.cell.manager() {
            run::stop_now(&manager, &self.cell, at_once);
        }
    }

    /// Says something to the task's function, which reads it with [`Messages`](crate::tool::Messages). Never waits. A task that waits in the
    /// queue keeps what is sent to it; where calls share one run, that run gets it. At most 64 messages wait to be read.
    ///
    /// `Ok` says that the message was kept, and not that it will be read: a tool may not look, or may end before. Messages that weren't
    /// read are dropped then.
    ///
    /// # Errors
    ///
    /// [`SendError`]: the function has ended, too many messages wait, or the task runs on a backend.
    pub fn send(&self, message: impl Into<String>) -> Result<(), SendError> {
        self.cell.send(message.into())
    }

    /// Waits until the task has ended.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the outcome stays with the task, and dropping the future does not stop the task.
    pub async fn outcome(&self) -> Arc<AsyncTaskResult> {
        self.cell.settled().await
    }

    /// The record of the task, if it has ended.
    #[must_use]
    pub fn result(&self) -> Option<Arc<AsyncTaskResult>> {
        self.cell.result()
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("id", &self.id())
            .field("tool", &self.cell.spec.call.name)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
