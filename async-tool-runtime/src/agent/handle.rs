//! The host's handle of an agent.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::{AgentEventStream, AgentState, CloseMode, Resumption, RunLimit, RunTotals, event::Events, machine::Stall};
use crate::{
    clock::Timestamp,
    context::Message,
    id::{TaskId, TaskNo},
    journal::JoinPolicy,
    model::ModelError,
    session::SessionId,
    task::TaskStatus,
    tool::{DeliveryPolicy, ProgressReport, ToolCall},
};

/// An agent that goes on working while its tools run.
///
/// A cheap handle: clones are the same agent. When the last one is dropped, the session is closed: its tasks are stopped. To end a
/// process and have its sessions go on in the next, [`leave`](Self::leave) them.
///
/// ```
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
///
/// /// Adds two numbers.
/// #[async_tool(effect = "read")]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// agent.send("add a=2 b=3").await?;
/// agent.run_until_idle().await?;
/// # let transcript = agent.transcript().await?;
/// # assert!(format!("{transcript:?}").contains('5'));
/// agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AsyncAgent {
    pub(super) session: SessionId,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) events: Events,
    pub(super) status: watch::Receiver<AgentStatus>,
    pub(super) resumption: Option<Arc<Resumption>>,
}

/// Command of the host to the shell.
#[derive(Debug)]
// As small as can be: a channel has room for dozens of them from the beginning, in every session.
pub(super) enum Command {
    Send(String, oneshot::Sender<Result<(), AgentError>>),
    Batch(String, oneshot::Sender<Result<(), AgentError>>),
    Promote(TaskNo, oneshot::Sender<Result<TaskStatus, AgentError>>),
    Group(Box<GroupRequest>, oneshot::Sender<Result<(), AgentError>>),
    Summary(oneshot::Sender<RunSummary>),
    Cancel(TaskNo, String, oneshot::Sender<Result<TaskStatus, AgentError>>),
    SetDelivery(TaskNo, DeliveryPolicy, oneshot::Sender<Result<(), AgentError>>),
    Tasks(oneshot::Sender<Vec<AgentTask>>),
    Transcript(oneshot::Sender<Vec<Arc<Message>>>),
    Close(CloseMode, oneshot::Sender<Result<(), AgentError>>),
    Leave(oneshot::Sender<()>),
}

/// Tasks that the host joins to a group.
#[derive(Debug)]
pub(super) struct GroupRequest {
    pub(super) name: Arc<str>,
    pub(super) tasks: Vec<TaskNo>,
    pub(super) join: JoinPolicy,
    pub(super) limit: Option<Duration>,
}

/// Status that the shell publishes after every step.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentStatus {
    pub(super) state: AgentState,
    pub(super) is_quiescent: bool,
    pub(super) stalled: Option<Stall>,
    pub(super) stopped: Option<String>,
}

impl AsyncAgent {
    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Fates of the session's tasks when it was [taken up again](super::AsyncAgentBuilder::resume); `None` if it was
    /// [started](super::AsyncAgentBuilder::start).
    #[must_use]
    pub fn resumption(&self) -> Option<&Resumption> {
        self.resumption.as_deref()
    }

    /// State of the agent now.
    #[must_use]
    pub fn state(&self) -> AgentState {
        self.status.borrow().state
    }

    /// Says something to the agent. Returns when the message is written down: from then on it can't be lost. It is answered by the
    /// next turn, which starts at once unless one is running.
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the session takes no more messages, [`AgentError::Stopped`] if its journal failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may or may not have been taken.
    pub async fn send(&self, text: impl Into<String>) -> Result<(), AgentError> {
        self.ask(|reply| Command::Send(text.into(), reply)).await?
    }

    /// Tells a task to stop. Returns its status at that moment; a task that has ended is left as it is.
    ///
    /// # Errors
    ///
    /// [`AgentError::UnknownTask`] if the session has no such task; [`AgentError::Closed`] and [`AgentError::Stopped`] as for
    /// [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the task may or may not have been told.
    pub async fn cancel(&self, task: TaskNo, reason: impl Into<String>) -> Result<TaskStatus, AgentError> {
        self.ask(|reply| Command::Cancel(task, reason.into(), reply)).await?
    }

    /// Says when the result of a task is to enter the conversation, whatever its tool says. It holds also for a result that
    /// waits already; for one that the model has been told it changes nothing.
    ///
    /// # Errors
    ///
    /// [`AgentError::UnknownTask`] if the session has no such task; [`AgentError::Closed`] and [`AgentError::Stopped`] as for
    /// [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the policy may or may not have been set.
    pub async fn set_delivery(&self, task: TaskNo, policy: DeliveryPolicy) -> Result<(), AgentError> {
        self.ask(|reply| Command::SetDelivery(task, policy, reply)).await?
    }

    /// Moves a call to the background whose result the end of the turn still waits for: the model gets its acknowledgement now,
    /// unless other calls of the turn are waited for. Returns the status of the task at that moment.
    ///
    /// # Errors
    ///
    /// [`AgentError::UnknownTask`] if the session has no such task; [`AgentError::Closed`] and [`AgentError::Stopped`] as for
    /// [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the call may or may not have been moved.
    pub async fn promote(&self, task: TaskNo) -> Result<TaskStatus, AgentError> {
        self.ask(|reply| Command::Promote(task, reply)).await?
    }

    /// Joins tasks to a group: their results wake the model together, as `join` says, or after `limit` with what there is by then.
    /// A task is in one group, and leaves any other; a group of the same name is replaced.
    ///
    /// A group decides when the model is woken, and never what it is told: a message of the user's, or a result that can't wait, takes
    /// along all results that are in.
    ///
    /// # Errors
    ///
    /// [`AgentError::UnknownTask`] if the session has no such task; [`AgentError::Closed`] and [`AgentError::Stopped`] as for
    /// [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the tasks may or may not have been joined.
    pub async fn group(
        &self,
        name: impl Into<Arc<str>>,
        tasks: impl IntoIterator<Item = TaskNo>,
        join: JoinPolicy,
        limit: Option<Duration>,
    ) -> Result<(), AgentError> {
        let group = GroupRequest {
            name: name.into(),
            tasks: tasks.into_iter().collect(),
            join,
            limit,
        };
        self.ask(|reply| Command::Group(Box::new(group), reply)).await?
    }

    /// All tasks of the session, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the agent is gone.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn tasks(&self) -> Result<Vec<AgentTask>, AgentError> {
        self.ask(Command::Tasks).await
    }

    /// The conversation so far.
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the agent is gone.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn transcript(&self) -> Result<Vec<Arc<Message>>, AgentError> {
        self.ask(Command::Transcript).await
    }

    /// Events of the agent from now on. The stream ends after [`AgentEventKind::Closed`](super::AgentEventKind::Closed) or
    /// [`AgentEventKind::JournalFailed`](super::AgentEventKind::JournalFailed).
    pub fn events(&self) -> AgentEventStream {
        self.events.subscribe()
    }

    /// Waits until nothing will happen any more by itself: no turn, no task, and no result that would wake the model. Results that
    /// wake nobody ([`DeliveryPolicy::Silent`]) may be left; they go with the next message.
    ///
    /// # Errors
    ///
    /// [`RunError::Model`] if the model failed and was given up on, [`RunError::Stopped`] if the journal failed. Nothing is lost in
    /// either case; after a failure of the model, the next message or result asks it again.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn run_until_idle(&self) -> Result<(), RunError> {
        let mut status = self.status.clone();
        let rest = status
            .wait_for(|status| status.is_quiescent || status.stopped.is_some())
            .await
            .map_err(|_| RunError::Stopped("the agent is gone".to_owned()))?;
        match (&rest.stopped, &rest.stalled) {
            (Some(reason), _) => Err(RunError::Stopped(reason.clone())),
            (None, Some(Stall::Model(error))) => Err(RunError::Model(error.clone())),
            (None, Some(Stall::Limit(limit))) => Err(RunError::Limit(*limit)),
            (None, None) => Ok(()),
        }
    }

    /// Says something to the agent, and waits until it has done all that comes of it: for batches, where nobody reads along. Gives
    /// what the model said last.
    ///
    /// It makes the fewest model calls: the model is asked again only when all that it has called is done, and most often finds
    /// the results in the places of their acknowledgements, as if the tools had been waited for. Only a result whose tool says
    /// [`DeliveryPolicy::Interrupt`] comes sooner. The next [`send`](Self::send) ends this.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send) and [`run_until_idle`](Self::run_until_idle). Nothing is lost in either case.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may or may not have been taken; the agent goes on.
    pub async fn run_to_completion(&self, text: impl Into<String>) -> Result<RunSummary, RunError> {
        let gone = |error: AgentError| RunError::Stopped(error.to_string());
        let sent = self.ask(|reply| Command::Batch(text.into(), reply)).await;
        sent.and_then(|sent| sent).map_err(gone)?;
        self.run_until_idle().await?;
        self.ask(Command::Summary).await.map_err(gone)
    }

    /// Ends the session: no more messages, a running turn is aborted, tasks are told to stop, and what the model has not been told
    /// is dropped with that reason in the journal. Returns when all tasks have ended. [`close_with`](Self::close_with) lets them
    /// finish first, or go on.
    ///
    /// # Errors
    ///
    /// [`AgentError::Stopped`] if the journal failed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may go on closing. Call it again to wait for the end.
    pub async fn close(&self) -> Result<(), AgentError> {
        self.close_with(CloseMode::Cancel).await
    }

    /// Ends the session in one of three ways. Returns when the session is over: at the latest when all tasks have ended that are
    /// told to stop.
    ///
    /// # Errors
    ///
    /// [`AgentError::Stopped`] if the journal failed.
    ///
    /// # Cancel safety
    ///
    /// As for [`close`](Self::close).
    pub async fn close_with(&self, mode: CloseMode) -> Result<(), AgentError> {
        self.ask(|reply| Command::Close(mode, reply)).await?
    }

    /// Lets go of the session without ending it: for a process that is about to end, and is started again. Nothing more is written, and what
    /// runs here is told to stop, unless it is on a [`Backend`](crate::backend::Backend) that keeps it; returns when it has. The session stays open in its
    /// journal, and goes on where it is [taken up again](super::AsyncAgentBuilder::resume), as if this process had been killed now. Without a
    /// journal that outlives the process, it is lost.
    ///
    /// The agent does nothing from then on, and dropping it closes nothing.
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the agent is gone.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session may or may not have been let go of.
    pub async fn leave(&self) -> Result<(), AgentError> {
        self.ask(Command::Leave).await
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, AgentError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| AgentError::Closed)?;
        answer.await.map_err(|_| AgentError::Closed)
    }
}

/// A task, as its agent sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgentTask {
    /// Its number in the session.
    pub number: TaskNo,
    /// Its id.
    pub task: TaskId,
    /// The call that it carries out.
    pub call: ToolCall,
    /// Status of the task.
    pub status: TaskStatus,
    /// Time at which it was accepted.
    pub accepted: Timestamp,
    /// Delivery policy of its result, if it comes late.
    pub delivery: DeliveryPolicy,
    /// Last progress of its tool, while the manager remembers the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

/// Summary of the work for one message of the user's.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RunSummary {
    /// Last text of the model; empty if there is none.
    pub text: String,
    /// Totals of the run.
    pub totals: RunTotals,
}

/// An agent couldn't do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentError {
    /// The session is closed, or about to be.
    Closed,
    /// The session has stopped, for this reason. Everything can still be read.
    Stopped(String),
    /// The session has no such task.
    UnknownTask(TaskNo),
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the session is closed"),
            Self::Stopped(reason) => write!(f, "the session has stopped: {reason}"),
            Self::UnknownTask(task) => write!(f, "the session has no task {task}"),
        }
    }
}

impl Error for AgentError {}

/// An agent came to rest before its work was done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RunError {
    /// The model failed, and was not asked again.
    Model(ModelError),
    /// The agent has done as much as it may for one message; see [`RunLimits`](super::RunLimits).
    Limit(RunLimit),
    /// The session has stopped, for this reason.
    Stopped(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(_) => f.write_str("the model failed"),
            Self::Limit(limit) => fmt::Display::fmt(limit, f),
            Self::Stopped(reason) => write!(f, "the session has stopped: {reason}"),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Model(error) => Some(error),
            Self::Limit(_) | Self::Stopped(_) => None,
        }
    }
}
