//! What a task's context can ask of the manager.

use std::sync::Arc;

use crate::{
    AsyncToolManager, BoxFuture, IdempotencyKey, ProgressReport, SubmitError, TaskHandle, TaskId, ToolCall, ToolError,
    task::TaskCell,
};

/// What a task's context can ask of whoever runs the task.
pub(crate) trait TaskHost: Send + Sync {
    /// An attempt begins; gives its number.
    fn begin(&self, cell: &Arc<TaskCell>) -> u32;

    /// The task has said how far it has come.
    fn report(&self, cell: &Arc<TaskCell>, report: ProgressReport);

    /// The status of the task has changed to or from `InputRequired`.
    fn asked(&self, cell: &Arc<TaskCell>);

    /// The function of the task has left it to be completed from outside.
    fn deferred(&self, cell: &Arc<TaskCell>);

    /// Waits until what was said of the task so far is written down, where anybody writes it down.
    ///
    /// # Errors
    ///
    /// It never will be: the session has stopped.
    fn written(self: Arc<Self>, cell: Arc<TaskCell>) -> BoxFuture<'static, Result<(), ToolError>>;

    /// The manager that runs the task, while there is one.
    fn manager(&self) -> Option<AsyncToolManager>;

    /// The task gives its slot away for a while.
    fn suspend(&self, cell: &Arc<TaskCell>);

    /// The task, which has given its slot away, counts among those that wait until it has one again.
    fn enlist(&self, cell: &Arc<TaskCell>);

    /// The task goes on as soon as it has a slot.
    fn resume(self: Arc<Self>, cell: Arc<TaskCell>) -> BoxFuture<'static, ()>;

    /// The task goes on whether there is a slot or not.
    fn resume_now(&self, cell: &Arc<TaskCell>);

    /// The task gives its slot away for good.
    fn leave(&self, cell: &Arc<TaskCell>);

    /// Waits for the first slot of a task that has a place.
    ///
    /// # Errors
    ///
    /// There is none, and the task may not wait for it.
    fn acquire(self: Arc<Self>, cell: Arc<TaskCell>) -> BoxFuture<'static, Result<(), ToolError>>;

    /// The tasks above this one, the nearest first.
    fn above(&self, cell: &TaskCell) -> Vec<TaskId>;

    /// A task shares a run that has begun.
    fn join(&self, cell: &Arc<TaskCell>);

    /// A run that calls share is over.
    fn ended(&self, cell: &Arc<TaskCell>);

    /// Nobody wants the run that calls shared any more; it has been told to stop.
    fn abandon(&self, cell: &Arc<TaskCell>);

    /// Something happened to a call of this tool that is counted.
    fn count(&self, tool: &str, what: Count);

    /// The task submits a task of its own.
    fn submit_child(
        self: Arc<Self>,
        parent: &Arc<TaskCell>,
        call: ToolCall,
        key: IdempotencyKey,
    ) -> Result<TaskHandle, SubmitError>;
}

/// What happens on the way of calls, and is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    CacheHit,
    CacheMiss,
    Shared,
    Retry,
    BreakerOpen,
}

/// A while in which a task holds no slot. Dropping it ends the while at once.
pub(crate) struct Suspension {
    host: Arc<dyn TaskHost>,
    cell: Arc<TaskCell>,
    is_over: bool,
}

impl Suspension {
    pub(crate) fn begin(host: Arc<dyn TaskHost>, cell: Arc<TaskCell>) -> Self {
        host.suspend(&cell);
        Self {
            host,
            cell,
            is_over: false,
        }
    }

    /// Waits for a slot.
    pub(crate) async fn end(mut self) {
        self.is_over = true;
        Arc::clone(&self.host).resume(Arc::clone(&self.cell)).await;
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        if !self.is_over {
            self.host.resume_now(&self.cell);
        }
    }
}
