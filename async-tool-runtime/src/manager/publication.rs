//! Publication of the changes of a task, to its session and to subscribers.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use super::{
    Inner, TaskNews,
    task::{Change, Publication, TaskCell},
};
use crate::task::TaskEvent;

impl Inner {
    /// Publishes a change of a task now, or a little later together with those that come meanwhile.
    pub(super) fn changed(self: &Arc<Self>, cell: &Arc<TaskCell>, change: Change) {
        if cell.has_ended() {
            return;
        }
        match cell.changed(change, self.now()) {
            Publication::Now => self.publish_change(cell, change),
            Publication::In(pause) => self.publish_later(cell, change, pause),
            Publication::Nothing => {}
        }
    }

    fn publish_later(self: &Arc<Self>, cell: &Arc<TaskCell>, change: Change, mut pause: Duration) {
        // The manager's runtime first: a runtime that a tool made for itself may end before the timer is due.
        let Some(runtime) = self.runtime().or_else(|| Handle::try_current().ok()) else {
            return;
        };
        // Weak, so that the timer keeps neither the manager nor an ended task alive.
        let (inner, timer) = (Arc::downgrade(self), Timer(Arc::downgrade(cell), change));
        runtime.spawn(async move {
            loop {
                sleep(pause).await;
                let (Some(inner), Some(cell)) = (inner.upgrade(), timer.0.upgrade()) else {
                    return;
                };
                match cell.publication_due(change, inner.now()) {
                    Publication::In(left) => pause = left,
                    done => {
                        // Another may be set from now on.
                        timer.end();
                        if done == Publication::Now {
                            inner.publish_change(&cell, change);
                        }
                        return;
                    }
                }
            }
        });
    }

    fn publish_change(&self, cell: &Arc<TaskCell>, change: Change) {
        let (task, session) = (cell.spec.task, &cell.spec.session);
        let is_of_session = cell.spec.is_of_session();
        match change {
            Change::Progress => {
                if is_of_session && let Some(report) = cell.progress() {
                    self.tell_session(session, TaskNews::Progressed(task, Box::new(report)));
                }
                self.publish(|| TaskEvent::Progressed(cell.snapshot()));
            }
            Change::Wait => {
                if is_of_session {
                    self.tell_session(session, TaskNews::Waits(task, cell.waits_for().map(Box::new)));
                }
                self.publish(|| TaskEvent::Waits(cell.snapshot()));
            }
        }
    }
}

/// Timer of a publication. If its runtime ends before it is due, its drop lets the next change set another: a tool may report from a
/// runtime of its own.
struct Timer(Weak<TaskCell>, Change);

impl Timer {
    fn end(mut self) {
        drop(std::mem::take(&mut self.0));
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(cell) = self.0.upgrade() {
            cell.forget_timer(self.1);
        }
    }
}
