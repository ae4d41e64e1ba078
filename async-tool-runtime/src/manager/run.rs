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
    manager::layers::{
        CANCELLED, STOP_SLACK, ToolRequest, ToolService, cancelled, past_deadline, proof_needed, too_late,
    },
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
        // A shared run ends after the tasks below it, and has its result then.
        if let Some(shared_run) = cell.shared_run()
            && inner.stop_below(&shared_run).await
        {
            sleep(STOP_SLACK).await;
        }
    };
    let run = async {
        let result = tokio::select! {
            biased;
            result = outer.run(request) => result,
            () = told_to_stop => Err(cancelled()),
            // A layer of the host's may wait forever.
            () = too_late(cell, deadline, stop_timeout), if !is_remote => Err(past_deadline()),
        };
        inner.stop_below(cell).await;
        result
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
        // Its agent, if the task is below a call of one, has something to do before the call is at rest again. It hears of
        // the first end only.
        if cell.spec.is_of_session()
            && !cell.is_settled()
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
            inner.end(&cell, TaskOutcome::Failed(past_deadline()));
        }
        discard(waiting);
    });
}

/// Waits for `time`; false at once if the task ends before. So a long timer doesn't keep a settled task alive.
pub(super) async fn is_open_after(cell: &TaskCell, time: impl Future<Output = ()>) -> bool {
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

#[cfg(test)]
mod tests;
