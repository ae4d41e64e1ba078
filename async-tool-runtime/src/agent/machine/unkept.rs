//! Tasks that can't run any more, because they need a secret that the journal doesn't have.

use super::AgentMachine;
use crate::{
    agent::ledger::{TaskRecord, Waits},
    id::TaskNo,
    task::TaskOutcome,
    tool::{Effect, InputRequest, ToolError},
};

impl AgentMachine {
    /// Outcome of a task that a resumed session would submit again, but whose arguments the journal doesn't have;
    /// `None` if it has them. A placeholder is never run.
    pub(super) fn end_of_unkept(&self, record: &TaskRecord) -> Option<TaskOutcome> {
        let error = self.refusal_of_unkept(record)?;
        let never_ran = matches!(record.waits, Waits::Answer(InputRequest::Approval { .. }));
        if never_ran || self.policy.effect_of(&record.call.name) == Effect::Read {
            return Some(TaskOutcome::Failed(error));
        }
        let why = "the process that ran it has ended, and a secret in its arguments was not written down; find out what was done before you call the \
                   tool again, with all of its arguments";
        Some(TaskOutcome::Unknown(why.to_owned()))
    }

    /// Refusal of a task that has not begun and whose arguments the journal doesn't have; `None` if it has them.
    pub(super) fn refusal_of_unkept(&self, record: &TaskRecord) -> Option<ToolError> {
        let message = if record.call.redacted {
            "not started: a secret in its arguments was not written down before the program was restarted; call the tool again, with all of its \
             arguments"
                .to_owned()
        } else {
            let source = record.awaits.iter().find(|awaited| self.is_unkept(awaited.task))?.task;
            let tool = &self.ledger.tasks().get(&source)?.call.name;
            format!(
                "not started: the result of {source} (`{tool}`), which it needs, is a secret that was not written down before the program was \
                 restarted; call that tool again"
            )
        };
        Some(ToolError::failed(message))
    }

    /// True if the journal has a placeholder instead of the task's value.
    pub(super) fn is_unkept(&self, number: TaskNo) -> bool {
        let result = self
            .ledger
            .tasks()
            .get(&number)
            .and_then(|record| record.result.as_ref());
        result.is_some_and(|result| result.redacted && result.outcome.is_completed())
    }
}
