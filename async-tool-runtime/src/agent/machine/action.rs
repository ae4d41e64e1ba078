//! Actions that the machine asks of its shell.

use crate::agent::AgentEvent;
use crate::{
    clock::Timestamp,
    id::{TaskId, TaskNo},
    journal::Entry,
    model::ModelRequest,
    task::{TaskSpec, TurnNo},
    tool::InputRequest,
};

/// Action that the machine asks of its shell.
///
/// # Order
///
/// 1. Actions are carried out in the order in which they were given.
/// 2. An action that follows an [`Append`](Self::Append) waits until the append is durable. If it can't be made durable, the
///    actions behind it are not carried out and the session stops.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AgentAction {
    /// Write these entries, together.
    Append(Vec<Entry>),
    /// Ask the model.
    StartTurn(TurnNo, ModelRequest),
    /// Stop asking the model.
    AbortTurn(TurnNo),
    /// Run a task.
    Submit(TaskSpec),
    /// Wait for the completion of a task whose function has gone with an earlier process, and show what it asks, if it asks.
    Await(TaskSpec, Option<InputRequest>),
    /// Have the tool of a task find out what became of it in an earlier process.
    Reconcile(TaskSpec),
    /// Tell a task to stop.
    CancelTask(TaskId, String),
    /// Give a task a message, and [`AgentInput::Sent`](super::AgentInput::Sent) with what became of it.
    Send {
        /// The call of the `task` tool that says so.
        call: TaskNo,
        /// The task.
        task: TaskId,
        /// The message.
        text: String,
    },
    /// Give [`AgentInput::Timer`](super::AgentInput::Timer) at this time. Setting a timer again moves it.
    SetTimer(Timer, Timestamp),
    /// Tell whoever listens.
    Emit(AgentEvent),
}

/// Timer of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// The end of a turn's grace time.
    Grace(TurnNo),
    /// The moment when waiting results wake the agent, or break off its turn.
    Wake,
    /// The next try after a failed turn.
    Retry,
    /// The moment when results that are joined wait for the others no longer.
    Join,
    /// The moment when a model that says nothing has failed.
    Silence(TurnNo),
    /// The end of the time that a session takes to come to its end.
    Drain,
}
