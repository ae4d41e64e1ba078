//! Inputs of the machine.

use std::{sync::Arc, time::Duration};

use super::Timer;
use crate::agent::CloseMode;
use crate::{
    id::{TaskId, TaskNo},
    journal::JoinPolicy,
    model::{ModelError, TurnEnd},
    task::{AsyncTaskResult, TurnNo},
    tool::{DeliveryPolicy, InputRequest, ProgressReport, ToolCall},
};

/// Input of the machine.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AgentInput {
    /// The session begins.
    Open {
        /// The secret part of the tag that frames deliveries: random, and hard to guess.
        nonce: String,
        /// The call that the session works for, where it is that of an agent that is a tool.
        works_for: Option<TaskId>,
    },
    /// The session goes on, of which nobody runs anything any more.
    Recover {
        /// Random name of the process that takes it up.
        by: String,
    },
    /// The user said something.
    User(String),
    /// The user said something, and wants as few model calls as possible until the agent is at rest.
    Batch(String),
    /// The running turn went on.
    Turn(TurnNo, TurnEvent),
    /// A task got a slot.
    Started(TaskId),
    /// A tool said how far it has come.
    Progressed(TaskId, ProgressReport),
    /// A task, or one below it, asks the host for something.
    Asked {
        /// The task of the session's.
        task: TaskId,
        /// The task that asks: the same, or one below it.
        asking: TaskId,
        /// Request; `None`: it is answered or withdrawn.
        request: Option<InputRequest>,
    },
    /// The function of a task has left it to be completed from outside.
    Deferred(TaskId),
    /// It was found out of a task whose process has ended that it was never started.
    NotStarted(TaskId),
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
    /// A timer went off.
    Timer(Timer),
    /// The host wants a task to stop.
    Cancel(TaskNo, String),
    /// The host says when the result of a task is to enter the conversation.
    SetDelivery(TaskNo, DeliveryPolicy),
    /// The host wants the turn's end to wait for a task no longer.
    Promote(TaskNo),
    /// The host joins tasks to a group.
    Group {
        /// The name of the group.
        name: Arc<str>,
        /// The tasks; those that aren't there are left out.
        tasks: Vec<TaskNo>,
        /// Number of results that make one wake-up.
        join: JoinPolicy,
        /// Time for which they are joined; `None`: without end.
        limit: Option<Duration>,
    },
    /// A message to a task was taken, or was not, for this reason.
    Sent {
        /// The call of the `task` tool.
        call: TaskNo,
        /// Reason for which the message was refused.
        refusal: Option<String>,
    },
    /// The host ends the session.
    Close(CloseMode),
}

/// A part of a turn, as the machine takes it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TurnEvent {
    /// Some more text.
    Text(String),
    /// A complete call, with the id its task will have.
    ToolCall(ToolCall, TaskId),
    /// The turn is complete.
    Done(TurnEnd),
    /// The turn failed.
    Failed(ModelError),
}
