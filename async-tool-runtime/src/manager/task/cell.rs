//! Record of one task of this process.
//!
//! # Invariants
//!
//! 1. The phase only moves forward, from open to ended to settled, and the first writer wins. Every wait for a task
//!    relies on it.
//! 2. An ended task accepts nothing from outside and gets no slot. Otherwise a caller could be told that its result
//!    counts when it doesn't.
//! 3. A task holds a queue position, a slot, or neither, but never both. So each is returned exactly once.
//! 4. One mutex guards the state. Lock order: the queue's lock, this mutex, the mutex of the shared run.
//! 5. No waker and no user code runs or is dropped under the lock: wakers and resources can call back into the manager.

mod abandoned;
mod admission;
mod agent;
mod attempts;
mod checkpoint;
mod deferral;
mod future;
mod progress;
mod question;
mod sharing;
mod throttle;
mod waits;

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;
use tokio::{sync::Notify, time::Instant};
use tracing::Span;

use admission::Admission;
pub(crate) use admission::Holding;
use attempts::{Attempts, FailedAttempts};
use future::Polling;
pub(crate) use question::Question;
use question::Questions;
use throttle::Throttle;
pub(crate) use throttle::{Change, Publication};
pub(crate) use waits::Wait;
use waits::Waits;

use crate::{
    backend::ProgressReporter,
    clock::Timestamp,
    manager::{Inner, layers::ToolLayers},
    task::{AsyncTaskResult, SendError, TaskOutcome, TaskSnapshot, TaskSpec, TaskStatus, Timing},
    tool::{CancellationToken, ProgressReport, ToolError},
};

/// Unread messages that a task keeps.
const MESSAGES: usize = 64;

/// Record of one task, shared by the task's future, its handles and the manager.
pub(crate) struct TaskCell {
    pub(crate) spec: TaskSpec,
    pub(crate) accepted: Timestamp,
    /// Layers of its tool; `None` if the tool is gone, and in unit tests of the record.
    pub(crate) layers: Option<Arc<ToolLayers>>,
    /// True once its call is known to run on the blocking pool.
    is_blocking: AtomicBool,
    /// Manager that runs the task; never alive on a worker.
    manager: Weak<Inner>,
    /// Task that submitted this one, also on another manager: it ends after this one, unless this one is detached.
    awaited_by: Weak<Self>,
    cancellation: CancellationToken,
    state: Mutex<State>,
    /// Notified after each change that [`wait_for`](Self::wait_for) can wait for.
    changed: Notify,
}

#[derive(Default)]
struct State {
    phase: Phase,
    attempts: Attempts,
    stopping: Stopping,
    /// True once the function has left the task to be completed from outside.
    is_deferred: bool,
    /// True once the future must be dropped instead of polled.
    is_aborted: bool,
    /// True if the task may outlive the one that submitted it.
    is_detached: bool,
    polling: Polling,
    admission: Admission,
    extras: Option<Box<Extras>>,
}

#[derive(Default)]
enum Phase {
    /// Accepts answers and results from outside.
    #[default]
    Open,
    /// The outcome is decided but not published yet.
    Ended,
    Settled(Arc<AsyncTaskResult>),
}

/// Progress of a function that was told to stop.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stopping {
    #[default]
    No,
    /// The function tidies up within its stop timeout.
    Tidying,
    /// The function returned a value, which may be partial.
    Partial,
}

/// State that most tasks never have.
#[derive(Default)]
struct Extras {
    cancel_reason: Option<Arc<str>>,
    /// Result from outside; it overrides the function's result.
    resolution: Option<Result<Value, ToolError>>,
    /// Shared run of this call; the latest one if a layer tried the call again.
    shared_run: Option<Arc<TaskCell>>,
    /// Calls that wait for this shared run; `None` for an ordinary task.
    waiters: Option<Vec<Weak<TaskCell>>>,
    /// Tasks whose functions wait for this one by its handle.
    awaiting: Vec<Weak<TaskCell>>,
    progress: Option<ProgressReport>,
    /// Publication of progress.
    reports: Throttle,
    /// Latest checkpoint of an attempt in this process.
    checkpoint: Option<Arc<Value>>,
    questions: Questions,
    waits: Waits,
    children: Vec<Weak<TaskCell>>,
    /// Deadline of the completion from outside.
    deferred_until: Option<Deadline>,
    /// True while the agent that carries out this call does something by itself.
    is_busy: bool,
    /// True if an agent carries out this call.
    is_agent: bool,
    /// True once the session of this call is left to another process.
    is_left: bool,
    /// True if the task stops because the agent of its session is gone.
    is_abandoned: bool,
    messages: VecDeque<String>,
    failed: Option<Box<FailedAttempts>>,
    /// Span that records the outcome of the task.
    span: Option<Span>,
    /// `traceparent` of that span.
    traceparent: Option<Arc<str>>,
    /// Sender of progress to the engine; only on a worker.
    reporter: Option<ProgressReporter>,
}

/// A moment on both clocks: tokio's, which is waited for, and the one that a journal has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) time: Timestamp,
}

/// Holdings that an ended task returns.
pub(crate) struct Released {
    pub(crate) holding: Holding,
    /// Result from outside. It takes precedence, because its caller was told that it counts.
    pub(crate) resolution: Option<Result<Value, ToolError>>,
    /// True if the future was in quarantine, and is gone now.
    pub(crate) was_given_up: bool,
}

impl TaskCell {
    pub(crate) fn new(
        spec: TaskSpec,
        accepted: Timestamp,
        layers: Option<Arc<ToolLayers>>,
        manager: Weak<Inner>,
    ) -> Arc<Self> {
        Self::below(&Weak::new(), spec, accepted, layers, manager)
    }

    /// Record of a task that `awaited_by` has submitted.
    pub(crate) fn below(
        awaited_by: &Weak<Self>,
        spec: TaskSpec,
        accepted: Timestamp,
        layers: Option<Arc<ToolLayers>>,
        manager: Weak<Inner>,
    ) -> Arc<Self> {
        let parts = (spec, accepted, layers, manager);
        Self::of_parts(parts, CancellationToken::new(), Weak::clone(awaited_by))
    }

    /// Record of a task that an engine stops with its own signal.
    pub(crate) fn with_cancellation(
        spec: TaskSpec,
        accepted: Timestamp,
        layers: Option<Arc<ToolLayers>>,
        manager: Weak<Inner>,
        cancellation: CancellationToken,
    ) -> Arc<Self> {
        Self::of_parts((spec, accepted, layers, manager), cancellation, Weak::new())
    }

    fn of_parts(
        (spec, accepted, layers, manager): (TaskSpec, Timestamp, Option<Arc<ToolLayers>>, Weak<Inner>),
        cancellation: CancellationToken,
        awaited_by: Weak<Self>,
    ) -> Arc<Self> {
        Arc::new(Self {
            spec,
            accepted,
            layers,
            is_blocking: AtomicBool::new(false),
            manager,
            awaited_by,
            cancellation,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Sets the sender of progress to the engine.
    pub(crate) fn set_reporter(&self, reporter: ProgressReporter) {
        self.state().extras().reporter = Some(reporter);
    }

    /// Sends progress to the engine, on a worker.
    pub(crate) fn report_to_engine(&self, report: ProgressReport) {
        let reporter = self.state().extras.as_ref().and_then(|extras| extras.reporter.clone());
        let Some(reporter) = reporter else { return };
        self.report(report);
        // The engine decides when it is published.
        if let Some(latest) = self.progress() {
            reporter.report(latest);
        }
    }

    /// Record for a shared run of this call. It has no deadline: each waiter leaves the run at its own.
    pub(crate) fn new_shared_run(&self) -> Arc<Self> {
        let spec = TaskSpec {
            deadline: None,
            ..self.spec.clone()
        };
        let run = Self::new(spec, self.accepted, self.layers.clone(), Weak::clone(&self.manager));
        run.is_blocking.store(self.is_blocking(), Ordering::Relaxed);
        run
    }

    /// Notes that the call runs on the blocking pool. Before its admission: its slot is chosen by this.
    pub(crate) fn set_blocking(&self) {
        self.is_blocking.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_blocking(&self) -> bool {
        self.is_blocking.load(Ordering::Relaxed)
    }

    /// True if this manager runs the task.
    pub(crate) fn is_run_by(&self, manager: &Arc<Inner>) -> bool {
        self.manager.as_ptr() == Arc::as_ptr(manager)
    }

    pub(crate) fn manager(&self) -> Option<Arc<Inner>> {
        self.manager.upgrade()
    }

    pub(crate) fn status(&self) -> TaskStatus {
        // Asked before, because it locks the records of other tasks.
        let asks = self.has_question();
        let state = self.state();
        match &state.phase {
            Phase::Settled(result) => result.status(),
            Phase::Open | Phase::Ended => TaskStatus::of_open(asks, state.attempts.started.is_some()),
        }
    }

    pub(crate) fn snapshot(self: &Arc<Self>) -> TaskSnapshot {
        TaskSnapshot {
            task: self.spec.task,
            number: self.spec.number,
            parent: self.spec.parent,
            session: self.spec.session.clone(),
            tool: self.spec.call.name.clone(),
            // Read first: what is seen afterwards holds at least until then.
            at: self.manager().map_or(self.accepted, |manager| manager.now()),
            status: self.status(),
            accepted: self.accepted,
            started: self.started(),
            attempts: self.all_attempts(),
            latest_attempts: self.latest_attempts(),
            progress: self.progress(),
            waits_for: self.waits_for(),
            request: self.request(),
            deferred: self
                .shared_run()
                .map_or_else(|| self.is_deferred(), |shared_run| shared_run.is_deferred()),
        }
    }

    pub(crate) fn result(&self) -> Option<Arc<AsyncTaskResult>> {
        match &self.state().phase {
            Phase::Settled(result) => Some(Arc::clone(result)),
            Phase::Open | Phase::Ended => None,
        }
    }

    /// Waits for the result. Cancel safe.
    pub(crate) async fn settled(&self) -> Arc<AsyncTaskResult> {
        self.wait_for(|state| match &state.phase {
            Phase::Settled(result) => Some(Arc::clone(result)),
            Phase::Open | Phase::Ended => None,
        })
        .await
    }

    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.state().phase, Phase::Settled(_))
    }

    /// True once the end of the task is decided.
    pub(crate) fn has_ended(&self) -> bool {
        !self.state().is_open()
    }

    /// Signal to stop.
    pub(crate) const fn cancellation(&self) -> &CancellationToken {
        &self.cancellation
    }

    /// True if the task was told to stop, by the manager or by a worker's engine.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Tells the task to stop. The first reason stays.
    pub(crate) fn request_cancel(&self, reason: String) {
        self.state().extras().cancel_reason.get_or_insert_with(|| reason.into());
        self.cancellation.cancel();
    }

    pub(crate) fn cancel_reason(&self) -> Option<Arc<str>> {
        self.state().extras.as_ref()?.cancel_reason.clone()
    }

    /// True while the function tidies up after it was told to stop.
    pub(crate) fn is_tidying(&self) -> bool {
        self.state().stopping == Stopping::Tidying
    }

    pub(crate) fn begin_tidying(&self) {
        self.state().stopping = Stopping::Tidying;
    }

    pub(crate) fn end_tidying(&self) {
        let mut state = self.state();
        if state.stopping == Stopping::Tidying {
            state.stopping = Stopping::No;
        }
    }

    /// True if the function was told to stop before it returned its value.
    pub(crate) fn is_partial(&self) -> bool {
        self.state().stopping == Stopping::Partial
    }

    pub(crate) fn set_partial(&self) {
        self.state().stopping = Stopping::Partial;
    }

    pub(crate) fn is_remote(&self) -> bool {
        self.layers.as_ref().is_some_and(|layers| layers.is_remote)
    }

    /// Completes the task from outside; false if its outcome was decided before.
    pub(crate) fn resolve(&self, end: Result<Value, ToolError>) -> bool {
        let mut state = self.state();
        let is_first = state.is_open() && state.resolution().is_none();
        if is_first {
            state.extras().resolution = Some(end);
            drop(state);
            self.changed.notify_waiters();
        }
        is_first
    }

    /// Result from outside, if there is one.
    pub(crate) fn resolved(&self) -> Option<Result<Value, ToolError>> {
        self.state().resolution().cloned()
    }

    /// Waits for the result from outside.
    pub(crate) async fn resolution(&self) -> Result<Value, ToolError> {
        self.wait_for(|state| state.resolution().cloned()).await
    }

    /// Decides the outcome of the task: the result from outside if there is one, otherwise `result`.
    pub(crate) fn conclude(&self, result: Result<Value, ToolError>) -> Result<Value, ToolError> {
        let mut state = self.state();
        state.end();
        let resolution = state.resolution().cloned();
        drop(state);
        self.changed.notify_waiters();
        resolution.unwrap_or(result)
    }

    /// Ends the task and returns its holdings. `is_future_gone` also drops the state of its future, because a record is
    /// kept longer.
    pub(crate) fn end(&self, is_future_gone: bool) -> Released {
        let mut state = self.state();
        state.end();
        let holding = state.admission.give_back();
        let resolution = state.resolution().cloned();
        let polling = if is_future_gone {
            std::mem::take(&mut state.polling)
        } else {
            Polling::default()
        };
        drop(state);
        self.changed.notify_waiters();
        Released {
            holding,
            resolution,
            was_given_up: polling.is_given_up(),
        }
    }

    /// Ends the task unless it was told to stop or was completed from outside; false then.
    pub(crate) fn end_untouched(&self) -> bool {
        let mut state = self.state();
        let is_told_to_stop = state
            .extras
            .as_ref()
            .is_some_and(|extras| extras.cancel_reason.is_some());
        let is_untouched = state.is_open() && !is_told_to_stop && state.resolution().is_none();
        if is_untouched {
            state.end();
            drop(state);
            self.changed.notify_waiters();
        }
        is_untouched
    }

    /// Settles the task; `None` if it was settled before.
    pub(crate) fn settle(&self, outcome: TaskOutcome, now: Timestamp) -> Option<Arc<AsyncTaskResult>> {
        let (started, count) = {
            let state = self.state();
            if matches!(state.phase, Phase::Settled(_)) {
                return None;
            }
            (state.attempts.started, state.attempts.count)
        };
        let timing = Timing::new(self.accepted, started, now);
        let outcome = match outcome.readable() {
            TaskOutcome::Failed(error) => TaskOutcome::Failed(error.of_call(&self.spec.call.name)),
            outcome => outcome,
        };
        let mut result = AsyncTaskResult::new(&self.spec, outcome, timing, self.with_earlier(count));
        if let Some(limit) = self.layers.as_ref().and_then(|layers| layers.result_limit) {
            result.limit(limit);
        }
        result.traceparent = self.traceparent();
        let result = Arc::new(result);
        {
            let mut state = self.state();
            if matches!(state.phase, Phase::Settled(_)) {
                return None;
            }
            state.end();
            state.phase = Phase::Settled(Arc::clone(&result));
        }
        self.changed.notify_waiters();
        Some(result)
    }

    /// Keeps a message for the task's function.
    pub(crate) fn send(&self, message: String) -> Result<(), SendError> {
        let mut state = self.state();
        if state.is_deferred || matches!(state.phase, Phase::Settled(_)) {
            return Err(SendError::Ended);
        }
        if self.is_remote() {
            return Err(SendError::Unsupported);
        }
        if let Some(shared_run) = state.open_shared_run() {
            drop(state);
            return shared_run.send(message);
        }
        if !state.is_open() {
            return Err(SendError::Ended);
        }
        let messages = &mut state.extras().messages;
        if messages.len() >= MESSAGES {
            return Err(SendError::Full);
        }
        messages.push_back(message);
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Takes the next message, if there is one.
    pub(crate) fn take_message(&self) -> Option<String> {
        self.state().extras.as_mut()?.messages.pop_front()
    }

    /// Waits for the next message; `None` once the task has ended. Cancel safe.
    pub(crate) async fn next_message(&self) -> Option<String> {
        self.wait_for(|state| {
            if !state.is_open() {
                return Some(None);
            }
            state.extras.as_mut()?.messages.pop_front().map(Some)
        })
        .await
    }

    /// Sets the span that records the outcome of the task.
    pub(crate) fn set_span(&self, span: Span, traceparent: Option<Arc<str>>) {
        let mut state = self.state();
        let extras = state.extras();
        extras.span = Some(span);
        extras.traceparent = traceparent;
    }

    /// The task as an engine gets it: the worker's span is below the one of the call here.
    pub(crate) fn spec_to_send(&self) -> TaskSpec {
        let mut spec = self.spec.clone();
        spec.traceparent = self.traceparent().or(spec.traceparent);
        spec
    }

    /// `traceparent` of the task's span.
    pub(crate) fn traceparent(&self) -> Option<Arc<str>> {
        self.state().extras.as_ref()?.traceparent.clone()
    }

    pub(crate) fn take_span(&self) -> Option<Span> {
        self.state().extras.as_mut()?.span.take()
    }

    pub(crate) fn add_child(&self, child: &Arc<Self>) {
        // Checked without the lock: the child may be a waiter of this very run, and checking it would lock the run
        // again.
        let children = self.children();
        let settled: Vec<_> = children
            .iter()
            .filter(|child| child.is_settled())
            .map(Arc::as_ptr)
            .collect();
        let mut state = self.state();
        let children = &mut state.extras().children;
        children.retain(|known| known.strong_count() > 0 && !settled.contains(&known.as_ptr()));
        children.push(Arc::downgrade(child));
    }

    /// Task that ends after this one, if it is open.
    pub(crate) fn awaited_by(&self) -> Option<Arc<Self>> {
        let above = self.awaited_by.upgrade().filter(|above| !above.has_ended())?;
        (!self.state().is_detached).then_some(above)
    }

    /// Detaches a child: it may outlive this task.
    pub(crate) fn release_child(&self, child: &Arc<Self>) {
        child.state().is_detached = true;
        let mut state = self.state();
        state
            .extras()
            .children
            .retain(|known| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(child)));
    }

    pub(crate) fn children(&self) -> Vec<Arc<Self>> {
        let state = self.state();
        let children = state.extras.iter().flat_map(|extras| &extras.children);
        children.filter_map(Weak::upgrade).collect()
    }

    /// Waits until `find` finds something in the state. Cancel safe.
    async fn wait_for<T>(&self, mut find: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            // Registered before the check, or a change in between would be missed.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = find(&mut self.state()) {
                return found;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    fn end(&mut self) {
        if self.is_open() {
            self.phase = Phase::Ended;
        }
        if let Some(extras) = &mut self.extras {
            extras.messages = VecDeque::new();
        }
    }

    fn resolution(&self) -> Option<&Result<Value, ToolError>> {
        self.extras.as_ref()?.resolution.as_ref()
    }

    fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }
}
