//! Events of an agent, for observers.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EventId, RunLimit};
use crate::{
    clock::Timestamp,
    content::Attachment,
    context::Pruned,
    id::{TaskId, TaskNo},
    journal::{InterruptCause, JoinPolicy, Withdrawal},
    model::{ModelError, Usage},
    schema,
    task::{AsyncTaskResult, TurnCause, TurnNo, WaitsFor},
    tool::{DeliveryPolicy, InputRequest, ProgressReport, ToolCall},
};

/// Event of an agent, with its time.
///
/// # Two families
///
/// - An event with an [`id`](Self::id) tells an entry of the session's journal. The events of an entry are a function of
///   the entry, so [`events_after`](crate::AsyncAgent::events_after) gives the same ones again, also after a restart.
/// - An event without an id is told once, to those who listen: text and reasoning as they come, progress, starts.
///
/// # JSON
///
/// One flat object. `"event"` has the kind in snake case, `"at"` the time in milliseconds since the Unix epoch, and
/// `"id"` the id, if there is one. The other fields are those of the kind. Tasks are their numbers (`"t3"`).
/// [`json_schema`](Self::json_schema) is the schema; the folder `schemas` of this crate has it as a file.
///
/// ```
/// use async_tool_runtime::{AgentEvent, AgentEventKind};
/// use serde_json::{from_value, json, to_value};
///
/// let sent = json!({"event": "user_message", "id": "2.0", "at": 1_000, "text": "help"});
/// let event: AgentEvent = from_value(sent.clone())?;
/// assert_eq!(event.kind, AgentEventKind::UserMessage { text: "help".to_owned(), media: Vec::new() });
/// assert_eq!(to_value(&event)?, sent);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Server-sent events
///
/// The JSON is the `data` of a server-sent event, and the id its `id`. A browser sends the last id that it has seen as
/// the header `Last-Event-ID`; parse it, and pass it to [`events_after`](crate::AsyncAgent::events_after).
///
/// ```
/// use async_tool_runtime::{AgentEvent, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// fn frame(event: &AgentEvent) -> serde_json::Result<String> {
///     let id = event.id.map_or_else(String::new, |id| format!("id: {id}\n"));
///     Ok(format!("{id}data: {}\n\n", serde_json::to_string(event)?))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
/// let mut events = agent.events();
/// agent.send("help").await?;
/// let event = events.next().await.expect("the session is open");
/// assert!(frame(&event)?.starts_with("id: 2.0\ndata: {\"id\":\"2.0\","));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AgentEvent {
    /// Position in the journal, for an event that tells an entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
    /// Time of the event.
    pub at: Timestamp,
    /// Kind of the event, with its details.
    #[serde(flatten)]
    pub kind: AgentEventKind,
}

impl AgentEvent {
    /// Creates an event without an id.
    #[must_use]
    pub const fn new(at: Timestamp, kind: AgentEventKind) -> Self {
        Self { id: None, at, kind }
    }

    /// Sets the id.
    #[must_use]
    pub const fn with_id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// JSON Schema (draft 2020-12) of an event as JSON.
    ///
    /// ```
    /// use async_tool_runtime::AgentEvent;
    ///
    /// let schema = AgentEvent::json_schema();
    /// assert_eq!(schema["properties"]["at"]["description"], "Time of the event.");
    /// ```
    #[must_use]
    pub fn json_schema() -> Value {
        schema::of_document::<Self>()
    }
}

/// Kind of an agent's event.
///
/// ```
/// use async_tool_runtime::{async_tool, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// let mut events = agent.events();
/// agent.run_to_completion("add 2 3").await?;
/// agent.close().await?;
/// let mut log = Vec::new();
/// while let Some(event) = events.next().await {
///     match event.kind {
///         AgentEventKind::Called { number, call, .. } => log.push(format!("{number} calls {}", call.name)),
///         AgentEventKind::Settled { number, result } => log.push(format!("{number} is {}", result.status().as_str())),
///         _ => {}
///     }
/// }
/// assert_eq!(log, ["t1 calls add", "t1 is completed"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum AgentEventKind {
    /// The session began.
    Opened,
    /// An agent resumed the session after an earlier one. Tasks that ran in another process run no longer.
    Resumed,
    /// The session took a user message.
    UserMessage {
        /// The text of the message.
        text: String,
        /// Images, sounds and files in the text. Bytes that the journal keeps beside its entries are named here, and
        /// [`Journal::blob`](crate::journal::Journal::blob) gives them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        media: Vec<Attachment>,
    },
    /// A turn started: the agent called the model.
    TurnStarted {
        /// The turn.
        turn: TurnNo,
        /// News that the model is to answer.
        cause: TurnCause,
    },
    /// The model wrote some more text. Not in the journal: the end of the turn has the whole text.
    Text {
        /// The turn.
        turn: TurnNo,
        /// The next piece of the text.
        text: String,
    },
    /// The model told some more of its reasoning. Not in the journal, and not part of the conversation.
    Reasoning {
        /// The turn.
        turn: TurnNo,
        /// The next piece of the reasoning.
        text: String,
    },
    /// The running turn up to here, for a reader that comes in the middle of it. Replaces all that the reader has of the
    /// turn.
    TurnSoFar {
        /// The turn.
        turn: TurnNo,
        /// Text of the turn so far.
        text: String,
        /// Reasoning of the turn so far.
        reasoning: String,
    },
    /// The model called a tool, and the call became a task.
    Called {
        /// The turn.
        turn: TurnNo,
        /// Number of the task in the session.
        number: TaskNo,
        /// Id of the task.
        task: TaskId,
        /// The call.
        call: ToolCall,
        /// Earlier task that the call repeats: the call is no new task, and the agent answers it with that one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeats: Option<TaskNo>,
    },
    /// The agent refused a call. Nothing ran, and the call gets no answer of its own: another call with the same id gets
    /// it. Not in the journal.
    CallRefused {
        /// The call.
        call: ToolCall,
        /// Reason.
        reason: String,
    },
    /// The model's turn is complete.
    TurnEnded {
        /// The turn.
        turn: TurnNo,
        /// Whole text of the turn.
        text: String,
        /// Cost of the turn.
        usage: Usage,
        /// Values in the text that the model was not told, by the [grounding check](crate::agent::Grounding) if it is on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ungrounded: Vec<String>,
    },
    /// The model's turn was empty although it was given results, or it announced calls and made none. It had been asked
    /// once more before. Not in the journal.
    TurnEmpty {
        /// The turn.
        turn: TurnNo,
    },
    /// The model's turn was interrupted: by an urgent result, by the host, or by a user message. The text so far and the complete calls
    /// are kept.
    TurnInterrupted {
        /// The turn.
        turn: TurnNo,
        /// Text of the turn so far.
        text: String,
        /// Cause of the interruption.
        cause: InterruptCause,
    },
    /// The host has halted the agent ([`interrupt`](crate::AsyncAgent::interrupt)): it calls the model again for a new message or result.
    Halted,
    /// A turn was broken off before the model had said anything, for something that the model should know. The next turn
    /// has it. The broken-off call costs its input.
    TurnWithdrawn {
        /// The turn.
        turn: TurnNo,
        /// Cause.
        cause: Withdrawal,
    },
    /// A turn failed, or it was lost with its process. No part of it is kept.
    TurnFailed {
        /// The turn.
        turn: TurnNo,
        /// Reason.
        error: String,
    },
    /// The model failed a turn; follows [`TurnFailed`](Self::TurnFailed). Not in the journal.
    ModelFailed {
        /// The turn.
        turn: TurnNo,
        /// Error of the turn.
        error: ModelError,
        /// Time of the retry. If it is absent, the agent makes no retry before the next input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    /// A call was answered with an acknowledgement: its task goes on in the background.
    Acknowledged {
        /// Number of the task.
        number: TaskNo,
    },
    /// A call was answered with its result.
    Answered {
        /// Number of the task.
        number: TaskNo,
    },
    /// A task got a slot and started. Not in the journal.
    Started {
        /// Number of the task.
        number: TaskNo,
    },
    /// A tool reported progress. At most ten reports a second for each task. Not in the journal.
    Progressed {
        /// Number of the task.
        number: TaskNo,
        /// The report.
        report: ProgressReport,
    },
    /// A task, or one below it, asks the host for consent or an answer. In the journal if the task itself asks.
    InputRequired {
        /// Task of the session.
        number: TaskNo,
        /// Task that asks. Answer it with [`AsyncToolManager::answer`](crate::manager::AsyncToolManager::answer),
        /// [`approve`](crate::manager::AsyncToolManager::approve) or
        /// [`refuse`](crate::manager::AsyncToolManager::refuse).
        asking: TaskId,
        /// Request. If it is absent, the request was answered or withdrawn.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<InputRequest>,
    },
    /// A task began or ended a wait: for its rate, its next attempt, a resource, or another task. At most ten a second for each
    /// task. A question is [`InputRequired`](Self::InputRequired), and a completion from outside [`Deferred`](Self::Deferred).
    Waits {
        /// Task of the session.
        number: TaskNo,
        /// Cause of the wait. If it is absent, the task goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<WaitsFor>,
    },
    /// The function of a task deferred it: [`AsyncToolManager::resolve`](crate::manager::AsyncToolManager::resolve)
    /// completes it from outside.
    Deferred {
        /// Number of the task.
        number: TaskNo,
        /// Deadline of the completion, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A task was submitted again under the same id, because the process that ran it has ended.
    Resubmitted {
        /// Number of the task.
        number: TaskNo,
        /// Number of the attempt; the first was 1.
        attempt: u32,
    },
    /// A task ended.
    Settled {
        /// Number of the task.
        number: TaskNo,
        /// Record of the task.
        result: Arc<AsyncTaskResult>,
    },
    /// Results were delivered to the model, in one message.
    Delivered {
        /// Tasks of the results.
        tasks: Vec<TaskNo>,
    },
    /// Results were dropped. The model never sees them.
    Dropped {
        /// Tasks of the results.
        tasks: Vec<TaskNo>,
        /// Reason.
        reason: String,
    },
    /// A task was told to stop.
    CancelRequested {
        /// Number of the task.
        number: TaskNo,
        /// Reason.
        reason: String,
    },
    /// The host set the delivery policy of a task. An interruption makes results silent that must not wake the model.
    DeliverySet {
        /// Number of the task.
        number: TaskNo,
        /// Delivery policy of its result.
        policy: DeliveryPolicy,
    },
    /// Tasks joined a group: their results wake the model together.
    Grouped {
        /// Name of the group.
        name: Arc<str>,
        /// Tasks of the group.
        tasks: Vec<TaskNo>,
        /// Number of results that make one wake-up.
        join: JoinPolicy,
    },
    /// The model wrote tool results itself. The agent cut them out before they reached the user or a tool, and tells
    /// the model.
    Corrected {
        /// The turn.
        turn: TurnNo,
        /// Number of results that were cut out.
        cuts: u32,
    },
    /// The model's view of the conversation was pruned, or large parts of it were cut. The conversation itself is kept.
    Pruned {
        /// Extent of the pruning from here on.
        pruned: Pruned,
    },
    /// A limit of the run is reached: the agent doesn't call its model before the next user message. If the model only repeats calls of open
    /// tasks, their results call it again before that. Not in the journal.
    LimitReached {
        /// The limit.
        limit: RunLimit,
    },
    /// The session takes no more messages, and finishes its work.
    Draining {
        /// Time at which tasks that still run are stopped.
        until: Timestamp,
    },
    /// The session ends without these tasks, which go on.
    Detached {
        /// The tasks.
        tasks: Vec<TaskNo>,
    },
    /// The session began to close: it takes no more messages and starts no more turns.
    Closing,
    /// The session is over.
    Closed,
    /// This process has left the session, which stays open in its journal. Not in the journal.
    Left,
    /// The journal could not be written, and the session has stopped. Everything can still be read.
    JournalFailed {
        /// Reason.
        reason: String,
    },
    /// The session has stopped for another reason: a part of the host's code panicked, or the runtime of the agent was
    /// shut down. It stays open in its journal.
    Stopped {
        /// Reason.
        reason: String,
    },
    /// The agent refused to break one of its own rules. Please report it.
    Defect {
        /// The rule, and the entry that would break it.
        reason: String,
    },
    /// The reader was too slow, and missed some events. [`events_after`](crate::AsyncAgent::events_after) the last id
    /// gives them again.
    Missed {
        /// Number of events.
        events: u64,
    },
    /// The journal could not be read, so the stream ends here. The session goes on.
    Unreadable {
        /// Reason.
        reason: String,
    },
}

impl AgentEventKind {
    /// True if no event of the session follows.
    pub(super) const fn is_last(&self) -> bool {
        matches!(
            self,
            Self::Closed | Self::Left | Self::JournalFailed { .. } | Self::Stopped { .. }
        )
    }
}
