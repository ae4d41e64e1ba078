//! What an agent wants done.

use super::{AgentEvent, TurnNo};
use crate::{Entry, ModelRequest, TaskId, TaskSpec, Timestamp};

/// Something an agent wants done.
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
    /// Tell a task to stop.
    CancelTask(TaskId, String),
    /// Give [`AgentInput::Timer`](super::AgentInput::Timer) at this time. Setting a timer again moves it.
    SetTimer(Timer, Timestamp),
    /// Tell whoever listens.
    Emit(AgentEvent),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// The end of a turn's grace time.
    Grace(TurnNo),
    /// The moment when waiting results wake the agent, or break off its turn.
    Wake,
    /// The next try after a failed turn.
    Retry,
}
