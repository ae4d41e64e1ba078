//! What is written down.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AsyncTaskResult, DeliveryPolicy, TaskId, TaskNo, TaskStatus, Timestamp, ToolCall, TurnEnd, TurnNo};

/// A fact about a session. A session is the fold of its entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
#[non_exhaustive]
pub enum Entry {
    /// The session began.
    Opened {
        /// The secret part of the tag that frames deliveries.
        nonce: String,
        /// When.
        at: Timestamp,
    },
    /// The user said something.
    UserMessage {
        /// The text.
        text: String,
        /// When.
        at: Timestamp,
    },
    /// The model was asked.
    TurnStarted {
        /// The turn.
        turn: TurnNo,
        /// When.
        at: Timestamp,
    },
    /// The model made a call, and it became a task. Written before the task is submitted.
    Accepted {
        /// The turn that made the call.
        turn: TurnNo,
        /// The task.
        task: TaskId,
        /// Its number in the session.
        number: TaskNo,
        /// The call.
        call: ToolCall,
        /// When.
        at: Timestamp,
    },
    /// The model's turn is complete.
    TurnEnded {
        /// The turn.
        turn: TurnNo,
        /// What the model said.
        text: String,
        /// Its calls, in order; each has been accepted.
        calls: Vec<TaskNo>,
        /// How it ended.
        end: TurnEnd,
        /// When.
        at: Timestamp,
    },
    /// The turn was broken off for a result that could not wait; what was finished of it is kept. It is not asked again.
    TurnInterrupted {
        /// The turn.
        turn: TurnNo,
        /// What the model had said by then.
        text: String,
        /// The calls that were complete, in order; each has been accepted.
        calls: Vec<TaskNo>,
        /// The task whose result it is; it waits for delivery.
        by: TaskNo,
        /// When.
        at: Timestamp,
    },
    /// The turn failed; nothing of it is kept.
    TurnFailed {
        /// The turn.
        turn: TurnNo,
        /// What went wrong, for operators.
        error: String,
        /// When.
        at: Timestamp,
    },
    /// A task ended.
    Settled {
        /// Its record.
        result: Arc<AsyncTaskResult>,
    },
    /// All calls of a turn were answered, each with its result or an acknowledgement. This is the delivery of the results
    /// in it.
    Answered {
        /// The turn.
        turn: TurnNo,
        /// One answer for each call, in order.
        answers: Vec<Given>,
        /// Whether the model is asked again even if all answers are acknowledgements.
        eager: bool,
        /// When.
        at: Timestamp,
    },
    /// Results were put before the model. The message and the fact that it was delivered are one entry: that is the
    /// whole argument for exactly once.
    Delivered {
        /// The tasks whose results these are.
        tasks: Vec<TaskNo>,
        /// The text as the model reads it.
        text: String,
        /// When.
        at: Timestamp,
    },
    /// Results will never be put before the model.
    Dropped {
        /// The tasks.
        tasks: Vec<TaskNo>,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// A task was told to stop.
    CancelRequested {
        /// The task.
        task: TaskNo,
        /// Why.
        reason: String,
        /// When.
        at: Timestamp,
    },
    /// The host said when the result of a task is to enter the conversation.
    DeliverySet {
        /// The task.
        task: TaskNo,
        /// When its result is to be delivered.
        policy: DeliveryPolicy,
        /// When this was said.
        at: Timestamp,
    },
    /// The session takes no more messages.
    Closing {
        /// When.
        at: Timestamp,
    },
    /// The session is over; nothing follows.
    Closed {
        /// When.
        at: Timestamp,
    },
}

/// What one call was answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Given {
    /// An acknowledgement, with the status the task had then.
    Ack(TaskNo, TaskStatus),
    /// The result.
    Result(TaskNo),
}
