//! Host-side handle of an agent.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    AgentEventStream, AgentState, CloseMode, Parked, Resumption, RunLimit, RunTotals, event::Events, machine::Stall,
};
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

/// Agent that goes on working while its tools run.
///
/// A cheap handle: clones refer to the same agent. Dropping the last handle closes the session and stops its tasks. To
/// end a process and continue its sessions in the next one, [`leave`](Self::leave) them.
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
// Kept small: the channel of every session allocates room for dozens of commands at once.
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
    Leave(oneshot::Sender<Result<(), AgentError>>),
    Parked(oneshot::Sender<Parked>),
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
    /// Id of the session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Fates of the session's tasks when it was [resumed](super::AsyncAgentBuilder::resume); `None` if it was
    /// [started](super::AsyncAgentBuilder::start).
    #[must_use]
    pub fn resumption(&self) -> Option<&Resumption> {
        self.resumption.as_deref()
    }

    /// Current state of the agent.
    #[must_use]
    pub fn state(&self) -> AgentState {
        self.status.borrow().state
    }

    /// Sends a user message. Returns when the journal has the message, so it can't be lost any more. The next turn
    /// answers it; that turn starts at once unless one is running.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, Message, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// agent.send("status").await?;
    /// agent.send("help").await?; // No wait for the answer to the first message.
    /// agent.run_until_idle().await?;
    /// let messages = agent.transcript().await?;
    /// assert_eq!(messages.iter().filter(|message| matches!(&***message, Message::User { .. })).count(), 2);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Tells a task to stop. Returns its status before that; a task that has ended keeps its outcome.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner, TaskStatus};
    ///
    /// /// Watches a folder.
    /// #[async_tool(background = "always")]
    /// async fn watch() {
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![watch]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// let mut events = agent.events();
    /// agent.send("watch").await?;
    /// while let Some(event) = events.next().await {
    ///     if let AgentEventKind::Started(number) = event.kind {
    ///         agent.cancel(number, "the user has seen enough").await?;
    ///         break;
    ///     }
    /// }
    /// agent.run_until_idle().await?;
    /// assert_eq!(agent.tasks().await?[0].status, TaskStatus::Cancelled);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::UnknownTask`] if the session has no such task; [`AgentError::Closed`] and [`AgentError::Stopped`]
    /// as for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the task may or may not have been told.
    pub async fn cancel(&self, task: TaskNo, reason: impl Into<String>) -> Result<TaskStatus, AgentError> {
        self.ask(|reply| Command::Cancel(task, reason.into(), reply)).await?
    }

    /// Sets the delivery policy of one task, in place of its tool's. It also applies to a result that waits for
    /// delivery; it changes nothing once the model has seen the result.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     async_tool, tool::DeliveryPolicy, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner,
    /// };
    ///
    /// /// Downloads the archive.
    /// #[async_tool(background = "always")]
    /// async fn download() {
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![download]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// # let mut events = agent.events();
    /// agent.send("download").await?;
    /// # while !matches!(events.next().await.map(|event| event.kind), Some(AgentEventKind::Acknowledged(_))) {}
    /// let task = agent.tasks().await?[0].number;
    /// agent.set_delivery(task, DeliveryPolicy::Silent).await?; // The result doesn't wake the model.
    /// assert_eq!(agent.tasks().await?[0].delivery, DeliveryPolicy::Silent);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::UnknownTask`] if the session has no such task; [`AgentError::Closed`] and [`AgentError::Stopped`]
    /// as for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the policy may or may not have been set.
    pub async fn set_delivery(&self, task: TaskNo, policy: DeliveryPolicy) -> Result<(), AgentError> {
        self.ask(|reply| Command::SetDelivery(task, policy, reply)).await?
    }

    /// Moves a call to the background during the wait at a turn's end. The model gets its acknowledgement now, unless
    /// the turn also waits for other calls. Returns the status of the task before that.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// /// Builds the project.
    /// #[async_tool(background = "never")]
    /// async fn build() {
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![build]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// let mut events = agent.events();
    /// agent.send("build").await?;
    /// let number = loop {
    ///     if let AgentEventKind::Started(number) = events.next().await.expect("the session is open").kind {
    ///         break number;
    ///     }
    /// };
    /// agent.promote(number).await?; // The user presses "continue in the background".
    /// # while let Some(event) = events.next().await {
    /// #     if matches!(event.kind, AgentEventKind::Acknowledged(_)) {
    /// #         break;
    /// #     }
    /// # }
    /// assert!(!agent.tasks().await?[0].status.is_terminal());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::UnknownTask`] if the session has no such task; [`AgentError::Closed`] and [`AgentError::Stopped`]
    /// as for [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the call may or may not have been moved.
    pub async fn promote(&self, task: TaskNo) -> Result<TaskStatus, AgentError> {
        self.ask(|reply| Command::Promote(task, reply)).await?
    }

    /// Joins tasks to a group: their results wake the model together, once `join` is fulfilled. After `limit` the
    /// results so far wake it. A task is in one group, and leaves any other; a new group replaces one of the same name.
    ///
    /// A group decides when the model is woken, and never which results it gets: a user message or an urgent result
    /// delivers all results that are available.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, journal::JoinPolicy, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// /// Asks an airline for its price.
    /// #[async_tool(effect = "read", background = "always")]
    /// async fn price(airline: String) -> usize {
    ///     # let _ = airline;
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![price]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// let mut events = agent.events();
    /// agent.send("price KLM and then price SAS").await?;
    /// # while !matches!(events.next().await.map(|event| event.kind), Some(AgentEventKind::TurnEnded { .. })) {}
    /// let tasks: Vec<_> = agent.tasks().await?.iter().map(|task| task.number).collect();
    /// agent.group("prices", tasks, JoinPolicy::All, None).await?;
    /// let joined = loop {
    ///     if let AgentEventKind::Grouped { tasks, .. } = events.next().await.expect("the session is open").kind {
    ///         break tasks.len();
    ///     }
    /// };
    /// assert_eq!(joined, 2);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::UnknownTask`] if the session has no such task; [`AgentError::Closed`] and [`AgentError::Stopped`]
    /// as for [`send`](Self::send).
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

    /// Conversation so far.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncAgent, AsyncToolManager, Message, RulePlanner};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// agent.run_to_completion("status").await?;
    /// for message in agent.transcript().await? {
    ///     match &*message {
    ///         Message::User { text } => assert_eq!(text, "status"),
    ///         Message::Assistant { text, .. } => assert!(text.ends_with("Nothing runs in the background.")),
    ///         _ => unreachable!("no tool was called"),
    ///     }
    /// }
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
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

    /// Events of the agent from now on. The stream ends after [`AgentEventKind::Closed`](super::AgentEventKind::Closed)
    /// or [`AgentEventKind::JournalFailed`](super::AgentEventKind::JournalFailed).
    pub fn events(&self) -> AgentEventStream {
        self.events.subscribe()
    }

    /// Waits until the agent is idle and stays so without a new input: no turn runs, no task runs, and no result will
    /// wake the model. Results with [`DeliveryPolicy::Silent`] may be left; the next message delivers them.
    ///
    /// ```
    /// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # /// Adds two numbers.
    /// # #[async_tool(effect = "read")]
    /// # fn add(a: i64, b: i64) -> i64 { a + b }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// agent.send("add 2 3").await?;
    /// agent.send("add 4 5").await?;
    /// agent.run_until_idle().await?;
    /// assert!(agent.tasks().await?.iter().all(|task| task.status.is_terminal()));
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Model`] if the model failed and its retries are used up, [`RunError::Limit`] if the run reached one
    /// of its limits, [`RunError::Stopped`] if the journal failed. Nothing is lost in any of these cases. After a
    /// failure of the model, the next message or result starts another turn.
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

    /// Waits until nothing more happens without the outside: no turn runs, no result will wake the model, and all open
    /// tasks wait for [completion from outside](crate::tool::ToolContext::defer), or for people. Returns the waits; none
    /// if the agent is idle. [`run_until_idle`](Self::run_until_idle) waits for these tasks too.
    ///
    /// All of the waits are in the journal, so this is the moment to [leave](Self::leave) the session, to end the
    /// process, and to resume the session when an answer or a result comes. With a wait that has a
    /// [deadline](super::ParkedTask::until), resume it by then too.
    ///
    /// - A task that waits for results of parked tasks is parked with them.
    /// - So is a task that waits for [child tasks](crate::tool::ToolContext::call_tool) or a sub-agent, if all that is
    ///   left of these is parked. The waits are then those of the tasks below it. The function of such a task is lost
    ///   with its process, and the [effect](crate::tool::Effect) of its tool decides about it when the session is resumed.
    /// - A result that a [group](Self::group) holds back until a time limit wakes the model then, so the agent isn't parked.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner, ToolContext};
    ///
    /// /// Orders a parcel.
    /// #[async_tool(grace = "0s")]
    /// async fn order(item: String, #[inject] cx: ToolContext) -> String {
    ///     println!("order {item}; the shop calls back with {}", cx.task());
    ///     cx.defer().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![order]).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone()).start().await?;
    /// agent.send("order item=tea").await?;
    /// let parked = agent.run_until_parked().await?;
    /// assert_eq!(parked.waits.len(), 1);
    ///
    /// // In the handler of the shop's callback:
    /// manager.resolve_durably(parked.waits[0].task, "parcel 17").await?;
    /// assert!(agent.run_until_parked().await?.is_idle());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`run_until_idle`](Self::run_until_idle).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn run_until_parked(&self) -> Result<Parked, RunError> {
        let parked = self.ask(Command::Parked).await;
        let status = self.status.borrow();
        match (parked, &status.stopped, &status.stalled) {
            (_, Some(reason), _) => Err(RunError::Stopped(reason.clone())),
            (Err(_), None, _) if status.state != AgentState::Closed => {
                Err(RunError::Stopped("the agent is gone".to_owned()))
            }
            (_, None, Some(Stall::Model(error))) => Err(RunError::Model(error.clone())),
            (_, None, Some(Stall::Limit(limit))) => Err(RunError::Limit(*limit)),
            (parked, None, None) => Ok(parked.unwrap_or_default()),
        }
    }

    /// Sends a user message, waits until all its work is done, and returns the model's last text. For batches, without
    /// a reader in between.
    ///
    /// It makes the fewest model calls: the agent calls the model again only when all its tasks have ended. The model
    /// then finds most results in place of their acknowledgements, as if the agent had waited for the tools. Only a
    /// result with [`DeliveryPolicy::Interrupt`] comes sooner. The next [`send`](Self::send) ends the batch.
    ///
    /// ```
    /// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # /// Adds two numbers.
    /// # #[async_tool(effect = "read")]
    /// # fn add(a: i64, b: i64) -> i64 { a + b }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
    /// let summary = agent.run_to_completion("add 2 3 and then add 4 5").await?;
    /// assert_eq!(summary.text, "t1 add is done: 5\nt2 add is done: 9");
    /// assert_eq!(summary.totals.turns, 2);
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
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
        self.summary().await.map_err(gone)
    }

    /// Summary of the work for the last user message.
    pub(super) async fn summary(&self) -> Result<RunSummary, AgentError> {
        self.ask(Command::Summary).await
    }

    /// Ends the session: it takes no more messages, aborts a running turn and tells its tasks to stop. The journal
    /// records the results that the model has not seen as dropped, with that reason. Returns when all tasks and the tasks
    /// below them have ended, and the journal has given the session up.
    /// [`close_with`](Self::close_with) lets tasks finish first, or go on.
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

    /// Ends the session in one of three ways. Returns when the session is over: at the latest when all cancelled tasks
    /// have ended.
    ///
    /// ```
    /// use async_tool_runtime::{agent::CloseMode, async_tool, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// /// Exports the year's data.
    /// #[async_tool(background = "always")]
    /// async fn export() {
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![export]).build()?;
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone()).start().await?;
    /// # let mut events = agent.events();
    /// agent.send("export").await?;
    /// # while !matches!(events.next().await.map(|event| event.kind), Some(AgentEventKind::Acknowledged(_))) {}
    /// agent.close_with(CloseMode::Detach).await?;
    /// let task = agent.tasks().await?[0].task;
    /// let handle = manager.task(task).expect("the export goes on");
    /// assert!(!handle.status().is_terminal());
    /// # Ok(())
    /// # }
    /// ```
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

    /// Leaves the session without ending it, for a process that ends and will be restarted, or for a hand-over to
    /// another process. Returns when its tasks have stopped here and the journal has [given the session
    /// up](crate::journal::Journal::release). From then on, any process can resume it at once, also while this process
    /// goes on and uses the journal for other sessions.
    ///
    /// - The session stays open in its journal. It goes on when it is [resumed](super::AsyncAgentBuilder::resume), as
    ///   if this process had been killed now. Without a journal that outlives the process, it is lost.
    /// - Nothing more is written to the journal. Tasks on a [`Backend`](crate::backend::Backend) that keeps tasks go
    ///   on; all others are told to stop.
    /// - The agent does nothing from then on, and dropping its handles closes nothing. A result from outside for an open
    ///   task of the session gets [`ResolveError::NotWritten`](crate::manager::ResolveError::NotWritten) here.
    ///
    /// ```
    /// # use async_tool_runtime::{journal::MemoryJournal, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # use std::sync::Arc;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let journal = Arc::new(MemoryJournal::new());
    /// # let builder = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).journal(journal);
    /// let agent = builder.clone().start().await?;
    /// agent.leave().await?;
    /// assert!(agent.send("too late").await.is_err());
    ///
    /// let agent = builder.resume().await?; // In the next process.
    /// agent.send("status").await?;
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the agent is gone. [`AgentError::Stopped`] if the agent has left, but the journal could
    /// not give the session up: a journal with leases may then hold it until its lease ends. Leaving again tries that
    /// again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the agent may or may not have left the session.
    pub async fn leave(&self) -> Result<(), AgentError> {
        self.ask(Command::Leave).await?
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

/// Task, as its agent sees it.
///
/// ```
/// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// agent.run_to_completion("add 2 3").await?;
/// for task in agent.tasks().await? {
///     let row = format!("{} {} {}", task.number, task.call.name, task.status.as_str());
///     assert_eq!(row, "t1 add completed");
/// }
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgentTask {
    /// Number of the task in the session.
    pub number: TaskNo,
    /// Id of the task.
    pub task: TaskId,
    /// Call that the task carries out.
    pub call: ToolCall,
    /// Status of the task.
    pub status: TaskStatus,
    /// Time at which the task was accepted.
    pub accepted: Timestamp,
    /// Delivery policy of the result, if it comes late.
    pub delivery: DeliveryPolicy,
    /// Last progress of the tool, while the manager remembers the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}

/// Summary of the work for one user message.
///
/// ```
/// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// let summary = agent.run_to_completion("add 2 3").await?;
/// assert_eq!(summary.text, "t1 add is done: 5");
/// assert_eq!(summary.totals.tool_calls, 1);
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RunSummary {
    /// Last text of the model; empty if it wrote none.
    pub text: String,
    /// Totals of the run.
    pub totals: RunTotals,
    /// True if the last turn of the model was empty: it was given results and said nothing, or it announced calls and
    /// made none. The agent had asked once more. The text is then of an earlier turn, or empty.
    pub is_empty: bool,
}

/// Error of a request to an agent.
///
/// ```
/// use async_tool_runtime::{agent::AgentError, AsyncAgent, AsyncToolManager, RulePlanner, TaskNo};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
/// let error = agent.cancel(TaskNo::new(7), "too slow").await.unwrap_err();
/// assert_eq!(error, AgentError::UnknownTask(TaskNo::new(7)));
/// assert_eq!(error.to_string(), "the session has no task t7");
///
/// agent.close().await?;
/// assert_eq!(agent.send("hello").await, Err(AgentError::Closed));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentError {
    /// The session is closed or closing.
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

/// Reason for which an agent became idle before its work was done.
///
/// ```
/// use async_tool_runtime::{
///     agent::{RunError, RunLimit, RunLimits},
///     async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner,
/// };
///
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager)
///     .limits(RunLimits::default().with_turns(1))
///     .start()
///     .await?;
/// match agent.run_to_completion("add 2 3").await {
///     Err(RunError::Limit(RunLimit::Turns(limit))) => assert_eq!(limit, 1), // The result waits for the next message.
///     other => panic!("the second turn was not refused: {other:?}"),
/// }
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RunError {
    /// The model failed, and its retries are used up.
    Model(ModelError),
    /// The run reached one of its limits; see [`RunLimits`](super::RunLimits).
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
