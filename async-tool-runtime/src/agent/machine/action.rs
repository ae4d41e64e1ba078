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
/// 1. The shell carries out actions in the order in which it got them.
/// 2. An action that follows an [`Append`](Self::Append) waits until the append is durable. If the append fails for
///    good, the actions behind it are not carried out and the session stops.
///
/// # Example
///
/// ```
/// use async_tool_runtime::{
///     agent::{
///         machine::{AgentAction, AgentInput, AgentMachine},
///         AgentPolicy, Ledger,
///     },
///     task::Timestamp,
///     AsyncToolManager, SessionId,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// # let policy = AgentPolicy::new(manager.registry());
/// # let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
/// # let now = Timestamp::from_millis(0);
/// # let nonce = "0f9a2c46d1e84b7f".to_owned();
/// # let _ = machine.step(now, AgentInput::Open { nonce, works_for: None });
/// let mut written = 0;
/// for action in machine.step(now, AgentInput::User("hello".into())) {
///     match action {
///         AgentAction::Append(entries) => written += entries.len(), // Durable before all that follows.
///         AgentAction::StartTurn(_, request) => assert_eq!(request.last_user_text(), Some("hello")),
///         AgentAction::SetTimer(..) | AgentAction::Emit(_) => {}
///         other => panic!("no tool was called: {other:?}"),
///     }
/// }
/// assert_eq!(written, 2); // The user message, and the start of the turn.
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AgentAction {
    /// Writes these entries, in one append.
    Append(Vec<Entry>),
    /// Calls the model.
    StartTurn(TurnNo, ModelRequest),
    /// Drops the call of the model.
    AbortTurn(TurnNo),
    /// Submits a task.
    Submit(TaskSpec),
    /// Waits for the completion of a task whose function ended with an earlier process, until a deadline if there is one.
    /// Asks the host the question of that task, if there is one.
    Await(TaskSpec, Option<InputRequest>, Option<Timestamp>),
    /// Asks the tool of a task for the task's outcome in an earlier process.
    Reconcile(TaskSpec),
    /// Tells a task to stop, for this reason.
    CancelTask(TaskId, String),
    /// Sends a message to a task, then gives the machine [`AgentInput::Sent`](super::AgentInput::Sent) with the
    /// outcome.
    Send {
        /// Call of the `task` tool that sends it.
        call: TaskNo,
        /// Task that gets it.
        task: TaskId,
        /// Text of the message.
        text: String,
    },
    /// Gives the machine [`AgentInput::Timer`](super::AgentInput::Timer) at this time. Setting a timer again moves it.
    SetTimer(Timer, Timestamp),
    /// Sends an event to all readers.
    Emit(AgentEvent),
}

/// Timer of the machine.
///
/// ```
/// use async_tool_runtime::{
///     agent::{
///         machine::{AgentAction, AgentInput, AgentMachine, Timer},
///         AgentPolicy, Ledger,
///     },
///     task::{Timestamp, TurnNo},
///     AsyncToolManager, SessionId,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// # let policy = AgentPolicy::new(manager.registry());
/// # let mut machine = AgentMachine::new(SessionId::new("s"), None, [].into(), policy, Ledger::new());
/// # let now = Timestamp::from_millis(0);
/// # let nonce = "0f9a2c46d1e84b7f".to_owned();
/// # let _ = machine.step(now, AgentInput::Open { nonce, works_for: None });
/// let actions = machine.step(now, AgentInput::User("hello".into()));
/// let timer = actions.iter().find_map(|action| match action {
///     AgentAction::SetTimer(timer, at) => Some((*timer, *at)),
///     _ => None,
/// });
/// let (timer, at) = timer.expect("a turn is timed");
/// assert_eq!(timer, Timer::Silence(TurnNo::new(1)));
///
/// // The model says nothing until then.
/// let actions = machine.step(at, AgentInput::Timer(timer));
/// assert!(actions.iter().any(|action| matches!(action, AgentAction::AbortTurn(_))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// End of a turn's grace time.
    Grace(TurnNo),
    /// Wake-up of an idle agent for undelivered results, or interruption of its turn.
    Wake,
    /// Retry of a failed turn.
    Retry,
    /// End of the wait for joined results.
    Join,
    /// End of the longest silence of a model: its turn has failed.
    Silence(TurnNo),
    /// End of a drain.
    Drain,
}
