//! Waits of tasks while they last, and the events about them.

use std::sync::Arc;

use super::{
    Inner,
    task::{Change, TaskCell, Wait},
};

/// Wait of a task while it lasts. Its beginning and its end are published.
#[must_use = "dropping it ends the wait"]
pub(crate) struct ShownWait {
    inner: Arc<Inner>,
    cell: Arc<TaskCell>,
    number: u32,
}

impl ShownWait {
    /// Enters a wait; `None` without a manager.
    pub(crate) fn new(cell: &Arc<TaskCell>, wait: Wait) -> Option<Self> {
        let inner = cell.manager()?;
        let number = cell.enter_wait(wait);
        inner.wait_changed(cell);
        Some(Self {
            inner,
            cell: Arc::clone(cell),
            number,
        })
    }
}

impl Drop for ShownWait {
    fn drop(&mut self) {
        self.cell.leave_wait(self.number);
        self.inner.wait_changed(&self.cell);
    }
}

impl Inner {
    /// Publishes a change of a task's wait for all calls that it serves.
    pub(super) fn wait_changed(self: &Arc<Self>, cell: &Arc<TaskCell>) {
        for call in cell.served() {
            self.changed(&call, Change::Wait);
        }
    }
}
