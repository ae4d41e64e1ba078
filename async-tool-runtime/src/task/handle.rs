//! Control over one task, and the record behind it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{sync::SetOnce, task::AbortHandle};

use super::{AsyncTaskResult, TaskAck, TaskId, TaskOutcome, TaskSnapshot, TaskSpec, TaskStatus, Timing};
use crate::{
    Timestamp,
    tool::{CancellationToken, ProgressReport},
};

/// Control over one task, for the host. Cheap to clone; dropping it does nothing to the task.
#[derive(Clone)]
pub struct TaskHandle {
    cell: Arc<TaskCell>,
    stop: StopTask,
}

/// How a handle reaches back to the manager to stop a task that waits for a slot.
pub(crate) type StopTask = Arc<dyn Fn(&Arc<TaskCell>, bool) + Send + Sync>;

impl TaskHandle {
    pub(crate) fn new(cell: Arc<TaskCell>, stop: StopTask) -> Self {
        Self { cell, stop }
    }

    /// The id of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.cell.spec.task
    }

    /// Where the task stands now.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.cell.status()
    }

    /// What can be said of the task now.
    #[must_use]
    pub fn snapshot(&self) -> TaskSnapshot {
        self.cell.snapshot()
    }

    /// What the model is told at once: no result, and where the task stands now.
    #[must_use]
    pub fn ack(&self) -> TaskAck {
        let spec = &self.cell.spec;
        let arguments = Arc::clone(&spec.call.arguments);
        TaskAck::new(
            spec.task,
            spec.number,
            Arc::clone(&spec.call.name),
            arguments,
            self.status(),
        )
    }

    /// Tells the task to stop, for this reason. A task that waits for a slot ends at once; a running tool sees its token
    /// fire and is dropped after the manager's cancel grace. Does nothing to a task that has ended.
    pub fn cancel(&self, reason: impl Into<String>) {
        self.cell.request_cancel(reason.into());
        (self.stop)(&self.cell, false);
    }

    /// Ends the task now, and drops its future without a grace time. A function that blocks its thread can't be dropped: it goes on
    /// until it returns, and what it returns is lost.
    pub fn abort(&self, reason: impl Into<String>) {
        self.cell.request_cancel(reason.into());
        (self.stop)(&self.cell, true);
    }

    /// Waits until the task has ended.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the outcome stays with the task, and dropping the future does not stop the task.
    pub async fn outcome(&self) -> Arc<AsyncTaskResult> {
        Arc::clone(self.cell.result.wait().await)
    }

    /// The record of the task, if it has ended.
    #[must_use]
    pub fn result(&self) -> Option<Arc<AsyncTaskResult>> {
        self.cell.result.get().cloned()
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("id", &self.id())
            .field("tool", &self.cell.spec.call.name)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// The one record of a task that lives in this process.
///
/// `result` is set once: whoever sets it first has settled the task, and everybody else finds it settled.
pub(crate) struct TaskCell {
    pub(crate) spec: TaskSpec,
    pub(crate) accepted: Timestamp,
    pub(crate) cancellation: CancellationToken,
    cancel_reason: OnceLock<String>,
    run: Mutex<Run>,
    pub(crate) result: SetOnce<Arc<AsyncTaskResult>>,
}

#[derive(Default)]
struct Run {
    started: Option<Timestamp>,
    attempts: u32,
    /// Where in the queue the task waits.
    ticket: Option<u64>,
    abort: Option<AbortHandle>,
    abort_requested: bool,
    /// Boxed, since most tasks never report.
    progress: Option<Box<Reported>>,
}

/// The latest report, and when one last went out.
struct Reported {
    report: ProgressReport,
    published: Timestamp,
}

/// The least time between two reports that go out.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

impl TaskCell {
    pub(crate) fn new(spec: TaskSpec, accepted: Timestamp, cancellation: CancellationToken) -> Self {
        Self {
            spec,
            accepted,
            cancellation,
            cancel_reason: OnceLock::new(),
            run: Mutex::default(),
            result: SetOnce::new(),
        }
    }

    pub(crate) fn status(&self) -> TaskStatus {
        match self.result.get() {
            Some(result) => result.status(),
            None if self.run().started.is_some() => TaskStatus::Running,
            None => TaskStatus::Queued,
        }
    }

    pub(crate) fn snapshot(&self) -> TaskSnapshot {
        let status = self.status();
        let run = self.run();
        TaskSnapshot {
            task: self.spec.task,
            number: self.spec.number,
            session: self.spec.session.clone(),
            tool: self.spec.call.name.clone(),
            status,
            accepted: self.accepted,
            started: run.started,
            progress: run.progress.as_ref().map(|reported| reported.report.clone()),
        }
    }

    /// Sets the reason, the first one given, and fires the token.
    pub(crate) fn request_cancel(&self, reason: String) {
        let _first_reason_stays = self.cancel_reason.set(reason);
        self.cancellation.cancel();
    }

    pub(crate) fn cancel_reason(&self) -> Option<&str> {
        self.cancel_reason.get().map(String::as_str)
    }

    pub(crate) fn set_ticket(&self, ticket: u64) {
        self.run().ticket = Some(ticket);
    }

    pub(crate) fn take_ticket(&self) -> Option<u64> {
        self.run().ticket.take()
    }

    pub(crate) fn begin(&self, now: Timestamp) {
        let mut run = self.run();
        run.started.get_or_insert(now);
        run.attempts += 1;
    }

    /// Keeps the latest report; says whether it is to go out.
    pub(crate) fn report(&self, report: ProgressReport, now: Timestamp) -> bool {
        let mut run = self.run();
        let last = run.progress.as_ref().map(|reported| reported.published);
        let is_due = last.is_none_or(|last| now.since(last) >= PROGRESS_PAUSE);
        let published = if is_due { now } else { last.unwrap_or(now) };
        run.progress = Some(Box::new(Reported { report, published }));
        is_due
    }

    /// Keeps the means to drop the future, and uses it at once if that was asked for in the meantime.
    pub(crate) fn set_abort(&self, abort: AbortHandle) {
        let mut run = self.run();
        if run.abort_requested {
            drop(run);
            abort.abort();
        } else {
            run.abort = Some(abort);
        }
    }

    pub(crate) fn is_abort_requested(&self) -> bool {
        self.run().abort_requested
    }

    pub(crate) fn abort(&self) {
        let mut run = self.run();
        run.abort_requested = true;
        let abort = run.abort.take();
        drop(run);
        if let Some(abort) = abort {
            abort.abort();
        }
    }

    /// Settles the task; `None` if it had been settled before.
    pub(crate) fn settle(
        &self,
        outcome: TaskOutcome,
        attempts: Option<u32>,
        now: Timestamp,
    ) -> Option<Arc<AsyncTaskResult>> {
        let (started, own_attempts) = {
            let run = self.run();
            (run.started, run.attempts)
        };
        let timing = Timing::new(self.accepted, started, now);
        let result = AsyncTaskResult::new(&self.spec, outcome, timing, attempts.unwrap_or(own_attempts));
        let result = Arc::new(result);
        self.result.set(Arc::clone(&result)).is_ok().then_some(result)
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        // Nothing that could panic runs under this lock.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
