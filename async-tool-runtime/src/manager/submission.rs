//! How a call becomes a task.

use std::sync::Arc;

use tokio::runtime::Handle;
use tracing::Span;

use super::{
    Inner,
    carrier::Idle,
    run::{self, RunGuard, Task, Work},
    same::key_of,
    table::Inserted,
};
use crate::{
    SessionId, SubmitError, TaskEvent, TaskOutcome, TaskSpec, Timestamp, ToolCall,
    manager::path::Path,
    task::{Beginning, TaskCell},
    tool::{BoundCall, ToolError, ToolErrorKind},
};

/// All that a call needs to be carried out.
struct Ready<'a> {
    path: &'a Arc<Path>,
    bound: BoundCall,
    /// The runtime of the caller.
    runtime: Handle,
}

impl Inner {
    /// Accepts a task, or finds the one that has its id; returns what `give` makes of its record.
    pub(super) fn submit<T>(
        self: &Arc<Self>,
        mut spec: TaskSpec,
        parent: Option<&Arc<TaskCell>>,
        now: Timestamp,
        give: impl FnOnce(&Arc<TaskCell>) -> T,
    ) -> Result<T, SubmitError> {
        let ready = match self.prepare(&spec.call) {
            Ok(ready) => ready,
            Err(error) => return Err(self.refuse(spec.call, error)),
        };
        if parent.is_none() {
            spec.deadline = spec.deadline.or_else(|| self.deadline_after(now));
        }
        let (beginning, carrier) = self.beginning(&spec.session, &ready, parent.is_some(), now);
        let has_slot = beginning.slot.is_some();
        let cell = TaskCell::renew(beginning, spec);
        self.accept(cell, has_slot, carrier, ready, parent, give)
    }

    /// The same for a call of a host's. Its task is made where it stays: moved there, it would be copied.
    pub(super) fn submit_call<T>(
        self: &Arc<Self>,
        session: &SessionId,
        call: ToolCall,
        give: impl FnOnce(&Arc<TaskCell>) -> T,
    ) -> Result<T, SubmitError> {
        let now = self.now();
        let ready = match self.prepare(&call) {
            Ok(ready) => ready,
            Err(error) => return Err(self.refuse(call, error)),
        };
        let (beginning, carrier) = self.beginning(session, &ready, false, now);
        let has_slot = beginning.slot.is_some();
        let cell = TaskCell::renew_for(beginning, session, call, self.deadline_after(now));
        self.accept(cell, has_slot, carrier, ready, None, give)
    }

    /// Finds all that a call needs.
    // Always, as all that most tasks go through here: what is put together in one function and taken apart in another is copied in between,
    // which takes as long as several locks.
    #[inline(always)]
    fn prepare(&self, call: &ToolCall) -> Result<Ready<'_>, ToolError> {
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
        let path = self.executor.path(&call.name)?;
        let bound = path.attempt.bind(&call.arguments)?;
        self.runtime.get_or_init(|| runtime.clone());
        Ok(Ready { path, bound, runtime })
    }

    fn deadline_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.task_timeout.map(|timeout| now.after(timeout))
    }

    /// What a task's record is made of, and who carries it out: under one lock, because most tasks need nothing but a slot, and there is one.
    #[inline(always)]
    fn beginning<'a>(
        &self,
        session: &SessionId,
        Ready { path, runtime, .. }: &Ready<'a>,
        has_parent: bool,
        accepted: Timestamp,
    ) -> (Beginning<'a>, Option<Idle>) {
        let mut gate = self.queue();
        let slot = if path.needs_only_a_slot && !has_parent {
            gate.try_start(session, path.lane, accepted)
        } else {
            None
        };
        let spare = self.spares.take(&mut gate.spares);
        let carrier = if slot.is_some() {
            self.idle_carrier(&mut gate, runtime)
        } else {
            None
        };
        let beginning = Beginning {
            accepted,
            path: Some(path),
            slot,
            spare,
        };
        (beginning, carrier)
    }

    /// Lets a task in, unless there is no room.
    #[inline(always)]
    fn accept<T>(
        self: &Arc<Self>,
        cell: Arc<TaskCell>,
        has_slot: bool,
        carrier: Option<Idle>,
        Ready { path, bound, runtime }: Ready<'_>,
        parent: Option<&Arc<TaskCell>>,
        give: impl FnOnce(&Arc<TaskCell>) -> T,
    ) -> Result<T, SubmitError> {
        let inserted = self.tasks().insert(&cell, parent);
        match inserted {
            Inserted::New => {}
            Inserted::Known(known) => {
                self.leave_slot(&cell);
                return Ok(give(&known));
            }
            Inserted::Closing => {
                self.leave_slot(&cell);
                let error = ToolError::new(ToolErrorKind::Unavailable, "the manager is shutting down");
                return Err(self.refuse(cell.spec.call.clone(), error.with_retryable(false)));
            }
        }
        let given = give(&cell);
        let work = match &self.backend {
            // The worker binds again, where the tool is.
            Some(backend) => Work::Remote(Arc::clone(backend)),
            None => Work::Here(bound),
        };
        // First a guard, and then the span: those who look at spans may panic.
        if has_slot {
            let guard = RunGuard::new(self, cell);
            let span = self.span_of(&guard.cell);
            self.publish(|| TaskEvent::Accepted(guard.cell.snapshot()));
            run::start_guarded(guard, work, &runtime, span, carrier);
            return Ok(given);
        }
        match self.accept_without_slot(&cell, path, work, runtime, parent) {
            Ok(()) => Ok(given),
            Err(error) => {
                self.withdraw(&cell, &error);
                Err(self.refuse(cell.spec.call.clone(), error))
            }
        }
    }

    fn accept_without_slot(
        self: &Arc<Self>,
        cell: &Arc<TaskCell>,
        path: &Path,
        work: Work,
        runtime: Handle,
        parent: Option<&Arc<TaskCell>>,
    ) -> Result<(), ToolError> {
        if let Some(parent) = parent {
            // First among its children, and then the look: one that ends after the look stops this one, before it begins or later.
            parent.add_child(cell);
            if parent.is_over() {
                parent.release_child(cell);
                let error = ToolError::new(ToolErrorKind::Cancelled, "the task that submits it has ended");
                return Err(error.with_not_started().with_retryable(false));
            }
        }
        let guard = RunGuard::new(self, Arc::clone(cell));
        let span = self.span_of(cell);
        let task = Task {
            cell: guard.disarm(),
            work,
            runtime,
            span,
        };
        self.let_in(path, task)
    }

    /// The span of a task. Nothing of it is made where nobody looks at it.
    #[inline(always)]
    fn span_of(&self, cell: &TaskCell) -> Span {
        let span = tracing::info_span!(
            "execute_tool",
            "otel.name" = %format_args!("execute_tool {}", cell.spec.call.name),
            "gen_ai.operation.name" = "execute_tool",
            "gen_ai.tool.name" = &*cell.spec.call.name,
            "gen_ai.tool.call.id" = cell.spec.call.id.as_str(),
            "gen_ai.conversation.id" = cell.spec.session.as_str(),
            "gen_ai.tool.type" = "function",
            "gen_ai.tool.description" = self.description_of(&cell.spec.call.name),
            "error.type" = tracing::field::Empty,
            "otel.status_code" = tracing::field::Empty,
            task = %cell.spec.task,
        );
        if !span.is_disabled() {
            cell.set_span(span.clone());
        }
        span
    }

    fn description_of(&self, tool: &str) -> Option<&str> {
        let tool = self.executor.registry().find(tool)?;
        Some(&*tool.definition().description)
    }

    /// Takes back the slot of a task that is no new one.
    fn leave_slot(self: &Arc<Self>, cell: &TaskCell) {
        if self.give_back(cell, self.now()) {
            self.dispatch();
        }
    }

    /// Takes back a task that found no room.
    fn withdraw(self: &Arc<Self>, cell: &Arc<TaskCell>, error: &ToolError) {
        // Whoever has found the task by its id in the meantime learns that it is over.
        let settled = cell.settle(TaskOutcome::Failed(error.clone()), self.now());
        if let Some(key) = key_of(cell) {
            self.same().leave(&key, cell);
        }
        // Whoever has found it and ended it has put it among those that have ended.
        if let Some(settled) = settled {
            run::end_span(cell, &settled.outcome);
            self.tasks().withdraw(cell.spec.task);
        }
        self.open_tasks_changed();
    }

    #[cold]
    fn refuse(&self, call: ToolCall, error: ToolError) -> SubmitError {
        // What a model makes up is no name to count by.
        let is_known = error.kind() != ToolErrorKind::UnknownTool;
        self.counters.rejected(if is_known { &call.name } else { "" });
        SubmitError::new(call, error)
    }
}
