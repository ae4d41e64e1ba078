//! Tasks of an earlier process that can't simply be submitted again.

use std::{
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, timeout},
};
use tracing::Instrument as _;

use super::{
    AsyncToolManager, Inner, ResolveError, TaskCell, TaskHandle, TaskNews, executor::outcome_of, records::Recorded,
    run::RunGuard, table::Inserted, task::Deadline,
};
use crate::{
    clock::Timestamp,
    id::TaskId,
    manager::{
        SubmitError,
        layers::{ToolLayers, wait_for_resolution},
    },
    task::{AsyncTaskResult, TaskEvent, TaskOutcome, TaskSpec},
    tool::{InputRequest, Reconciled, Reconciler, ToolCall, ToolError, ToolErrorKind},
};

/// Longest time that a result from outside waits for the resumption of its session.
const RESUMED_WITHIN: Duration = Duration::from_secs(10);

/// Counts a session as being resumed until it is dropped: tasks may become known that are not known yet.
pub(crate) struct Resuming(Arc<Inner>);

impl Drop for Resuming {
    fn drop(&mut self) {
        self.0.resumptions.send_modify(|count| *count -= 1);
    }
}

impl AsyncToolManager {
    /// Notes that a session is being resumed.
    pub(crate) fn resuming(&self) -> Resuming {
        self.inner.resuming()
    }

    /// Takes in a task whose function is gone with its process, and waits for its completion from outside. It holds no
    /// slot, and shows its open question, if it had one. It fails at `until`.
    pub(crate) fn await_completion(
        &self,
        spec: TaskSpec,
        request: Option<InputRequest>,
        until: Option<Timestamp>,
        owner: Option<&Arc<TaskCell>>,
    ) -> Result<TaskHandle, SubmitError> {
        let (cell, is_new) = self.inner.take_in(spec, owner)?;
        if let Some(Taken { runtime, .. }) = is_new {
            let now = self.now();
            cell.defer(until.and_then(|time| {
                let at = Instant::now().checked_add(time.since(now))?;
                Some(Deadline { at, time })
            }));
            // The guard comes before the span, because a subscriber may panic.
            let guard = RunGuard::new(&self.inner, Arc::clone(&cell));
            let span = self.inner.span_of(&cell);
            runtime.spawn(wait(guard, request).instrument(span));
        }
        Ok(TaskHandle::new(cell))
    }

    /// Asks the tool of a task for the fate of its earlier run. The session is told that the task ended, or that it was
    /// never started.
    ///
    /// Returns the result of a task that has ended in this process, because the session is not told a second time.
    pub(crate) fn reconcile(
        &self,
        spec: TaskSpec,
        owner: Option<&Arc<TaskCell>>,
    ) -> Result<Option<Arc<AsyncTaskResult>>, SubmitError> {
        let (cell, is_new) = self.inner.take_in(spec, owner)?;
        let Some(Taken { layers, runtime }) = is_new else {
            return Ok(cell.result());
        };
        let guard = RunGuard::new(&self.inner, Arc::clone(&cell));
        let span = self.inner.span_of(&cell);
        // If an agent carries out the call, its session has tasks that are not known yet.
        let resuming = self.inner.resuming();
        let reconciler = layers.and_then(|layers| Some((layers.options.reconcile.clone()?, layers)));
        match reconciler {
            Some((reconciler, layers)) => {
                drop(runtime.spawn(reconcile(guard, layers, reconciler, resuming).instrument(span)));
            }
            None => guard.end(TaskOutcome::Unknown("its outcome can't be found out".to_owned())),
        }
        Ok(None)
    }

    /// Like [`resolve`](Self::resolve), but returns only when the session of the task has written the result down. From
    /// then on the result survives the process, so answer a webhook after this.
    ///
    /// While a session is being resumed, this waits until its tasks are known, at most for ten seconds.
    ///
    /// Nothing is written for a task without a waiting session, because the host submitted it or its session has
    /// dropped it. This is then the same as `resolve`.
    ///
    /// # Errors
    ///
    /// As for [`resolve`](Self::resolve). [`ResolveError::NotWritten`] if the session stopped before: its journal may
    /// lack the result. After [`ResolveError::AlreadySettled`], the end that the task had before is written down too.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the task may already have been completed.
    pub async fn resolve_durably(&self, task: TaskId, output: impl serde::Serialize) -> Result<(), ResolveError> {
        let mut known = self.task(task);
        let mut resolved = self.resolve(task, &output);
        if resolved == Err(ResolveError::Resuming) {
            let _it_takes_longer = timeout(RESUMED_WITHIN, self.inner.resumed(task)).await;
            known = self.task(task);
            resolved = self.resolve(task, &output);
        }
        let handle = match (&resolved, known) {
            // A result that came before may still be on its way to the journal. The caller must not take it for kept.
            (Ok(()) | Err(ResolveError::AlreadySettled(_)), Some(handle)) => handle,
            (Err(ResolveError::AlreadySettled(_)), None) => {
                let ended = self.inner.records().of(task);
                if let Some(Recorded::Ended(_, session)) = ended {
                    let written = self.inner.flush(&session).await;
                    written.map_err(|_| ResolveError::NotWritten)?;
                }
                return resolved;
            }
            _ => return resolved,
        };
        let result = handle.outcome().await;
        // The thread that settles the task may tell the session only after this one. The session gets the result twice
        // and ignores the second.
        if handle.cell().spec.is_of_session() {
            self.inner
                .tell_session(&result.session, TaskNews::Settled(Arc::clone(&result)));
        }
        self.inner
            .flush(&result.session)
            .await
            .map_err(|_| ResolveError::NotWritten)?;
        resolved.map_err(|_| ResolveError::AlreadySettled(result.status()))
    }
}

/// Layers and runtime of a task that was taken in.
struct Taken {
    /// `None` if the tool is not registered any more.
    layers: Option<Arc<ToolLayers>>,
    runtime: Handle,
}

impl Inner {
    fn resuming(self: &Arc<Self>) -> Resuming {
        self.resumptions.send_modify(|count| *count += 1);
        Resuming(Arc::clone(self))
    }

    pub(super) fn is_resuming(&self) -> bool {
        *self.resumptions.borrow() > 0
    }

    /// Waits until a task is submitted again, or no session is being resumed.
    async fn resumed(&self, task: TaskId) {
        let recorded = self.records().of(task);
        if let Some(Recorded::Between(session)) = recorded {
            let _the_session_has_stopped = self.flush(&session).await;
            return;
        }
        let mut resumptions = self.resumptions.subscribe();
        let _this_manager_has_the_sender = resumptions.wait_for(|count| *count == 0).await;
    }

    /// Adds a task of an earlier process to the open tasks. Returns `None` with the known task if the id is known
    /// already.
    fn take_in(
        self: &Arc<Self>,
        mut spec: TaskSpec,
        owner: Option<&Arc<TaskCell>>,
    ) -> Result<(Arc<TaskCell>, Option<Taken>), SubmitError> {
        let refuse = |call: ToolCall, error: ToolError| Err(SubmitError::new(call, error));
        let Ok(runtime) = Handle::try_current() else {
            let error = ToolError::new(
                ToolErrorKind::Internal,
                "tasks must be resumed from within a tokio runtime",
            );
            return refuse(spec.call, error.with_model_message("the tool can't be run here"));
        };
        // A task can be completed from outside although its tool is gone: its function has done its part.
        let layers = self.executor.layers(&spec.call.name).ok().cloned();
        self.note_runtime(&runtime);
        if let Some(owner) = owner {
            spec.parent = Some(owner.spec.task);
            spec.deadline = owner.spec.deadline;
        }
        let now = self.now();
        if let Some(timeout) = self.task_timeout
            && owner.is_none()
        {
            let from = spec.clock_from(now);
            spec.deadline.get_or_insert(from.after(timeout));
        }
        let awaited_by = owner.map(Arc::downgrade).unwrap_or_default();
        let cell = TaskCell::below(&awaited_by, spec, now, layers.clone(), Arc::downgrade(self));
        let inserted = self.tasks().insert(&cell, owner);
        match inserted {
            Inserted::New => {}
            Inserted::Known(known) => return Ok((known, None)),
            Inserted::Closing => {
                let error = ToolError::new(ToolErrorKind::Unavailable, "the manager is shutting down");
                return refuse(cell.spec.call.clone(), error.with_retryable(false));
            }
        }
        self.publish(|| TaskEvent::Accepted(cell.snapshot()));
        if let Some(owner) = owner {
            owner.add_child(&cell);
            if owner.has_ended() {
                self.stop_children(owner);
            }
        }
        Ok((cell, Some(Taken { layers, runtime })))
    }
}

async fn wait(guard: RunGuard, request: Option<InputRequest>) {
    let Some(guard) = guard.unless_over() else { return };
    let RunGuard { inner, cell, .. } = &guard;
    inner.begin(cell);
    let question = request.map(|request| cell.ask(request, Vec::new()));
    if question.is_some() {
        inner.asked(cell);
    }
    let (question, answered) = question.unzip();
    // The question can only be answered by completing the task, but it can still be refused.
    let refused = async {
        match answered {
            Some(answered) => match answered.await {
                Ok(Err(refusal)) => refusal,
                Ok(Ok(_)) | Err(_) => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    };
    let deadline = inner.executor.deadline(&cell.spec);
    let ended = async {
        tokio::select! {
            biased;
            result = wait_for_resolution(cell, deadline) => result,
            refusal = refused => Err(refusal),
        }
    };
    let result = cell.until_aborted(pin!(ended)).await;
    if let Some(question) = question {
        cell.stop_asking(question);
        inner.asked(cell);
    }
    guard.finish(result);
}

async fn reconcile(guard: RunGuard, layers: Arc<ToolLayers>, reconciler: Reconciler, resuming: Resuming) {
    let Some(guard) = guard.unless_over() else { return };
    let RunGuard { inner, cell, .. } = &guard;
    let is_external = layers.options.external;
    let found = Arc::new(OnceLock::new());
    let call = reconciler.bind(cell.spec.call.arguments.clone(), Arc::clone(&found));
    let class = inner.class_of(cell);
    let has_slot = tokio::select! {
        biased;
        () = inner.wait_for_slot(cell, class) => true,
        () = cell.cancellation().cancelled() => false,
    };
    let ended = if has_slot {
        let deadline = inner.executor.deadline(&cell.spec);
        let run = layers.attempt.run(cell, call, deadline);
        let Some(ended) = cell.until_aborted(pin!(run)).await else {
            return guard.finish(None);
        };
        ended
    } else {
        Err(ToolError::new(ToolErrorKind::Cancelled, "it was told to stop"))
    };
    // The attempts of the reconciler are not attempts of the tool's function.
    cell.set_attempts(1);
    drop(resuming);
    let unknown = |why: &str| TaskOutcome::Unknown(format!("the process that ran it has ended, and {why}"));
    let outcome = match (ended, found.get()) {
        (Ok(_), Some(Reconciled::NotStarted)) => return guard.withdraw(),
        (Ok(_), Some(Reconciled::Waiting)) => return wait_outside(guard).await,
        (Ok(_), Some(Reconciled::Completed(value))) => match inner.executor.check_result(&cell.spec.call.name, value) {
            Ok(()) => TaskOutcome::Completed(value.clone()),
            Err(problem) => unknown(&format!("what was found out is no result of the tool: {problem}")),
        },
        // An error says by its kind if the task was cancelled or its outcome is unknown, as that of a function does.
        (Ok(_), Some(Reconciled::Failed(error))) => outcome_of(Err(error.clone()), cell),
        (Ok(_), Some(Reconciled::Unknown(why))) => TaskOutcome::Unknown(why.clone()),
        (Ok(_), None) => unknown("its outcome was not found out"),
        // Another agent of the session finds it out again.
        (Err(_), _) if cell.is_abandoned() => TaskOutcome::Cancelled(String::new()),
        (Err(error), _) => {
            tracing::warn!(target: "async_tool::task", task = %cell.spec.task, tool = &*cell.spec.call.name, kind = error.kind().as_str(), "it could not be found out what became of a task");
            if is_external && !cell.is_cancelled() {
                return wait_outside(guard).await;
            }
            unknown(&format!(
                "it could not be found out what became of it: {}",
                error.model_message()
            ))
        }
    };
    guard.end(outcome);
}

/// Waits for the completion of a task whose tool says that it is at work outside.
async fn wait_outside(guard: RunGuard) {
    let RunGuard { inner, cell, .. } = &guard;
    inner.release(cell);
    cell.defer(None);
    inner.deferred(cell);
    let ended = wait_for_resolution(cell, inner.executor.deadline(&cell.spec));
    let result = cell.until_aborted(pin!(ended)).await;
    guard.finish(result);
}

impl RunGuard {
    /// Removes a task that was never started: the session submits it again. Ends a task that was told to stop or was
    /// completed from outside.
    fn withdraw(mut self) {
        let task = self.cell.spec.task;
        let session = &self.cell.spec.session;
        self.inner.records().set_between(task, Some(session));
        if !self.cell.end_untouched() {
            self.inner.records().set_between(task, None);
            return self.end(TaskOutcome::Cancelled(String::new()));
        }
        self.is_over = true;
        let Self { inner, cell, .. } = &self;
        drop(cell.take_span());
        let (now, released) = (inner.now(), inner.end_future(cell));
        let is_waited_for = inner.take_back(released.holding, now);
        // For callers that found the task by its id. The session isn't told: its task goes on under this id.
        let why = "it had not begun before the restart, and is submitted again under the same id";
        let is_settled_here = cell.settle(TaskOutcome::Cancelled(why.to_owned()), now).is_some();
        // If another thread ended the task in this moment, that thread has retired it and told the session.
        if is_settled_here {
            inner.tasks().withdraw(cell.spec.task);
            if cell.spec.is_of_session() {
                inner.tell_session(&cell.spec.session, TaskNews::NotStarted(cell.spec.task));
            }
            inner.open_tasks_changed();
        }
        if is_waited_for {
            inner.dispatch();
        }
    }
}
