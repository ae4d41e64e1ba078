//! Tasks for which only the outside can do something.

use std::sync::Arc;

use tokio::{sync::watch, time::timeout};

use super::{AsyncToolManager, Inner, TaskCell, TaskHandle, layers::STOP_SLACK, levels::LEVELS};
use crate::{clock::Timestamp, id::TaskId, task::AsyncTaskResult, tool::InputRequest};

/// Wait of a task for the outside.
pub(crate) struct Rest {
    pub(crate) task: TaskId,
    /// Question to people; `None` if the task waits for its completion.
    pub(crate) request: Option<InputRequest>,
    /// Time at which the task fails.
    pub(crate) until: Option<Timestamp>,
}

impl AsyncToolManager {
    /// Waits of a task and of the tasks below it; `None` unless all that is left of it waits for the outside.
    pub(crate) fn rests_of(&self, task: TaskId) -> Option<Vec<Rest>> {
        let cell = self.inner.tasks().find(task)?;
        let mut rests = Vec::new();
        is_at_rest(&cell, &mut rests, 0).then_some(rests)
    }

    /// Changes whenever a task may have come to rest or gone on.
    pub(crate) fn stirs(&self) -> watch::Receiver<()> {
        self.inner.stirs.subscribe()
    }

    /// Notes if the agent that carries out a call does something by itself.
    pub(crate) fn set_busy(&self, call: &TaskCell, is_busy: bool) {
        if call.set_busy(is_busy) {
            self.inner.stir();
        }
    }

    /// Forgets a task that has ended. Waits until its end has been told.
    pub(crate) async fn forget(&self, task: &TaskHandle) {
        // An end is told directly after it is published, so this waits for another thread at most.
        while !self.inner.tasks().forget(task.id()) {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for the end of a task whose session has stopped here.
    pub(crate) async fn end_of(&self, task: &TaskHandle) -> Arc<AsyncTaskResult> {
        let limit = self.inner.stop_limit().saturating_add(3 * STOP_SLACK);
        // Its runtime may be gone, and with it the timer that would drop it. An agent below has a limit of its own.
        if task.cell().is_abandoned()
            && !task.cell().working().is_left()
            && timeout(limit, task.outcome()).await.is_err()
        {
            task.abort("the session's agent is gone");
        }
        task.outcome().await
    }
}

impl Inner {
    /// Tells sessions that wait for it that a task may have come to rest or gone on.
    pub(super) fn stir(&self) {
        if self.stirs.receiver_count() > 0 {
            self.stirs.send_replace(());
        }
    }
}

/// True if all that is left of a task waits for the outside; adds its waits.
fn is_at_rest(cell: &Arc<TaskCell>, rests: &mut Vec<Rest>, level: usize) -> bool {
    let runs = cell.working();
    let goes_on = |cell: &TaskCell| cell.has_ended() || cell.is_cancelled() || cell.resolved().is_some();
    if level > LEVELS || goes_on(cell) || goes_on(&runs) || runs.is_busy() {
        return false;
    }
    let request = cell.request();
    let waits_for_outside = request.is_some() || runs.is_deferred();
    if waits_for_outside {
        rests.push(Rest {
            task: cell.spec.task,
            request,
            until: [runs.deferred_until(), cell.spec.deadline].into_iter().flatten().min(),
        });
    }
    let mut children = runs.children();
    children.retain(|child| !child.is_settled());
    let waits_for_children = runs.is_suspended() && !children.is_empty();
    (waits_for_outside || waits_for_children) && children.iter().all(|child| is_at_rest(child, rests, level + 1))
}
