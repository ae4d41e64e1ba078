//! Answers, consent and results from outside.

use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::{AsyncToolManager, TaskCell, run};
use crate::{
    id::TaskId,
    task::TaskStatus,
    tool::{Constraints, InputRequest, ToolError, ToolErrorKind},
};

impl AsyncToolManager {
    /// Completes a task from outside: one whose function has [deferred](crate::tool::ToolContext::defer) it, or will. The value must fit the
    /// tool's output schema, if it has one. A task that waits for a slot is completed without having run; one that runs is
    /// completed and its function dropped.
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, has ended, or the value doesn't fit; nothing has changed then.
    pub fn resolve(&self, task: TaskId, output: impl Serialize) -> Result<(), ResolveError> {
        let cell = self.open_cell(task)?;
        let output = serde_json::to_value(output).map_err(|error| ResolveError::Invalid(error.to_string()))?;
        let definition = self.registry().find(&cell.spec.call.name).map(|tool| tool.definition());
        if let Some(schema) = definition.and_then(|definition| definition.output_schema.as_deref()) {
            check(schema, &output).map_err(ResolveError::Invalid)?;
        }
        self.end_from_outside(&cell, Ok(output))
    }

    /// Fails a task from outside; as [`resolve`](Self::resolve), with an error.
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, or has ended.
    pub fn resolve_error(&self, task: TaskId, error: ToolError) -> Result<(), ResolveError> {
        let cell = self.open_cell(task)?;
        self.end_from_outside(&cell, Err(error))
    }

    /// Answers the question of a task in [`TaskStatus::InputRequired`](crate::task::TaskStatus::InputRequired). The answer must fit the
    /// schema of the question.
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, has ended, asks for no input, or the answer doesn't fit; or the function that asked has gone
    /// with its process. The question stays open then.
    pub fn answer(&self, task: TaskId, answer: impl Serialize) -> Result<(), ResolveError> {
        let answer = serde_json::to_value(answer).map_err(|error| ResolveError::Invalid(error.to_string()))?;
        self.reply(task, |request| match request {
            InputRequest::Input { schema, .. } => match check(schema, &answer) {
                Ok(()) => Ok(Ok(answer)),
                Err(problem) => Err(ResolveError::Invalid(problem)),
            },
            InputRequest::Approval { .. } => Err(ResolveError::NotAsked),
        })
    }

    /// Lets a call run that needs consent.
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, has ended, or doesn't ask for consent.
    pub fn approve(&self, task: TaskId) -> Result<(), ResolveError> {
        self.reply(task, |request| match request {
            InputRequest::Approval { .. } => Ok(Ok(Value::Null)),
            InputRequest::Input { .. } => Err(ResolveError::NotAsked),
        })
    }

    /// Refuses consent, or an answer. A call that needs consent fails with [`ToolErrorKind::Refused`] and this reason, which the
    /// model reads; a tool that asked gets the same as an error.
    ///
    /// # Errors
    ///
    /// [`ResolveError`]: the task isn't known, has ended, or asks nothing.
    pub fn refuse(&self, task: TaskId, reason: impl Into<String>) -> Result<(), ResolveError> {
        let reason = reason.into();
        self.reply(task, |request| {
            let what = match request {
                InputRequest::Approval { .. } => "the call was refused",
                InputRequest::Input { .. } => "the question was not answered",
            };
            Ok(Err(ToolError::new(ToolErrorKind::Refused, format!("{what}: {reason}"))))
        })
    }

    fn reply(
        &self,
        task: TaskId,
        check: impl FnOnce(&InputRequest) -> Result<Result<Value, ToolError>, ResolveError>,
    ) -> Result<(), ResolveError> {
        let cell = self.open_cell(task)?;
        let asking = cell.working();
        let check = |request: &InputRequest| match check(request) {
            Ok(Ok(_)) if asking.is_deferred() => Err(ResolveError::Gone),
            checked => checked,
        };
        asking.answer(check).unwrap_or(Err(ResolveError::NotAsked))
    }

    fn end_from_outside(&self, cell: &Arc<TaskCell>, end: Result<Value, ToolError>) -> Result<(), ResolveError> {
        let runs = cell.working();
        // After that: of a run that is over, nobody ends what is left, and whoever was told that theirs counts is right.
        if cell
            .shared_run()
            .is_some_and(|shared_run| !Arc::ptr_eq(&shared_run, &runs) && shared_run.resolved().is_some())
        {
            return Err(ResolveError::AlreadySettled(cell.status()));
        }
        let has_begun = runs.started().is_some();
        // Of calls that share a run that has not begun, only this one ends.
        let is_first = if has_begun {
            runs.resolve(end)
        } else {
            cell.resolve(end)
        };
        if !is_first {
            return Err(ResolveError::AlreadySettled(cell.status()));
        }
        if !has_begun {
            run::end_early(&self.inner, cell);
            return Ok(());
        }
        // The function may still be at it, also one that has deferred its task. It is dropped, like one that is told to stop.
        runs.defer();
        runs.cancellation().cancel();
        Ok(())
    }

    fn open_cell(&self, task: TaskId) -> Result<Arc<TaskCell>, ResolveError> {
        let cell = self.inner.tasks().find(task).ok_or(ResolveError::UnknownTask)?;
        match cell.status() {
            ended if ended.is_terminal() => Err(ResolveError::AlreadySettled(ended)),
            _ => Ok(cell),
        }
    }
}

/// An answer or a result from outside did not reach its task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResolveError {
    /// The manager knows no such task.
    UnknownTask,
    /// The task has already been settled, with this status; or, where that is none of an end, the end that it was given from outside is on
    /// its way.
    AlreadySettled(TaskStatus),
    /// The task doesn't ask for that.
    NotAsked,
    /// The function that asked has gone with its process, and must not run twice.
    Gone,
    /// The session of the task has stopped before the result was written down.
    NotWritten,
    /// The value doesn't fit: where, what was expected, what came.
    Invalid(String),
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTask => {
                f.write_str("there is no such task; ask the manager that runs it, before it forgets it")
            }
            Self::AlreadySettled(status) if !status.is_terminal() => {
                f.write_str("the task was given its end before; ask for its outcome to see which")
            }
            Self::AlreadySettled(status) => write!(f, "the task is already settled: {status}"),
            Self::NotAsked => f.write_str("the task doesn't ask for that; its snapshot says what it asks for"),
            Self::Gone => f.write_str(
                "the function that asked has gone with its process, and must not run twice; complete the task with `resolve`, or refuse",
            ),
            Self::NotWritten => f.write_str("the session of the task has stopped before the result was written down"),
            Self::Invalid(problem) => write!(f, "the value doesn't fit: {problem}"),
        }
    }
}

impl std::error::Error for ResolveError {}

pub(super) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    Constraints::of(schema).check_all(schema, value)
}
