//! Entries of a journal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Awaited, CallAnswer, Format, InterruptCause, JoinPolicy, Withdrawal, format};
use crate::{
    clock::Timestamp,
    content::{Attachment, Media},
    context::Pruned,
    id::{TaskId, TaskNo},
    model::TurnEnd,
    task::{AsyncTaskResult, TurnCause, TurnNo},
    tool::{DeliveryPolicy, InputRequest, ToolCall},
};

/// Fact about a session. A session is the fold of its entries.
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
/// use async_tool_runtime::journal::{Entry, MemoryJournal};
/// # use std::sync::Arc;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let journal = Arc::new(MemoryJournal::new());
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(journal.clone()).start().await?;
/// agent.send("add a=2 b=3").await?;
/// agent.run_until_idle().await?;
/// let mut audit = Vec::new();
/// for entry in journal.entries(agent.session()) {
///     match entry {
///         Entry::UserMessage { text, .. } => audit.push(format!("user: {text}")),
///         Entry::Accepted { number, call, .. } => audit.push(format!("{number} calls {}", call.name)),
///         Entry::Settled { result } => audit.push(format!("{} is {}", result.tool, result.status())),
///         _ => {}
///     }
/// }
/// assert_eq!(audit, ["user: add a=2 b=3", "t1 calls add", "add is completed"]);
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry", deny_unknown_fields)]
#[non_exhaustive]
pub enum Entry {
    /// The session began.
    #[serde(deserialize_with = "format::opened")]
    Opened {
        /// Format of the entries from here on.
        format: Format,
        /// Secret part of the tag that frames deliveries.
        nonce: String,
        /// The task that the session works for, if its agent is a tool. An attempt at that task resumes the session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        works_for: Option<TaskId>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session was resumed, by another process or by the same one. Tasks that ran in the process before run no longer.
    #[serde(deserialize_with = "format::resumed")]
    Resumed {
        /// Format of the entries from here on.
        format: Format,
        /// Random name of the resuming process, so that two processes that resume at the same moment never write the same entry.
        by: String,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The user said something.
    UserMessage {
        /// The text.
        text: String,
        /// Images, sounds and files in the text.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        media: Vec<Attachment>,
        /// W3C `traceparent` of the message's span, if the host has a [propagator](crate::manager::TracePropagator) of traces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<Arc<str>>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The model was called.
    TurnStarted {
        /// The turn.
        turn: TurnNo,
        /// News that the model is to answer.
        cause: TurnCause,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The model made a call, and it became a task. Written before the task is submitted.
    Accepted {
        /// The turn that made the call.
        turn: TurnNo,
        /// The task.
        task: TaskId,
        /// Number of the task in the session.
        number: TaskNo,
        /// The call.
        call: ToolCall,
        /// Results that its arguments wait for. The task is submitted when all of them have arrived.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        awaits: Vec<Awaited>,
        /// True for a call of the agent's own `task` tool. The agent answers it itself and submits no task.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        own: bool,
        /// Earlier task that the call repeats. The agent answers the call with that task's state or result, and submits no task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeats: Option<TaskNo>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// A task was submitted again under the same id, because the process that ran it has ended. Its tool may be repeated.
    Resubmitted {
        /// The task.
        task: TaskNo,
        /// Number of the attempt; the first was 1.
        attempt: u32,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The function of a task left it to be completed from outside. The task keeps waiting, even after a restart of the process.
    Deferred {
        /// The task.
        task: TaskNo,
        /// Deadline of the completion, if it has one. After it, the task fails, also after a restart. A process with another clock gives
        /// the task at most the time that was left at the last entry before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// A task asks people for input or consent, or stopped asking. It is suspended between the two.
    Asked {
        /// The task.
        task: TaskNo,
        /// The request; `None` if it was answered or withdrawn.
        request: Option<InputRequest>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The function of a task saved a checkpoint, which later attempts get. The latest one counts.
    Checkpointed {
        /// The task.
        task: TaskNo,
        /// The value that the function saved.
        checkpoint: Arc<Value>,
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
        /// Number of forged tool results in the model's text. They were cut out, and the model is told so.
        #[serde(default, skip_serializing_if = "is_zero")]
        cuts: u32,
        /// Values in the text that the model was not told, by the [grounding check](crate::agent::Grounding).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ungrounded: Vec<String>,
        /// True if the model is told of these values and asked once more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        asks_again: bool,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The turn was interrupted. Its finished part is kept, and the turn is not repeated.
    TurnInterrupted {
        /// The turn.
        turn: TurnNo,
        /// Text of the model up to the interruption.
        text: String,
        /// The complete calls, in order; each has been accepted.
        calls: Vec<TaskNo>,
        /// Cause of the interruption.
        cause: InterruptCause,
        /// As in [`TurnEnded`](Self::TurnEnded).
        #[serde(default, skip_serializing_if = "is_zero")]
        cuts: u32,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The turn was broken off before the model had said anything, for something that the model should know. The next
    /// turn has it, and the turn leaves nothing behind.
    TurnWithdrawn {
        /// The turn.
        turn: TurnNo,
        /// Cause.
        cause: Withdrawal,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The turn failed; no part of it is kept.
    TurnFailed {
        /// The turn.
        turn: TurnNo,
        /// Error message, for operators.
        error: String,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The host halted the agent. It has nothing to answer from here on, and calls the model again for a new message or result.
    Halted {
        /// Time of the entry.
        at: Timestamp,
    },
    /// A task ended.
    Settled {
        /// Record of the task.
        result: Arc<AsyncTaskResult>,
    },
    /// All calls of a turn were answered, each with its result or an acknowledgement.
    ///
    /// This entry is the delivery of the results in it.
    Answered {
        /// The turn.
        turn: TurnNo,
        /// One answer for each call, in order.
        answers: Vec<CallAnswer>,
        /// True if the model is called again even if all answers are acknowledgements.
        eager: bool,
        /// Instruction of the acknowledgements, if it isn't the library's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instruction: Option<Arc<str>>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// Results replaced acknowledgements that the model had not seen yet.
    ///
    /// This entry is the delivery of these results.
    Replaced {
        /// The tasks of the results.
        tasks: Vec<TaskNo>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// Results were delivered to the model in a message.
    ///
    /// The message and the fact of its delivery are one entry, so each result is delivered exactly once.
    Delivered {
        /// The tasks of the results.
        tasks: Vec<TaskNo>,
        /// The text as the model reads it.
        text: String,
        /// Time of the entry.
        at: Timestamp,
    },
    /// Results will never be delivered to the model.
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
    /// The host set the delivery policy of a task's result. An interruption makes results silent that must not wake the model.
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
        /// Name of the group; a group of the same name is replaced.
        group: Arc<str>,
        /// Tasks of the group. A task is in one group: it leaves any other.
        tasks: Vec<TaskNo>,
        /// Number of results that make one wake-up.
        join: JoinPolicy,
        /// Time at which the model is woken with the results that have arrived by then; `None` for no limit. It is of this process's
        /// clock: a process that resumes the session goes on with the time that was left at the last entry before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The model's view of the conversation was pruned. The conversation itself is kept.
    Pruned {
        /// Extent of the pruning from this entry on.
        pruned: Pruned,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session accepts no more messages and finishes its open tasks.
    Draining {
        /// Time at which tasks that still run are stopped; after a resume as for [`Grouped`](Self::Grouped).
        until: Timestamp,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session ends without these tasks. They continue to run, and the model is not told their results.
    Detached {
        /// The tasks.
        tasks: Vec<TaskNo>,
        /// Time of the entry.
        at: Timestamp,
    },
    /// The session began to close. It accepts no more messages and starts no more turns.
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
    /// Time of the entry; for [`Settled`](Self::Settled), the time at which the task ended, which is a little earlier.
    ///
    /// ```
    /// use async_tool_runtime::{journal::Entry, task::Timestamp};
    ///
    /// let entry = Entry::UserMessage { text: "hello".into(), media: Vec::new(), traceparent: None, at: Timestamp::from_millis(1_000) };
    /// assert_eq!(entry.at().as_millis(), 1_000);
    /// ```
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Settled { result } => result.timing.settled,
            Self::Opened { at, .. }
            | Self::Resumed { at, .. }
            | Self::Deferred { at, .. }
            | Self::Asked { at, .. }
            | Self::Checkpointed { at, .. }
            | Self::UserMessage { at, .. }
            | Self::TurnStarted { at, .. }
            | Self::Accepted { at, .. }
            | Self::Resubmitted { at, .. }
            | Self::TurnEnded { at, .. }
            | Self::TurnInterrupted { at, .. }
            | Self::TurnWithdrawn { at, .. }
            | Self::TurnFailed { at, .. }
            | Self::Halted { at }
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

    /// Images, sounds and files of a message or a result.
    ///
    /// ```
    /// use async_tool_runtime::{content::{Attachment, Media}, journal::Entry, task::Timestamp};
    ///
    /// let media = vec![Attachment::new(0, Media::bytes("image/png", [1]))];
    /// let entry = Entry::UserMessage { text: String::new(), media, traceparent: None, at: Timestamp::from_millis(0) };
    /// assert_eq!(entry.media(), [&Media::bytes("image/png", [1])]);
    /// ```
    #[must_use]
    pub fn media(&self) -> Vec<&Media> {
        match self {
            Self::UserMessage { media, .. } => media.iter().map(|attachment| &attachment.media).collect(),
            Self::Settled { result } => result.media.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// As [`media`](Self::media), to change them.
    pub(crate) fn media_mut(&mut self) -> Vec<&mut Media> {
        match self {
            Self::UserMessage { media, .. } => media.iter_mut().map(|attachment| &mut attachment.media).collect(),
            Self::Settled { result } if !result.media.is_empty() => Arc::make_mut(result).media.iter_mut().collect(),
            _ => Vec::new(),
        }
    }

    /// Format of the entries from this one on, if it says so.
    pub(crate) const fn format(&self) -> Option<Format> {
        match self {
            Self::Opened { format, .. } | Self::Resumed { format, .. } => Some(*format),
            _ => None,
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
            Self::Checkpointed { .. } => "checkpointed",
            Self::TurnEnded { .. } => "turn_ended",
            Self::TurnInterrupted { .. } => "turn_interrupted",
            Self::TurnWithdrawn { .. } => "turn_withdrawn",
            Self::TurnFailed { .. } => "turn_failed",
            Self::Halted { .. } => "halted",
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
