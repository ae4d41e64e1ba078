//! The way of one task from its slot to its end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
};

use tokio::time::sleep;

use super::{Inner, TaskNews, queue::Waiting};
use crate::{
    TaskEvent, TaskOutcome,
    backend::{Backend, CancelMode, Settlement},
    task::{StopTask, TaskCell},
    tool::{BoundCall, ToolError, ToolErrorKind},
};

/// What there is to do.
pub(super) enum Work {
    /// Run a bound call in this process.
    Here(BoundCall),
    /// Have a backend run it.
    Remote(Arc<dyn Backend>),
}

/// Starts a task that has a slot.
pub(super) fn start(inner: &Arc<Inner>, task: Waiting) {
    let Waiting { cell, work, runtime } = task;
    // Made before the task is spawned: a runtime that is shut down drops the future without polling it.
    let guard = RunGuard {
        inner: Arc::clone(inner),
        cell: Arc::clone(&cell),
    };
    let spawned = runtime.spawn(run(guard, work));
    cell.set_abort(spawned.abort_handle());
}

async fn run(guard: RunGuard, work: Work) {
    let RunGuard { inner, cell } = &guard;
    // Told to stop between its slot and its start.
    if let Some(reason) = cell.cancel_reason() {
        return inner.settle(cell, TaskOutcome::Cancelled(reason.to_owned()), None);
    }
    cell.begin(inner.now());
    inner.tell_session(&cell.spec.session, TaskNews::Started(cell.spec.task));
    inner.publish(|| TaskEvent::Started(cell.snapshot()));
    let (outcome, attempts) = match work {
        Work::Here(call) => (
            inner.executor.run(&cell.spec, call, cell.cancellation.clone()).await,
            None,
        ),
        Work::Remote(backend) => {
            let Settlement { outcome, attempts } = follow(&*backend, inner, cell).await;
            (outcome, Some(attempts))
        }
    };
    let outcome = match (outcome, cell.cancel_reason()) {
        (TaskOutcome::Cancelled(_), Some(reason)) => TaskOutcome::Cancelled(reason.to_owned()),
        (outcome, _) => outcome,
    };
    inner.settle(cell, outcome, attempts);
}

/// Hands a task to a backend and waits for its outcome.
async fn follow(backend: &dyn Backend, inner: &Inner, cell: &TaskCell) -> Settlement {
    let id = cell.spec.task;
    if let Err(error) = backend.submit(cell.spec.clone()).await {
        tracing::warn!(task = %id, error = &error as &dyn std::error::Error, "the backend took no task");
        let error = ToolError::from_error(error).with_model_message("the tool can't be reached now");
        return Settlement::new(TaskOutcome::Failed(error.with_kind(ToolErrorKind::Unavailable)), 0);
    }
    let outcome =
        async {
            backend.outcome(id).await.unwrap_or_else(|error| {
            tracing::warn!(task = %id, error = &error as &dyn std::error::Error, "the backend lost sight of a task");
            Settlement::new(TaskOutcome::Unknown("the connection to the task was lost".to_owned()), 1)
        })
        };
    tokio::pin!(outcome);
    tokio::select! {
        biased;
        settlement = &mut outcome => return settlement,
        () = cell.cancellation.cancelled() => {}
    }
    for mode in [CancelMode::Cancel, CancelMode::Abort] {
        if let Err(error) = backend.cancel(id, mode).await {
            tracing::warn!(task = %id, error = &error as &dyn std::error::Error, "the backend did not take a cancellation");
        }
        tokio::select! {
            biased;
            settlement = &mut outcome => return settlement,
            () = sleep(inner.executor.cancel_grace()) => {}
        }
    }
    Settlement::new(
        TaskOutcome::Unknown("the task was told to stop and did not say that it has".to_owned()),
        1,
    )
}

/// Settles its task and frees the slot, also where the future is dropped.
struct RunGuard {
    inner: Arc<Inner>,
    cell: Arc<TaskCell>,
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if !self.cell.result.initialized() {
            let reason = self
                .cell
                .cancel_reason()
                .unwrap_or("the runtime that ran the task was shut down");
            let outcome = TaskOutcome::Cancelled(reason.to_owned());
            self.inner.settle(&self.cell, outcome, None);
        }
        self.inner.queue().release();
        dispatch(&self.inner);
    }
}

/// Hands free slots to those who wait.
fn dispatch(inner: &Arc<Inner>) {
    if !inner.queue().begin_dispatch() {
        return;
    }
    loop {
        // The lock ends with the statement: starting a task can call back into the queue.
        let next = inner.queue().dispatch();
        let Some(task) = next else { return };
        start(inner, task);
    }
}

impl Inner {
    /// Settles a task and tells everybody who waits for it; does nothing if it has been settled.
    pub(super) fn settle(&self, cell: &Arc<TaskCell>, outcome: TaskOutcome, attempts: Option<u32>) {
        let Some(result) = cell.settle(outcome, attempts, self.now()) else {
            return;
        };
        self.tell_session(&result.session, TaskNews::Settled(Arc::clone(&result)));
        self.publish(|| TaskEvent::Settled(Arc::clone(&result)));
        for callback in &self.callbacks {
            if catch_unwind(AssertUnwindSafe(|| callback(&result))).is_err() {
                tracing::error!(task = %result.task, "a callback of `on_complete` panicked");
            }
        }
        self.tasks().retire(result.task);
        self.open_tasks_changed();
    }
}

/// What handles use to stop a task; the reason is already set and the token fired.
pub(super) fn stop(inner: &Weak<Inner>) -> StopTask {
    let inner = Weak::clone(inner);
    Arc::new(move |cell, abort| {
        let Some(inner) = inner.upgrade() else { return };
        let waiting = cell.take_ticket().and_then(|ticket| inner.queue().remove(ticket));
        if waiting.is_some() {
            let reason = cell.cancel_reason().unwrap_or_default().to_owned();
            inner.settle(cell, TaskOutcome::Cancelled(reason), None);
        } else if abort {
            cell.abort();
        }
    })
}
