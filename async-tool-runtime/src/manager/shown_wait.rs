//! Waits of tasks while they last, and the events about them.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use super::{
    Inner, TaskNews,
    task::{TaskCell, Telling, Wait},
};
use crate::task::TaskEvent;

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
    /// Publishes a change of a task's wait, at most ten times a second.
    pub(super) fn wait_changed(self: &Arc<Self>, cell: &Arc<TaskCell>) {
        for call in cell.served() {
            if call.has_ended() {
                continue;
            }
            match call.wait_changed(self.now()) {
                Telling::Now => self.tell_wait(&call),
                Telling::In(pause) => self.tell_wait_later(&call, pause),
                Telling::Later => {}
            }
        }
    }

    fn tell_wait_later(self: &Arc<Self>, cell: &Arc<TaskCell>, pause: Duration) {
        let Some(runtime) = self.runtime().or_else(|| Handle::try_current().ok()) else {
            return;
        };
        // Weak, so that the timer keeps neither the manager nor an ended task alive.
        let (inner, timer) = (Arc::downgrade(self), WaitTimer(Arc::downgrade(cell)));
        runtime.spawn(async move {
            sleep(pause).await;
            if let (Some(inner), Some(cell)) = (inner.upgrade(), timer.0.upgrade())
                && cell.waits_due(inner.now())
            {
                inner.tell_wait(&cell);
            }
        });
    }

    fn tell_wait(&self, cell: &Arc<TaskCell>) {
        if cell.spec.is_of_session() {
            let news = TaskNews::Waits(cell.spec.task, cell.waits_for().map(Box::new));
            self.tell_session(&cell.spec.session, news);
        }
        self.publish(|| TaskEvent::Waits(cell.snapshot()));
    }
}

/// Timer of a publication. If its runtime ends before it is due, its drop lets the next change set another.
struct WaitTimer(Weak<TaskCell>);

impl Drop for WaitTimer {
    fn drop(&mut self) {
        if let Some(cell) = self.0.upgrade() {
            cell.forget_wait_timer();
        }
    }
}
