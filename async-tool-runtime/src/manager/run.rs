//! One task from its admission to its end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
};

use serde_json::Value;
use tokio::{
    runtime::Handle,
    time::{sleep, sleep_until},
};
use tracing::{Instrument, Span};

use super::{
    Inner, TaskNews,
    contents::record_result,
    end::{end_in, log_end},
    outcome_of,
    remote_engine::Remote,
    same::key_of,
    task::{Released, TaskCell},
    waiting::{Task, Work},
};
use crate::{
    manager::layers::{CANCELLED, STOP_SLACK, ToolRequest, ToolService, past_deadline, proof_needed, too_late},
    policy::Claim,
    task::{AsyncTaskResult, TaskEvent, TaskOutcome},
    tool::{BoundCall, ToolError, ToolErrorKind},
};

/// Starts a task that has a slot.
pub(super) fn start(inner: &Arc<Inner>, task: Task) {
    let Task {
        cell,
        work,
        runtime,
        span,
    } = task;
    // Made before the task is spawned: a stopped runtime drops the future without polling it.
    let guard = RunGuard::new(inner, cell);
    match work {
        Work::Here(call) => drop(runtime.spawn(run_here(call, guard).instrument(span))),
        Work::Remote(remote) => drop(runtime.spawn(run_there(guard, remote).instrument(span))),
    }
}

// The guard is the last parameter, so it is dropped last: a settled task has dropped its arguments.
async fn run_here(call: BoundCall, guard: RunGuard) {
    if guard.is_over_already() {
        discard(call);
        return guard.finish(None);
    }
    let RunGuard { inner, cell, .. } = &guard;
    let Some(layers) = &cell.layers else { return };
    let run = async {
        let result = inner.executor.run(layers, cell, call).await;
        if cell.is_cancelled() {
            // Boxed to keep the future small, since few tasks need it.
            Box::pin(inner.stop_below(cell)).await;
        }
        result
    };
    let result = cell.until_aborted(pin!(run)).await;
    guard.finish(result);
}

/// Starts a task whose outer layers run before it has a slot.
pub(super) fn start_outer(inner: &Arc<Inner>, task: Task) {
    let Task {
        cell,
        work,
        runtime,
        span,
    } = task;
    let guard = RunGuard::new(inner, Arc::clone(&cell));
    let Some(layers) = &cell.layers else { return };
    let Some(outer) = layers.outer.clone() else { return };
    let call = match work {
        Work::Here(call) => Some(call),
        Work::Remote(_) => None,
    };
    // Claimed here, because futures are first polled in any order.
    let conflict = layers.early_claims.as_ref();
    let claim = conflict.and_then(|layer| layer.claim(inner, &cell, &cell.spec.call.arguments));
    drop(runtime.spawn(run_outer(guard, outer, call, claim).instrument(span)));
}

async fn run_outer(
    guard: RunGuard,
    outer: ToolService,
    call: Option<BoundCall>,
    claim: Option<Result<Claim, ToolError>>,
) {
    let Some(guard) = guard.unless_over() else { return };
    let RunGuard { inner, cell, .. } = &guard;
    let deadline = inner.executor.deadline(&cell.spec);
    let request = ToolRequest::new(Arc::clone(cell), call, deadline).with_claim(claim);
    let is_remote = inner.remote.is_some();
    let stop_timeout = inner.executor.stop_timeout();
    let told_to_stop = async {
        cell.cancellation().cancelled().await;
        if is_remote {
            // The layer of the backend tells the backend and ends by itself.
            return std::future::pending().await;
        }
        sleep(stop_timeout.saturating_add(STOP_SLACK)).await;
    };
    let ended = async {
        let result = outer.run(request).await;
        inner.stop_below(cell).await;
        result
    };
    let run = async {
        tokio::select! {
            biased;
            result = ended => result,
            () = told_to_stop => Err(ToolError::new(ToolErrorKind::Cancelled, "cancelled")),
            // A layer of the host's may wait forever.
            () = too_late(cell, deadline, stop_timeout), if !is_remote => Err(past_deadline()),
        }
    };
    let result = cell.until_aborted(pin!(run)).await;
    guard.finish(result);
}

async fn run_there(guard: RunGuard, remote: Arc<Remote>) {
    let Some(guard) = guard.unless_over() else { return };
    let deadline = guard.inner.executor.deadline(&guard.cell.spec);
    let proved = match proof_needed(&guard.cell, deadline) {
        Some(proof) => proof.await,
        None => Ok(()),
    };
    if let Err(error) = proved {
        return guard.finish(Some(Err(error)));
    }
    let outcome = remote.follow(&guard.cell, deadline).await;
    guard.end(outcome);
}

/// Guard that settles its task and frees its slot, even if the future is dropped.
pub(super) struct RunGuard {
    pub(super) inner: Arc<Inner>,
    pub(super) cell: Arc<TaskCell>,
    pub(super) is_over: bool,
}

impl RunGuard {
    pub(super) fn new(inner: &Arc<Inner>, cell: Arc<TaskCell>) -> Self {
        Self {
            inner: Arc::clone(inner),
            cell,
            is_over: false,
        }
    }

    /// Disarms the guard; the caller ends the task.
    pub(super) fn disarm(mut self) -> Arc<TaskCell> {
        self.is_over = true;
        Arc::clone(&self.cell)
    }

    /// Ends a task that was stopped or completed from outside between its slot and its start; `None` then.
    pub(super) fn unless_over(self) -> Option<Self> {
        if self.is_over_already() {
            self.finish(None);
            return None;
        }
        Some(self)
    }

    fn is_over_already(&self) -> bool {
        self.cell.cancel_reason().is_some() || self.cell.has_ended()
    }

    /// Ends the task with the result of its call; `result` is `None` if the task was aborted.
    pub(super) fn finish(self, result: Option<Result<Value, ToolError>>) {
        let outcome = match result {
            Some(result) => outcome_of(result, &self.cell),
            None => TaskOutcome::Cancelled(String::new()),
        };
        self.end(outcome);
    }

    pub(super) fn end(mut self, outcome: TaskOutcome) {
        self.is_over = true;
        self.inner.end_gone(&self.cell, outcome);
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        if !self.is_over {
            self.end_unfinished();
        }
    }
}

impl RunGuard {
    /// Ends a task whose future was dropped before it was done.
    fn end_unfinished(&self) {
        let outcome = if std::thread::panicking() {
            let error = ToolError::new(ToolErrorKind::Panicked, "the tool panicked while it was dropped");
            TaskOutcome::Failed(
                error.with_model_message("the tool crashed; this is a defect of the tool, not of the call"),
            )
        } else {
            self.cell.abandon();
            TaskOutcome::Cancelled("the runtime that ran the task was shut down".to_owned())
        };
        self.inner.end_gone(&self.cell, outcome);
    }
}

impl Inner {
    /// Ends a task: returns its slot, settles it, and starts the next tasks.
    pub(super) fn end(self: &Arc<Self>, cell: &Arc<TaskCell>, outcome: TaskOutcome) {
        self.end_with(cell, cell.end(false), outcome);
    }

    /// Ends a task whose future is gone.
    fn end_gone(self: &Arc<Self>, cell: &Arc<TaskCell>, outcome: TaskOutcome) {
        self.end_with(cell, self.end_future(cell), outcome);
    }

    /// Takes back the holdings of a task whose future is gone.
    pub(super) fn end_future(&self, cell: &TaskCell) -> Released {
        let released = cell.end(true);
        if released.was_given_up {
            self.quarantine.leave();
        }
        released
    }

    fn end_with(self: &Arc<Self>, cell: &Arc<TaskCell>, released: Released, outcome: TaskOutcome) {
        // The slot is freed first: a caller that sees the outcome and submits the next task must find it free.
        let now = self.now();
        let is_waited_for = self.take_back(released.holding, now);
        let from_outside = released.resolution.or_else(|| cell.shared_run()?.resolved());
        let outcome = from_outside.map_or(outcome, |end| outcome_of(end, cell));
        let outcome = match (outcome, cell.cancel_reason()) {
            (TaskOutcome::Cancelled(said), Some(reason)) => TaskOutcome::Cancelled(match said.as_str() {
                "" | CANCELLED => reason.to_string(),
                said if said == &*reason => reason.to_string(),
                said => format!("{reason}; the tool said: {said}"),
            }),
            (outcome, _) => outcome,
        };
        // Its agent, if the task is below a call of one, has something to do before the call is at rest again.
        if cell.spec.is_of_session()
            && let Some(parent) = cell.spec.parent.and_then(|parent| self.tasks().find(parent))
        {
            parent.set_busy(true);
        }
        match cell.settle(outcome, now) {
            Some(result) => self.tell_settled(cell, result),
            // The task was settled before. If it had no span yet then, the span is closed here.
            None => drop(cell.take_span()),
        }
        if is_waited_for {
            self.dispatch();
        }
    }

    /// Publishes the result of a task.
    fn tell_settled(self: &Arc<Self>, cell: &Arc<TaskCell>, result: Arc<AsyncTaskResult>) {
        let span = end_span(cell, &result.outcome);
        if self.traces_contents && !span.is_disabled() {
            record_result(&span, self.executor.registry(), &cell.spec, &result.outcome);
        }
        span.in_scope(|| log_end(&result));
        drop(span);
        self.counters.settled(&result);
        self.latencies().note(&result);
        if let Some(key) = key_of(cell) {
            self.same().leave(&key, cell);
        }
        // The result of a child task goes to its parent, not to a conversation.
        if cell.spec.is_of_session() {
            let news = match cell.is_cut_short() {
                true => TaskNews::CutShort(Arc::clone(&result)),
                false => TaskNews::Settled(Arc::clone(&result)),
            };
            self.tell_session(&result.session, news);
            self.records().note_end(result.task, result.status(), &result.session);
        }
        self.publish(|| TaskEvent::Settled(Arc::clone(&result)));
        for callback in &self.callbacks {
            if catch_unwind(AssertUnwindSafe(|| callback(&result))).is_err() {
                tracing::error!(target: "async_tool::task", task = %result.task, "a callback of `on_complete` panicked");
            }
        }
        let (evicted, is_idle) = {
            let mut tasks = self.tasks();
            (tasks.retire(result.task), tasks.open_count() == 0)
        };
        // Dropped without the lock: a result may be large.
        drop(evicted);
        self.stop_children(cell);
        self.stir();
        if is_idle {
            self.idle.notify_waiters();
        }
    }

    /// Ends a shared run whose future is gone.
    pub(crate) fn end_shared_run(self: &Arc<Self>, shared_run: &Arc<TaskCell>) {
        let released = self.end_future(shared_run);
        if self.take_back(released.holding, self.now()) {
            self.dispatch();
        }
        self.stop_children(shared_run);
    }

    /// Gives up a shared run that its last waiter has left and that was told to stop.
    pub(crate) fn abandon_shared_run(self: &Arc<Self>, shared_run: &Arc<TaskCell>) {
        for child in shared_run.children() {
            child.request_cancel("the task that had submitted it was told to stop".to_owned());
            stop_now(self, &child, false);
        }
        release_later(self, shared_run);
    }

    /// Waits for the end of the tasks below a task that was told to stop. So a caller that sees its end finds nothing of
    /// it open. They have been told to stop too, and each ends within its stop timeout.
    pub(crate) async fn stop_below(self: &Arc<Self>, cell: &TaskCell) {
        if !cell.is_cancelled() || cell.resolved().is_some() || cell.is_remote() {
            return;
        }
        let mut children = cell.children();
        children.retain(|child| !child.is_settled());
        if children.is_empty() {
            return;
        }
        // Tasks below may need the slot to stop.
        self.release(cell);
        for child in &children {
            child.request_cancel("the task that had submitted it was told to stop".to_owned());
            stop_now(self, child, false);
        }
        for child in children {
            child.settled().await;
        }
    }

    /// Stops the child tasks, which must not outlive their parent.
    pub(super) fn stop_children(self: &Arc<Self>, cell: &TaskCell) {
        for child in cell.children() {
            if !child.is_settled() {
                child.request_cancel("the task that had submitted it has ended".to_owned());
                stop_now(self, &child, false);
            }
        }
    }
}

/// Records the outcome in the span of the task, and returns the span.
pub(super) fn end_span(cell: &TaskCell, outcome: &TaskOutcome) -> Span {
    let span = cell.take_span().unwrap_or_else(Span::none);
    end_in(&span, outcome);
    span
}

/// Settles a task that has not begun with its result from outside.
pub(super) fn end_early(inner: &Arc<Inner>, cell: &Arc<TaskCell>) {
    let Some(end) = cell.resolved() else { return };
    let waiting = cell.take_ticket().and_then(|ticket| inner.queue().remove(ticket));
    inner.unwatch_queue();
    inner.end(cell, outcome_of(end, cell));
    discard(waiting);
    // A future that still waits for a slot ends when it sees the signal; the task is settled already.
    cell.cancellation().cancel();
}

/// Stops a task that was told to stop: at once if it waits for a slot or `abort` is set, otherwise within its stop timeout.
pub(super) fn stop_now(inner: &Arc<Inner>, cell: &Arc<TaskCell>, abort: bool) {
    // All descendants at once: one timeout after the other would multiply the time by the number of levels.
    for child in cell.children() {
        if !child.is_settled() {
            child.request_cancel("the task that had submitted it was told to stop".to_owned());
            stop_now(inner, &child, false);
        }
    }
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
pub(super) fn release_later(inner: &Arc<Inner>, cell: &Arc<TaskCell>) {
    let Some(runtime) = Handle::try_current().ok().or_else(|| inner.runtime()) else {
        return;
    };
    let (inner, cell) = (Arc::downgrade(inner), Arc::downgrade(cell));
    runtime.spawn(async move {
        let Some(limit) = inner.upgrade().map(|inner| inner.executor.stop_timeout()) else {
            return;
        };
        sleep(limit.saturating_add(2 * STOP_SLACK)).await;
        let (Some(inner), Some(cell)) = (inner.upgrade(), cell.upgrade()) else {
            return;
        };
        if !cell.has_ended() {
            give_up(&inner, &cell);
            let released = cell.end(false);
            if inner.take_back(released.holding, inner.now()) {
                inner.dispatch();
            }
        }
    });
}

/// Fails a task that waits for a slot when its deadline comes.
pub(super) fn watch_deadline(inner: &Arc<Inner>, cell: &Arc<TaskCell>, runtime: &Handle) {
    let Some(deadline) = inner.executor.deadline(&cell.spec) else {
        return;
    };
    let (inner, cell) = (Arc::downgrade(inner), Arc::clone(cell));
    runtime.spawn(async move {
        if !is_open_after(&cell, sleep_until(deadline)).await {
            return;
        }
        let Some(inner) = inner.upgrade() else { return };
        let waiting = cell.take_ticket().and_then(|ticket| inner.queue().remove(ticket));
        inner.unwatch_queue();
        if waiting.is_some() {
            let error = ToolError::new(ToolErrorKind::Timeout, "the task's deadline has passed");
            inner.end(&cell, TaskOutcome::Failed(error));
        }
        discard(waiting);
    });
}

/// Waits for `time`; false at once if the task ends before. So a long timer doesn't keep a settled task alive.
async fn is_open_after(cell: &TaskCell, time: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        _ = cell.settled() => false,
        () = time => true,
    }
}

/// Drops a call that never ran. Values from a binder are user code, which may panic when dropped.
pub(super) fn discard<T>(waiting: T) {
    if catch_unwind(AssertUnwindSafe(|| drop(waiting))).is_err() {
        tracing::error!(target: "async_tool::task", "the arguments of a call that never ran panicked when they were dropped");
    }
}
