//! What happens to an agent.

use std::sync::Arc;

use super::{DeliveryPolicy, Timer, TurnNo};
use crate::{AsyncTaskResult, InputRequest, ModelError, ProgressReport, TaskId, TaskNo, ToolCall, TurnEnd};

/// Something that happened to an agent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AgentInput {
    /// The session begins.
    Open {
        /// The secret part of the tag that frames deliveries: random, and hard to guess.
        nonce: String,
    },
    /// The user said something.
    User(String),
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
        /// What it asks for; `None`: that is answered or withdrawn.
        request: Option<InputRequest>,
    },
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
    /// A timer went off.
    Timer(Timer),
    /// The host wants a task to stop.
    Cancel(TaskNo, String),
    /// The host says when the result of a task is to enter the conversation.
    SetDelivery(TaskNo, DeliveryPolicy),
    /// The host ends the session.
    Close,
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
