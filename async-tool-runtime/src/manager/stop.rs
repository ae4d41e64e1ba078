//! Stops of tasks and of all tasks below them, and the end of those that don't stop by themselves.

use std::sync::Arc;

use tokio::{runtime::Handle, time::sleep};

use super::{
    Inner,
    layers::STOP_SLACK,
    run::{discard, is_open_after},
    task::TaskCell,
};
use crate::task::TaskOutcome;

/// Reason of a task below one that was told to stop.
const WITH_ITS_PARENT: &str = "the task that had submitted it was told to stop";

/// Stops a task that was told to stop: at once if it waits for a slot or `abort` is set, otherwise within its stop timeout.
pub(super) fn stop_now(inner: &Arc<Inner>, cell: &Arc<TaskCell>, abort: bool) {
    stop_all_below(inner, cell, WITH_ITS_PARENT);
    stop_alone(inner, cell, abort);
}

/// Tells a begun task that was completed from outside to stop, with all calls that share its run. A function or a layer that goes on
/// is given up after the stop timeout; the result counts in any case.
pub(super) fn stop_resolved(inner: &Arc<Inner>, runs: &Arc<TaskCell>) {
    runs.cancellation().cancel();
    let calls = runs.served();
    for call in &calls {
        stop_now(inner, call, false);
    }
    if !calls.iter().any(|call| Arc::ptr_eq(call, runs)) {
        inner.abandon_shared_run(runs);
    }
}

impl Inner {
    /// Gives up a shared run that was told to stop: its last waiter has left, or its result came from outside.
    pub(crate) fn abandon_shared_run(self: &Arc<Self>, shared_run: &Arc<TaskCell>) {
        stop_all_below(self, shared_run, WITH_ITS_PARENT);
        release_later(self, shared_run);
    }

    /// Waits for the end of the tasks below a task that was told to stop; false if there are none. So a caller that sees its
    /// end finds nothing of it open. They are told to stop too, and each ends within its stop timeout.
    pub(crate) async fn stop_below(self: &Arc<Self>, cell: &TaskCell) -> bool {
        if !cell.is_cancelled() || cell.resolved().is_some() || cell.is_remote() {
            return false;
        }
        let children = open_children(cell);
        if children.is_empty() {
            return false;
        }
        // Tasks below may need the slot to stop.
        self.release(cell);
        stop_all_below(self, cell, WITH_ITS_PARENT);
        for child in children {
            child.settled().await;
        }
        true
    }

    /// Stops the child tasks, which must not outlive their parent.
    pub(super) fn stop_children(self: &Arc<Self>, cell: &TaskCell) {
        stop_all_below(self, cell, "the task that had submitted it has ended");
    }
}

/// Stops all tasks below a task at once that were not told before: one timeout after the other would multiply the time by the
/// number of levels.
fn stop_all_below(inner: &Arc<Inner>, cell: &TaskCell, reason: &str) {
    let tell = |cell: &TaskCell, reason: &str| {
        let mut children = open_children(cell);
        // A child that was told before stops those below it itself. In a deep chain, each level is told by each level above it.
        children.retain(|child| child.cancel_reason().is_none());
        for child in &children {
            child.request_cancel(reason.to_owned());
        }
        children
    };
    let mut below = tell(cell, reason);
    // No recursion: a tool that calls itself can be thousands of levels deep.
    let mut at = 0;
    while let Some(next) = below.get(at) {
        let children = tell(next, WITH_ITS_PARENT);
        below.extend(children);
        at += 1;
    }
    // All have been told before the first one ends, so no parent takes that for a failure.
    for cell in below.iter().rev() {
        stop_alone(inner, cell, false);
    }
}

fn open_children(cell: &TaskCell) -> Vec<Arc<TaskCell>> {
    let mut children = cell.children();
    children.retain(|child| !child.is_settled());
    children
}

/// Stops a task without those below it.
fn stop_alone(inner: &Arc<Inner>, cell: &Arc<TaskCell>, abort: bool) {
    let reason = || cell.cancel_reason().unwrap_or_default().to_string();
    let waiting = cell.take_ticket().and_then(|ticket| inner.queue().remove(ticket));
    inner.unwatch_queue();
    if let Some(waiting) = waiting {
        inner.end(cell, TaskOutcome::Cancelled(reason()));
        discard(waiting);
    } else if abort {
        // With a backend, no code of the tool runs here.
        if inner.remote.is_none() {
            cell.give_up(&inner.quarantine);
        }
        cell.abort();
        // A future that blocks its thread can't be dropped before it returns, but its task ends now.
        inner.end(cell, TaskOutcome::Cancelled(reason()));
    } else if !cell.is_settled() && inner.remote.is_none() {
        give_up_later(inner, cell);
    }
}

/// Ends a task that didn't stop within its stop timeout. An async function that blocks its thread can't be dropped, and it
/// also keeps the timer that would drop it from running.
fn give_up_later(inner: &Arc<Inner>, cell: &Arc<TaskCell>) {
    let Some(runtime) = Handle::try_current().ok().or_else(|| inner.runtime()) else {
        return;
    };
    let limit = inner.executor.stop_timeout().saturating_add(2 * STOP_SLACK);
    let (inner, cell) = (Arc::downgrade(inner), Arc::clone(cell));
    runtime.spawn(async move {
        if !is_open_after(&cell, sleep(limit)).await {
            return;
        }
        let Some(inner) = inner.upgrade() else { return };
        // Tasks below that were submitted during the stop have their own stop timeout, and end first.
        let mut has_waited = inner.stop_below(&cell).await;
        if let Some(shared_run) = cell.shared_run() {
            has_waited |= inner.stop_below(&shared_run).await;
        }
        if has_waited && !is_open_after(&cell, sleep(2 * STOP_SLACK)).await {
            return;
        }
        if cell.has_ended() {
            return;
        }
        give_up(&inner, &cell);
        let reason = cell.cancel_reason().unwrap_or_default().to_string();
        inner.end(&cell, TaskOutcome::Cancelled(reason));
    });
}

/// Aborts a task that didn't stop. If a thread is in its future, the future can't be dropped, and is counted.
fn give_up(inner: &Inner, cell: &TaskCell) {
    let (task, tool) = (cell.spec.task, &*cell.spec.call.name);
    if cell.give_up(&inner.quarantine) {
        let count = inner.quarantine.count();
        tracing::warn!(target: "async_tool::task", %task, tool, count, "a task that was told to stop blocks its thread; it is given up, and its slot is given to others");
    } else {
        tracing::warn!(target: "async_tool::task", %task, tool, "a task that was told to stop goes on waiting; it is dropped");
    }
    cell.abort();
}

/// Takes the slot of an abandoned shared run that doesn't stop within its stop timeout.
fn release_later(inner: &Arc<Inner>, cell: &Arc<TaskCell>) {
    let Some(runtime) = Handle::try_current().ok().or_else(|| inner.runtime()) else {
        return;
    };
    let limit = inner.executor.stop_timeout().saturating_add(2 * STOP_SLACK);
    let (inner, cell) = (Arc::downgrade(inner), Arc::downgrade(cell));
    runtime.spawn(async move {
        sleep(limit).await;
        let (Some(inner), Some(cell)) = (inner.upgrade(), cell.upgrade()) else {
            return;
        };
        if inner.stop_below(&cell).await {
            sleep(2 * STOP_SLACK).await;
        }
        if cell.has_ended() {
            return;
        }
        // On a backend, the run goes on until the engine has told its end.
        if !cell.is_remote() {
            give_up(&inner, &cell);
        }
        let released = cell.end(false);
        if inner.take_back(released.holding, inner.now()) {
            inner.dispatch();
        }
    });
}
