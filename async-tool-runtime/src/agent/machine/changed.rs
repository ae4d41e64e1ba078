//! Tasks that an earlier program accepted, and that the tools of this program can't run in the same way.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    AgentMachine,
    recovery::{Fate, LOST},
};
use crate::{
    agent::ledger::{TaskRecord, Waits},
    id::TaskNo,
    journal::Entry,
    task::TaskOutcome,
    tool::{InputRequest, ToolCall, ToolError, ToolErrorKind, overdue},
};

impl AgentMachine {
    /// Fate of a task whose tool is gone. Its function can't run, so only a completion from outside can still come.
    pub(super) fn fate_of_gone(&self, record: &TaskRecord) -> Fate {
        let tool = &record.call.name;
        let fail = |message: String| {
            let error = ToolError::new(ToolErrorKind::UnknownTool, message);
            Fate::End(TaskOutcome::Failed(error.with_retryable(false)))
        };
        match (&record.waits, record.cancel.clone()) {
            (Waits::Completion(_) | Waits::Answer(_), Some(reason)) => Fate::End(TaskOutcome::Cancelled(reason)),
            // Its function had done its part in the earlier program, and its completion needs only its id.
            (Waits::Completion(Some(until)), None) if *until <= self.now => Fate::End(TaskOutcome::Failed(overdue())),
            (Waits::Completion(until), None) => Fate::Wait(None, *until),
            (Waits::Answer(InputRequest::Approval { .. }), None) => fail(format!(
                "not started: it waited for approval, and the tool `{tool}` is not registered any more"
            )),
            (Waits::Answer(_) | Waits::Nothing, _) => fail(format!(
                "{LOST}, and the tool `{tool}` is not registered any more; what it had done by then is not known"
            )),
        }
    }

    /// Outcome of a ready task whose arguments don't fit its tool any more, if it would be submitted.
    pub(super) fn end_of_unfit(&self, record: &TaskRecord) -> Option<TaskOutcome> {
        if self.policy.is_attached {
            return None;
        }
        // Arguments that can't be filled in are refused when the task is submitted.
        let call = self.filled(record).ok()?;
        self.refusal_of_unfit(record, &call).map(TaskOutcome::Failed)
    }

    /// Refusal of a call that an earlier program accepted, if its tool is gone, or its arguments don't fit the tool any more.
    ///
    /// The manager would refuse it too. But the model made the call by another schema, and must be told that it changed.
    pub(super) fn refusal_of_unfit(&self, record: &TaskRecord, call: &ToolCall) -> Option<ToolError> {
        let Some(tool) = self.policy.tool(&call.name) else {
            // Only a task that waited for another's result comes here; its function has never run.
            let message = format!("not started: the tool `{}` is not registered any more", call.name);
            return Some(ToolError::new(ToolErrorKind::UnknownTool, message).with_retryable(false));
        };
        // A binder is user code; if it panics, the manager says so.
        let bound = catch_unwind(AssertUnwindSafe(|| tool.bind(&call.arguments).err()));
        let error = bound.ok().flatten()?;
        let never_ran =
            matches!(record.waits, Waits::Answer(InputRequest::Approval { .. })) || !record.awaits.is_empty();
        let what = if never_ran {
            "not started".to_owned()
        } else {
            format!("{LOST}, and it was not started again")
        };
        let message = format!(
            "{what}: the tool `{}` was changed since it was called, and the arguments don't fit any more: {}",
            call.name,
            error.model_message()
        );
        Some(ToolError::new(error.kind(), message).with_retryable(false))
    }

    /// Writes down that a call doesn't wait for approval any more, because this program asks for none. Otherwise a further
    /// process would take it for one that never began, and run it twice.
    pub(super) fn note_unasked(&mut self, record: &TaskRecord, number: TaskNo) {
        if !matches!(record.waits, Waits::Answer(InputRequest::Approval { .. })) {
            return;
        }
        let is_asked = match self.filled(record) {
            Ok(call) => self.policy.needs_approval(&call.name, call.arguments.value()),
            Err(_) => false,
        };
        if !is_asked {
            self.record(Entry::Asked {
                task: number,
                request: None,
                at: self.now,
            });
        }
    }
}
