//! Wait of a task for something else, during which it holds no slot.

use std::sync::Arc;

use super::TaskCell;
use crate::manager::Inner;

/// Wait during which a task holds no slot. Dropping it lets the task go on at once, even beyond the limit.
#[must_use = "dropping a suspension ends it"]
pub(crate) struct Suspension {
    manager: Arc<Inner>,
    cell: Arc<TaskCell>,
    is_over: bool,
}

impl TaskCell {
    /// Gives the task's slot away for a wait; `None` without a manager, because a worker has no slots.
    pub(crate) fn suspend(self: &Arc<Self>) -> Option<Suspension> {
        let manager = self.manager()?;
        manager.suspend(self);
        Some(Suspension {
            manager,
            cell: Arc::clone(self),
            is_over: false,
        })
    }
}

impl Suspension {
    /// Ends the wait, and waits for a slot.
    pub(crate) async fn end(mut self) {
        self.is_over = true;
        self.manager.resume(&self.cell).await;
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        if !self.is_over {
            self.manager.resume_now(&self.cell);
        }
    }
}
