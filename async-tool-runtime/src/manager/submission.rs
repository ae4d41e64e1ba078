//! Submission: from a call to an accepted task.

use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tracing::Span;

use super::{
    Inner, TaskCell,
    contents::record_arguments,
    run::{self, RunGuard},
    same::key_of,
    table::Inserted,
    waiting::{Task, Work},
};
use crate::{
    clock::Timestamp,
    id::TaskId,
    manager::{SubmitError, layers::ToolLayers},
    task::{TaskOutcome, TaskSpec},
    tool::{BoundCall, IdempotencyKey, ToolCall, ToolError, ToolErrorKind},
};

/// Layers, bound arguments and runtime of a call.
struct Prepared {
    layers: Arc<ToolLayers>,
    bound: BoundCall,
    /// Runtime of the caller.
    runtime: Handle,
}

impl Inner {
    /// Accepts a task, or returns the known task with the same id.
    pub(super) fn submit(
        self: &Arc<Self>,
        spec: TaskSpec,
        parent: Option<&Arc<TaskCell>>,
        now: Timestamp,
    ) -> Result<Arc<TaskCell>, SubmitError> {
        self.submit_for(spec, parent, &parent.map(Arc::downgrade).unwrap_or_default(), now)
    }

    /// Accepts a task like [`submit`](Self::submit). `awaited_by` is the task that waits for it, which may run on another manager.
    pub(super) fn submit_for(
        self: &Arc<Self>,
        mut spec: TaskSpec,
        parent: Option<&Arc<TaskCell>>,
        awaited_by: &Weak<TaskCell>,
        now: Timestamp,
    ) -> Result<Arc<TaskCell>, SubmitError> {
        let Prepared { layers, bound, runtime } = match self.prepare(&spec.call) {
            Ok(prepared) => prepared,
            Err(error) => return Err(self.refuse(spec.call, error)),
        };
        if parent.is_none() {
            let timeout = self.task_timeout.map(|timeout| spec.clock_from(now).after(timeout));
            spec.deadline = spec.deadline.or(timeout);
        }
        let is_traced = self.traces.are_on();
        if let Some(error) = self.remote.as_ref().and_then(|remote| remote.refusal(&spec, is_traced)) {
            return Err(self.refuse(spec.call, error));
        }
        let cell = TaskCell::below(awaited_by, spec, now, Some(Arc::clone(&layers)), Arc::downgrade(self));
        if self.remote.is_none() && bound.is_blocking() {
            cell.set_blocking();
        }
        let inserted = self.tasks().insert(&cell, parent);
        match inserted {
            Inserted::New if cell.spec.attempt > 1 => self.records().set_between(cell.spec.task, None),
            Inserted::New => {}
            Inserted::Known(known) => return Ok(known),
            Inserted::Closing => {
                let error = ToolError::new(ToolErrorKind::Unavailable, "the manager is shutting down");
                return Err(self.refuse(cell.spec.call.clone(), error.with_retryable(false)));
            }
        }
        let work = match &self.remote {
            // The worker has the tool and binds again.
            Some(remote) => Work::Remote(Arc::clone(remote)),
            None => Work::Here(bound),
        };
        match self.accept(&cell, &layers, work, runtime, parent) {
            Ok(()) => Ok(cell),
            Err(error) => {
                self.withdraw(&cell, &error);
                Err(self.refuse(cell.spec.call.clone(), error))
            }
        }
    }

    /// Accepts a call of a task as its child.
    pub(super) fn submit_child(
        self: &Arc<Self>,
        parent: &Arc<TaskCell>,
        call: ToolCall,
        key: IdempotencyKey,
    ) -> Result<Arc<TaskCell>, SubmitError> {
        let now = self.now();
        let mut spec = TaskSpec::named(TaskId::at(now), parent.spec.session.clone(), call);
        spec.parent = Some(parent.spec.task);
        spec.idempotency_key = Some(key);
        spec.turn = parent.spec.turn;
        spec.deadline = parent.spec.deadline;
        self.submit(spec, Some(parent), now)
    }

    fn prepare(&self, call: &ToolCall) -> Result<Prepared, ToolError> {
        if call.redacted {
            let error = ToolError::new(
                ToolErrorKind::Refused,
                "a part of its arguments was a secret that was not written down; call the tool again, with all of its arguments",
            );
            return Err(error.with_retryable(false));
        }
        let Ok(runtime) = Handle::try_current() else {
            let error = ToolError::new(
                ToolErrorKind::Internal,
                "tasks must be submitted from within a tokio runtime",
            );
            return Err(error.with_model_message("the tool can't be run here"));
        };
        let layers = Arc::clone(self.executor.layers(&call.name)?);
        let bound = layers.attempt.bind(&call.arguments)?;
        self.note_runtime(&runtime);
        Ok(Prepared { layers, bound, runtime })
    }

    /// Admits a task; an error if there is no room.
    fn accept(
        self: &Arc<Self>,
        cell: &Arc<TaskCell>,
        layers: &ToolLayers,
        work: Work,
        runtime: Handle,
        parent: Option<&Arc<TaskCell>>,
    ) -> Result<(), ToolError> {
        if let Some(parent) = parent {
            // The child is added before the check: a parent that ends after the check then stops it.
            parent.add_child(cell);
            if parent.has_ended() {
                parent.release_child(cell);
                let error = ToolError::new(ToolErrorKind::Cancelled, "the task that submits it has ended");
                return Err(error.with_not_started().with_retryable(false));
            }
        }
        // The guard comes before the span, because a subscriber may panic.
        let guard = RunGuard::new(self, Arc::clone(cell));
        let span = self.span_of(cell);
        let task = Task {
            cell: guard.disarm(),
            work,
            runtime,
            span,
        };
        self.admit(layers, task)
    }

    /// Removes a task that was not admitted.
    fn withdraw(self: &Arc<Self>, cell: &Arc<TaskCell>, error: &ToolError) {
        // A caller that found the task by its id meanwhile learns that it is over.
        let settled = cell.settle(TaskOutcome::Failed(error.clone()), self.now());
        if let Some(key) = key_of(cell) {
            self.same().leave(&key, cell);
        }
        // Otherwise another thread found the task, ended it, and has retired it.
        if let Some(settled) = settled {
            run::end_span(cell, &settled.outcome);
            self.tasks().withdraw(cell.spec.task);
        }
        self.open_tasks_changed();
    }

    fn refuse(&self, call: ToolCall, error: ToolError) -> SubmitError {
        // A made-up tool name would add a label for every spelling.
        let is_known = error.kind() != ToolErrorKind::UnknownTool;
        self.counters.rejected(if is_known { &call.name } else { "" });
        tracing::debug!(target: "async_tool::task", kind = error.kind().as_str(), tool = if is_known { &*call.name } else { "" }, "a call was refused");
        SubmitError::new(call, error)
    }

    /// Span of a task; costs nothing without a subscriber.
    pub(super) fn span_of(&self, cell: &TaskCell) -> Span {
        let begin = || {
            tracing::info_span!(
                target: "async_tool::span",
                "execute_tool",
                "otel.name" = %format_args!("execute_tool {}", cell.spec.call.name),
                "gen_ai.operation.name" = "execute_tool",
                "gen_ai.tool.name" = &*cell.spec.call.name,
                "gen_ai.tool.call.id" = cell.spec.call.id.as_str(),
                "gen_ai.conversation.id" = cell.spec.session.as_str(),
                "gen_ai.tool.type" = "function",
                "gen_ai.tool.call.arguments" = tracing::field::Empty,
                "gen_ai.tool.call.result" = tracing::field::Empty,
                "error.type" = tracing::field::Empty,
                "otel.status_code" = tracing::field::Empty,
                task = %cell.spec.task,
            )
        };
        let span = self.traces.within(cell.spec.traceparent.as_deref(), begin);
        if !span.is_disabled() {
            if self.traces_contents {
                record_arguments(&span, self.executor.registry(), &cell.spec);
            }
            let traceparent = self.traces.of(&span);
            cell.set_span(span.clone(), traceparent);
        }
        span
    }
}
