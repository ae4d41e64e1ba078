//! Inputs of the machine.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::Timer;
use crate::agent::{CloseMode, MessagePolicy};
use crate::{
    clock::Timestamp,
    content::Content,
    id::{TaskId, TaskNo},
    journal::JoinPolicy,
    model::{ModelError, TurnEnd},
    task::{AsyncTaskResult, ToolQuestion, TurnNo, WaitsFor},
    tool::{DeliveryPolicy, ProgressReport, ToolCall},
};

/// Input of the machine.
///
/// ```
/// use async_tool_runtime::{
///     agent::{
///         machine::{AgentAction, AgentInput, AgentMachine},
///         AgentPolicy, AgentState, CloseMode, Ledger,
///     },
///     task::Timestamp,
///     AsyncToolManager, SessionId,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// # let policy = AgentPolicy::new(manager.registry());
/// # let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
/// let now = Timestamp::from_millis(0);
/// let nonce = "0f9a2c46d1e84b7f".to_owned(); // In earnest: random.
/// let actions = machine.step(now, AgentInput::Open { nonce, works_for: None });
/// assert!(matches!(&actions[..], [AgentAction::Append(entries), ..] if entries.len() == 1));
///
/// let _ = machine.step(now, AgentInput::Close(CloseMode::Cancel));
/// assert_eq!(machine.state(), AgentState::Closed);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AgentInput {
    /// The session begins.
    Open {
        /// Secret part of the tag that frames deliveries: random, and hard to guess.
        nonce: String,
        /// Call that the session works for, if its agent is a tool.
        works_for: Option<TaskId>,
    },
    /// This process resumes the session; no earlier process runs it any more.
    Recover {
        /// Random name of the process that resumes it.
        by: String,
        /// Results of open tasks that this process still has, because the session stopped here before it wrote them
        /// down.
        known: Vec<Arc<AsyncTaskResult>>,
    },
    /// `traceparent` of the next user message.
    Traced(Arc<str>),
    /// User message.
    User(Content),
    /// User message with a policy of its own, in place of the agent's.
    UserAs(Content, MessagePolicy),
    /// User message of a batch: the agent makes as few model calls as possible until it is idle.
    Batch(Content),
    /// The host ends the turn and halts the agent.
    Interrupt {
        /// True if it also stops the tasks of the turns since the last user message.
        tasks: bool,
    },
    /// Next part of the running turn.
    Turn(TurnNo, TurnEvent),
    /// Last latencies of a tool in all sessions of the manager. The shell says so just before the end of a turn with
    /// calls of the tool.
    Learned {
        /// Name of the tool.
        tool: Arc<str>,
        /// Times from the acceptance of a call to its end, the last one last.
        latencies: Vec<Duration>,
    },
    /// A task got a slot.
    Started(TaskId),
    /// A tool reported progress.
    Progressed(TaskId, ProgressReport),
    /// A task, or one below it, asks the host for consent or an answer.
    Asked {
        /// Task of the session.
        task: TaskId,
        /// Task that asks: the same, or one below it.
        asking: TaskId,
        /// Question, with the tool that asks; `None`: it was answered or withdrawn.
        question: Option<ToolQuestion>,
    },
    /// A task began or ended a wait.
    Waits(TaskId, Option<WaitsFor>),
    /// The function of a task deferred its completion to the outside, until this time if there is a limit.
    Deferred(TaskId, Option<Timestamp>),
    /// The function of a task saved a checkpoint.
    Checkpointed(TaskId, Arc<Value>),
    /// A task of an earlier process turned out never to have started.
    NotStarted(TaskId),
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
    /// A timer fired.
    Timer(Timer),
    /// The host cancels a task, for this reason.
    Cancel(TaskNo, String),
    /// The host sets the delivery policy of a task.
    SetDelivery(TaskNo, DeliveryPolicy),
    /// The host ends the wait for a task at the end of its turn.
    Promote(TaskNo),
    /// The host joins tasks to a group.
    Group {
        /// Name of the group.
        name: Arc<str>,
        /// Its tasks; unknown ones are left out.
        tasks: Vec<TaskNo>,
        /// Number of results that make one wake-up.
        join: JoinPolicy,
        /// Longest time for which they are joined; `None`: without end.
        limit: Option<Duration>,
    },
    /// Outcome of [`AgentAction::Send`](super::AgentAction::Send).
    Sent {
        /// Call of the `task` tool.
        call: TaskNo,
        /// Reason of the refusal; `None` if the task took the message.
        refusal: Option<String>,
    },
    /// The host ends the session.
    Close(CloseMode),
}

/// Part of a turn, as the machine takes it.
///
/// ```
/// use async_tool_runtime::{
///     agent::{
///         machine::{AgentInput, AgentMachine, TurnEvent},
///         AgentPolicy, AgentState, Ledger,
///     },
///     model::TurnEnd,
///     task::{Timestamp, TurnNo},
///     AsyncToolManager, SessionId, TaskId, ToolCall,
/// };
/// # use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// # let policy = AgentPolicy::new(manager.registry());
/// # let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
/// # let now = Timestamp::from_millis(0);
/// # let nonce = "0f9a2c46d1e84b7f".to_owned();
/// # let _ = machine.step(now, AgentInput::Open { nonce, works_for: None });
/// # let _ = machine.step(now, AgentInput::User("add 2 3".into()));
/// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// for event in [
///     TurnEvent::Text("I add them.".to_owned()),
///     TurnEvent::ToolCall(call, TaskId::new()),
///     TurnEvent::Done(TurnEnd::default()),
/// ] {
///     let _ = machine.step(now, AgentInput::Turn(TurnNo::new(1), event));
/// }
/// assert_eq!(machine.state(), AgentState::Answering); // It waits for the sum.
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TurnEvent {
    /// Some more text.
    Text(String),
    /// Some more reasoning. It reaches only the readers of events: it is not part of the conversation.
    Reasoning(String),
    /// Complete call, with the id for its task.
    ToolCall(ToolCall, TaskId),
    /// The turn is complete.
    Done(TurnEnd),
    /// The turn failed.
    Failed(ModelError),
}
