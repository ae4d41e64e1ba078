//! Task whose code runs now: its function, or the host's layers around it.
//!
//! tokio's task-local variable names it while its future is polled, and on the thread of a blocking function. Code that these
//! spawn is outside of it.

use std::sync::Arc;

use super::TaskCell;

tokio::task_local! {
    /// Task whose code runs.
    static RUNNING: Arc<TaskCell>;
}

/// Runs a part of the code of a task.
pub(super) fn inside<T>(cell: &Arc<TaskCell>, part: impl FnOnce() -> T) -> T {
    RUNNING.sync_scope(Arc::clone(cell), part)
}

/// Task whose code makes this call.
pub(super) fn running() -> Option<Arc<TaskCell>> {
    RUNNING.try_with(Arc::clone).ok()
}
