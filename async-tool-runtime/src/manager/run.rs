//! The way of one task from its slot to its end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::sleep;

use super::{Inner, TaskNews, queue::Waiting};
use crate::{
    TaskEvent, TaskOutcome,
    backend::{Backend, BackendError, CancelMode, Settlement},
    task::{StopTask, TaskCell},
    tool::{BoundCall, Effect, Progress, ToolError, ToolErrorKind},
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
        holds_slot: true,
    };
    match work {
        Work::Here(call) => {
            let spawned = runtime.spawn(run_here(guard, call));
            cell.set_abort(spawned.abort_handle());
        }
        // Never aborted from outside: it has to tell the backend.
        Work::Remote(backend) => drop(runtime.spawn(run_there(guard, backend))),
    }
}

async fn run_here(guard: RunGuard, call: BoundCall) {
    let Some(guard) = guard.begin() else { return };
    let RunGuard { inner, cell, .. } = &guard;
    let progress = progress_of(inner, cell);
    let token = cell.cancellation.clone();
    let outcome = inner.executor.run(&cell.spec, call, token, progress).await;
    guard.finish(outcome, None);
}

async fn run_there(guard: RunGuard, backend: Arc<dyn Backend>) {
    let Some(guard) = guard.begin() else { return };
    let Settlement { outcome, attempts } = follow(&*backend, &guard.inner, &guard.cell).await;
    guard.finish(outcome, Some(attempts));
}

/// Takes a tool's reports to whoever watches.
fn progress_of(inner: &Arc<Inner>, cell: &Arc<TaskCell>) -> Progress {
    let (inner, cell) = (Arc::downgrade(inner), Arc::clone(cell));
    Progress::new(move |report| {
        let Some(inner) = inner.upgrade() else { return };
        let is_over = cell.result.initialized();
        if !is_over && cell.report(report.clone(), inner.now()) {
            inner.tell_session(&cell.spec.session, TaskNews::Progressed(cell.spec.task, report));
            inner.publish(|| TaskEvent::Progressed(cell.snapshot()));
        }
    })
}

/// The pauses before a backend that took no task is asked again: the task id makes that harmless.
const SUBMIT_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// Hands a task to a backend and waits for its outcome.
async fn follow(backend: &dyn Backend, inner: &Inner, cell: &TaskCell) -> Settlement {
    let id = cell.spec.task;
    let submitted = cell.cancellation.run_until_cancelled(submit(backend, cell)).await;
    if let Some(Err(error)) = submitted {
        // It may have been taken all the same.
        let effect = inner
            .executor
            .registry()
            .find(&cell.spec.call.name)
            .map(|tool| tool.options().effect);
        let outcome = if effect.is_some_and(Effect::is_repeatable) {
            let error = ToolError::from_error(error).with_kind(ToolErrorKind::Unavailable);
            TaskOutcome::Failed(error.with_model_message("the tool can't be reached now"))
        } else {
            TaskOutcome::Unknown("the tool could not be reached, and may have been started all the same".to_owned())
        };
        return Settlement::new(outcome, 0);
    }
    let outcome = async {
        backend.outcome(id).await.unwrap_or_else(|error| {
            warn(cell, &error, "the backend lost sight of a task");
            Settlement::new(
                TaskOutcome::Unknown("the connection to the task was lost".to_owned()),
                1,
            )
        })
    };
    tokio::pin!(outcome);
    if let Some(settlement) = cell.cancellation.run_until_cancelled(&mut outcome).await {
        return settlement;
    }
    let modes: &[CancelMode] = if cell.is_abort_requested() {
        &[CancelMode::Abort]
    } else {
        &[CancelMode::Cancel, CancelMode::Abort]
    };
    for mode in modes {
        let cancelled = async {
            if let Err(error) = backend.cancel(id, *mode).await {
                warn(cell, &error, "the backend did not take a cancellation");
            }
            sleep(inner.executor.cancel_grace()).await;
        };
        tokio::select! {
            biased;
            settlement = &mut outcome => return settlement,
            () = sleep(inner.executor.cancel_grace().saturating_mul(2)) => {}
            () = cancelled => {}
        }
    }
    Settlement::new(
        TaskOutcome::Unknown("the task was told to stop and did not say that it has".to_owned()),
        1,
    )
}

async fn submit(backend: &dyn Backend, cell: &TaskCell) -> Result<(), BackendError> {
    let mut pauses = SUBMIT_PAUSES.iter();
    loop {
        let Err(error) = backend.submit(cell.spec.clone()).await else {
            return Ok(());
        };
        warn(cell, &error, "the backend took no task");
        match pauses.next() {
            Some(pause) => sleep(*pause).await,
            None => return Err(error),
        }
    }
}

fn warn(cell: &TaskCell, error: &BackendError, what: &'static str) {
    tracing::warn!(task = %cell.spec.task, error = error as &dyn std::error::Error, "{what}");
}

/// Settles its task and frees the slot, also where the future is dropped.
struct RunGuard {
    inner: Arc<Inner>,
    cell: Arc<TaskCell>,
    holds_slot: bool,
}

impl RunGuard {
    /// Marks the task as running; `None` if it was told to stop between its slot and its start.
    fn begin(self) -> Option<Self> {
        if self.cell.cancel_reason().is_some() {
            self.finish(TaskOutcome::Cancelled(String::new()), None);
            return None;
        }
        let Self { inner, cell, .. } = &self;
        cell.begin(inner.now());
        inner.tell_session(&cell.spec.session, TaskNews::Started(cell.spec.task));
        inner.publish(|| TaskEvent::Started(cell.snapshot()));
        Some(self)
    }

    fn finish(mut self, outcome: TaskOutcome, attempts: Option<u32>) {
        self.end(outcome, attempts);
    }

    fn end(&mut self, outcome: TaskOutcome, attempts: Option<u32>) {
        if std::mem::take(&mut self.holds_slot) {
            // First the slot: whoever sees the outcome may submit the next task, and finds it free.
            self.inner.queue().release();
            let outcome = match (outcome, self.cell.cancel_reason()) {
                (TaskOutcome::Cancelled(_), Some(reason)) => TaskOutcome::Cancelled(reason.to_owned()),
                (outcome, _) => outcome,
            };
            self.inner.settle(&self.cell, outcome, attempts);
            dispatch(&self.inner);
        }
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() {
            let error = ToolError::new(ToolErrorKind::Panicked, "the tool panicked while it was dropped");
            TaskOutcome::Failed(
                error.with_model_message("the tool crashed; this is a defect of the tool, not of the call"),
            )
        } else {
            TaskOutcome::Cancelled("the runtime that ran the task was shut down".to_owned())
        };
        self.end(outcome, None);
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
        let (evicted, is_idle) = {
            let mut tasks = self.tasks();
            (tasks.retire(result.task), tasks.open_count() == 0)
        };
        // Outside of the lock: a result may be large.
        drop(evicted);
        if is_idle {
            self.idle.notify_waiters();
        }
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
            // A future that blocks its thread isn't dropped before it returns; its task ends now all the same.
            let reason = cell.cancel_reason().unwrap_or_default().to_owned();
            inner.settle(cell, TaskOutcome::Cancelled(reason), None);
        }
    })
}
