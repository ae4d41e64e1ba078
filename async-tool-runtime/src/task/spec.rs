//! A task as data.

use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, session::SessionId, task::TurnNo, tool::IdempotencyKey};
use crate::{
    id::{TaskId, TaskNo},
    tool::ToolCall,
};

/// A task as data: all that another process needs to run it and to send the outcome home.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskSpec {
    /// The name of the task, and its idempotency key: submitting a task that the manager or backend remembers changes nothing.
    pub task: TaskId,
    /// Its number in the session, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<TaskNo>,
    /// The conversation that asked: the return address.
    pub session: SessionId,
    /// The turn that asked, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnNo>,
    /// The task that submitted this one, where it was a task: its result goes there. Or the call that the agent whose task this is
    /// works for: its result goes to that agent's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Key for services that do a thing once per key; `None`: the task's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// The call to carry out.
    pub call: ToolCall,
    /// Number of the attempt; the first is 1.
    pub attempt: u32,
    /// Time at which the caller stops waiting: a task that gets its slot later, or runs longer, fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

impl TaskSpec {
    /// A first attempt at `call`, with a new id, without a number or a deadline.
    #[must_use]
    pub fn new(session: SessionId, call: ToolCall) -> Self {
        Self::named(TaskId::new(), session, call)
    }

    /// A first attempt under this id.
    pub(crate) const fn named(task: TaskId, session: SessionId, call: ToolCall) -> Self {
        Self {
            task,
            number: None,
            session,
            turn: None,
            parent: None,
            idempotency_key: None,
            call,
            attempt: 1,
            deadline: None,
        }
    }

    /// True if the session hears of it: a task below another reports to that, unless it is one of the session's own.
    pub(crate) const fn is_of_session(&self) -> bool {
        self.parent.is_none() || self.number.is_some()
    }

    /// Sets the id.
    #[must_use]
    pub fn with_task(mut self, task: TaskId) -> Self {
        self.task = task;
        self
    }

    /// Sets the number that the model can use.
    #[must_use]
    pub fn with_number(mut self, number: TaskNo) -> Self {
        self.number = Some(number);
        self
    }

    /// Sets the turn that asked.
    #[must_use]
    pub fn with_turn(mut self, turn: TurnNo) -> Self {
        self.turn = Some(turn);
        self
    }

    /// Sets the number of the attempt.
    #[must_use]
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Sets the deadline: past it, the task fails with [`ToolErrorKind::Timeout`](crate::tool::ToolErrorKind::Timeout).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(deadline);
        self
    }
}
