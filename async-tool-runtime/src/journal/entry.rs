//! Entries of a journal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Awaited, CallAnswer, JoinPolicy};
use crate::{
    clock::Timestamp,
    context::Pruned,
    id::{TaskId, TaskNo},
    model::TurnEnd,
    task::{AsyncTaskResult, TurnNo},
    tool::{DeliveryPolicy, InputRequest, ToolCall},
};

/// A fact about a session. A session is the fold of its entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
#[non_exhaustive]
pub enum Entry {
    /// The session began.
    Opened {
        /// The secret part of the tag that frames deliveries.
        nonce: String,
        /// The call that the session works for, where it is that of an agent that is a tool: whoever carries out the call takes it up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        works_for: Option<TaskId>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session was taken up by another process than the one that wrote the entries before, or by the same one again. Nobody runs
    /// any more what ran then.
    Resumed {
        /// Random name of the process that took it up, so that no two that do so in the same moment write the same.
        by: String,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The user said something.
    UserMessage {
        /// The text.
        text: String,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The model was asked.
    TurnStarted {
        /// The turn.
        turn: TurnNo,
        /// Time of the entry.
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
        /// The results that its arguments wait for; the task is submitted when all of them are in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        awaits: Vec<Awaited>,
        /// True if it is a call of the agent's own `task` tool: the agent answers it itself, and nothing is submitted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own: bool,
        /// Time of the entry.
        at: Timestamp,
    },
    /// A task was submitted again, because the process that ran it has ended. It may be repeated, and its id is the same.
    Resubmitted {
        /// The task.
        task: TaskNo,
        /// Number of the attempt; the first was 1.
        attempt: u32,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The function of a task has left it to be completed from outside. It goes on waiting for that, whatever becomes of the process.
    Deferred {
        /// The task.
        task: TaskNo,
        /// Time of the entry.
        at: Timestamp,
    },
    /// A task asks people for something, or does so no longer: it does nothing between the two.
    Asked {
        /// The task.
        task: TaskNo,
        /// Request; `None`: it is answered or withdrawn.
        request: Option<InputRequest>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The model's turn is complete.
    TurnEnded {
        /// The turn.
        turn: TurnNo,
        /// Text of the model.
        text: String,
        /// Its calls, in order; each has been accepted.
        calls: Vec<TaskNo>,
        /// End of the turn.
        end: TurnEnd,
        /// Number of tool results that the model had written itself; they were cut out, and the model is told so.
        #[serde(default, skip_serializing_if = "is_zero")]
        cuts: u32,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The turn was broken off for a result that could not wait; what was finished of it is kept. It is not asked again.
    TurnInterrupted {
        /// The turn.
        turn: TurnNo,
        /// Text of the model by then.
        text: String,
        /// The calls that were complete, in order; each has been accepted.
        calls: Vec<TaskNo>,
        /// The task whose result it is; it waits for delivery.
        by: TaskNo,
        /// As in [`TurnEnded`](Self::TurnEnded).
        #[serde(default, skip_serializing_if = "is_zero")]
        cuts: u32,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The turn failed; nothing of it is kept.
    TurnFailed {
        /// The turn.
        turn: TurnNo,
        /// Error, for operators.
        error: String,
        /// Time of the entry.
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
        answers: Vec<CallAnswer>,
        /// True if the model is asked again even if all answers are acknowledgements.
        eager: bool,
        /// Time of the entry.
        at: Timestamp,
    },
    /// Results came before the model had been shown the acknowledgements of their calls, and take their places. This is the
    /// delivery of these results.
    Replaced {
        /// The tasks whose results these are.
        tasks: Vec<TaskNo>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// Results were put before the model. The message and the fact that it was delivered are one entry: that is the
    /// whole argument for exactly once.
    Delivered {
        /// The tasks whose results these are.
        tasks: Vec<TaskNo>,
        /// The text as the model reads it.
        text: String,
        /// Time of the entry.
        at: Timestamp,
    },
    /// Results will never be put before the model.
    Dropped {
        /// The tasks.
        tasks: Vec<TaskNo>,
        /// Reason.
        reason: String,
        /// Time of the entry.
        at: Timestamp,
    },
    /// A task was told to stop.
    CancelRequested {
        /// The task.
        task: TaskNo,
        /// Reason.
        reason: String,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The host said when the result of a task is to enter the conversation.
    DeliverySet {
        /// The task.
        task: TaskNo,
        /// Delivery policy of its result.
        policy: DeliveryPolicy,
        /// Time of the entry.
        at: Timestamp,
    },
    /// Tasks were joined to a group: their results wake the model together.
    Grouped {
        /// The name of the group; a group of the same name is replaced.
        group: Arc<str>,
        /// Its tasks. A task is in one group: it leaves any other.
        tasks: Vec<TaskNo>,
        /// Number of results that make one wake-up.
        join: JoinPolicy,
        /// Time at which the model is woken with the results that are in by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The model's view of the conversation was pruned. The conversation itself is kept.
    Pruned {
        /// Extent of the pruning, from here on.
        pruned: Pruned,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session takes no more messages, and goes on with what it has.
    Draining {
        /// Time at which running tasks are stopped.
        until: Timestamp,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session ends without these tasks: they go on, and the model is not told their results.
    Detached {
        /// The tasks.
        tasks: Vec<TaskNo>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session takes no more messages.
    Closing {
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session is over; nothing follows.
    Closed {
        /// Time of the entry.
        at: Timestamp,
    },
}

impl Entry {
    /// Time of the entry; of the end of a task, the time at which the task ended, which is a little earlier.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Settled { result } => result.timing.settled,
            Self::Opened { at, .. }
            | Self::Resumed { at, .. }
            | Self::Deferred { at, .. }
            | Self::Asked { at, .. }
            | Self::UserMessage { at, .. }
            | Self::TurnStarted { at, .. }
            | Self::Accepted { at, .. }
            | Self::Resubmitted { at, .. }
            | Self::TurnEnded { at, .. }
            | Self::TurnInterrupted { at, .. }
            | Self::TurnFailed { at, .. }
            | Self::Answered { at, .. }
            | Self::Replaced { at, .. }
            | Self::Delivered { at, .. }
            | Self::Dropped { at, .. }
            | Self::CancelRequested { at, .. }
            | Self::DeliverySet { at, .. }
            | Self::Grouped { at, .. }
            | Self::Pruned { at, .. }
            | Self::Draining { at, .. }
            | Self::Detached { at, .. }
            | Self::Closing { at, .. }
            | Self::Closed { at, .. } => *at,
        }
    }

    /// Kind of the entry, as it is serialised: `user_message`.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Resumed { .. } => "resumed",
            Self::UserMessage { .. } => "user_message",
            Self::TurnStarted { .. } => "turn_started",
            Self::Accepted { .. } => "accepted",
            Self::Resubmitted { .. } => "resubmitted",
            Self::Deferred { .. } => "deferred",
            Self::Asked { .. } => "asked",
            Self::TurnEnded { .. } => "turn_ended",
            Self::TurnInterrupted { .. } => "turn_interrupted",
            Self::TurnFailed { .. } => "turn_failed",
            Self::Settled { .. } => "settled",
            Self::Answered { .. } => "answered",
            Self::Replaced { .. } => "replaced",
            Self::Delivered { .. } => "delivered",
            Self::Dropped { .. } => "dropped",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::DeliverySet { .. } => "delivery_set",
            Self::Grouped { .. } => "grouped",
            Self::Pruned { .. } => "pruned",
            Self::Draining { .. } => "draining",
            Self::Detached { .. } => "detached",
            Self::Closing { .. } => "closing",
            Self::Closed { .. } => "closed",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}
