//! Host-side handle of an agent.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use tracing::Instrument as _;

use super::{
    AgentError, AgentEventStream, AgentQuestion, AgentState, AgentTask, EventId, Resumption,
    command::{Command, GroupRequest, Said},
    event_channel::Events,
    setup::Setup,
    status::AgentStatus,
};
use crate::{
    content::Content, context::Transcript, id::TaskNo, journal::JoinPolicy, manager::AsyncToolManager,
    session::SessionId, task::TaskStatus, tool::DeliveryPolicy,
};

mod ending;
mod interrupting;
mod showing;
mod waiting;

/// Longest wait for questions of an earlier process: a layer of the host's may delay one.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// Agent that goes on working while its tools run.
///
/// A cheap handle: clones refer to the same agent. When the last handle is dropped, nothing of the session runs on here.
///
/// - With a journal that [is durable](crate::journal::Journal::is_durable), the agent [leaves](Self::leave) the session:
///   it stays open, and the next process resumes it. So a process may end by an error, a panic or a signal. To wait until
///   all sessions are free, call [`leave_all`](crate::AsyncToolManager::leave_all).
/// - With any other journal, the agent closes the session, because no later process could resume it.
/// - An agent that works for a call closes its session when the call ends.
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
    pub(super) manager: AsyncToolManager,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) events: Events,
    pub(super) status: watch::Receiver<AgentStatus>,
    pub(super) resumption: Option<Arc<Resumption>>,
    /// Set when the agent has started.
    pub(super) setup: Option<Arc<Setup>>,
}

impl AsyncAgent {
    /// Id of the session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Manager of the agent, which answers [questions](Self::questions) and completes tasks from outside.
    #[must_use]
    pub fn manager(&self) -> &AsyncToolManager {
        &self.manager
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
    /// answers it; that turn starts at once unless one is running. With
    /// [`MessagePolicy::Interrupt`](super::MessagePolicy::Interrupt), the running turn is ended.
    ///
    /// A message is a text, or [`Content`] with images, sounds and files.
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
    /// [`AgentError::Closed`] if the session takes no more messages, [`AgentError::Stopped`] if it has stopped.
    /// [`AgentError::Content`] if the message has images, sounds or files that the model doesn't take, or too many bytes of
    /// them.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may or may not have been taken.
    pub async fn send(&self, message: impl Into<Content>) -> Result<(), AgentError> {
        self.say(message.into(), Command::Send).await
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
    ///     if let AgentEventKind::Started { number } = event.kind {
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
    /// # while !matches!(events.next().await.map(|event| event.kind), Some(AgentEventKind::Acknowledged { .. })) {}
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
    ///     if let AgentEventKind::Started { number } = events.next().await.expect("the session is open").kind {
    ///         break number;
    ///     }
    /// };
    /// agent.promote(number).await?; // The user presses "continue in the background".
    /// # while let Some(event) = events.next().await {
    /// #     if matches!(event.kind, AgentEventKind::Acknowledged { .. }) {
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

    /// All open questions of the session: of its tasks and of the tasks below them, such as child tasks, sub-agents, and tasks on
    /// another manager. For a page that is loaded again, or a process that has resumed the session.
    ///
    /// Each has all that is needed to answer it. Of the tasks that a call has on another manager, one asks at a time.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tool::InputRequest, tools, AsyncAgent, AsyncToolManager, RulePlanner};
    ///
    /// /// Deletes a file.
    /// #[async_tool(approval = "always")]
    /// async fn delete(path: String) -> String {
    ///     format!("deleted {path}")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![delete]).build()?;
    /// let agent = AsyncAgent::builder(RulePlanner::new(), manager.clone()).start().await?;
    /// agent.send("delete path=a.txt").await?;
    /// agent.run_until_parked().await?;
    ///
    /// let questions = agent.questions().await?;
    /// assert_eq!(&*questions[0].tool, "delete");
    /// assert!(matches!(&questions[0].request, InputRequest::Approval { arguments } if arguments["path"] == "a.txt"));
    /// manager.approve(questions[0].asking)?;
    /// agent.run_until_idle().await?;
    /// assert!(agent.questions().await?.is_empty());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Directly after a session was resumed, this waits until the tasks that asked in the earlier process have asked again.
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the agent is gone.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn questions(&self) -> Result<Vec<AgentQuestion>, AgentError> {
        let mut stirs = self.manager.stirs();
        let limit = Instant::now() + ASKED_AGAIN;
        loop {
            stirs.borrow_and_update();
            let questions = self.ask(Command::Questions).await?;
            if !questions.is_partial {
                return Ok(questions.asked);
            }
            if !matches!(timeout_at(limit, stirs.changed()).await, Ok(Ok(()))) {
                return Ok(questions.asked);
            }
        }
    }

    /// Conversation so far, and its place in the journal, from which [`events_after`](Self::events_after) goes on.
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
    ///         Message::User { text, .. } => assert_eq!(text, "status"),
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
    pub async fn transcript(&self) -> Result<Transcript, AgentError> {
        self.ask(Command::Transcript).await
    }

    /// Events of the agent from now on: make the stream before you send a message. It ends when the session is over: its last event is
    /// [`Closed`](super::AgentEventKind::Closed), [`Left`](super::AgentEventKind::Left),
    /// [`JournalFailed`](super::AgentEventKind::JournalFailed) or [`Stopped`](super::AgentEventKind::Stopped). A stream
    /// that is made later has only that event.
    ///
    /// ```
    /// # use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// let mut events = agent.events();
    /// agent.send("help").await?;
    /// while let Some(event) = events.next().await {
    ///     match event.kind {
    ///         AgentEventKind::Text { text, .. } => print!("{text}"),
    ///         AgentEventKind::TurnEnded { .. } => break,
    ///         _ => {} // Tasks, questions, deliveries and more.
    ///     }
    /// }
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> AgentEventStream {
        self.events.subscribe()
    }

    /// Events of the session after a place in its journal: those of the entries behind it, then the live ones. None is
    /// missing and none comes twice, for a place before or after a restart.
    ///
    /// The place is the [`seq`](Transcript::seq) of a transcript, or the [id](super::AgentEvent::id) of the last event
    /// that the reader has. Events without an id are not in the journal, so past ones don't come again. In the place of
    /// the text and reasoning so far of a running turn comes one [`TurnSoFar`](super::AgentEventKind::TurnSoFar).
    ///
    /// If the session has secrets, past events are as its journal has them: without the secrets.
    ///
    /// ```
    /// use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner, agent::EventId};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// agent.run_to_completion("help").await?;
    /// let page = agent.transcript().await?; // A page shows the conversation, and then what happens.
    /// agent.run_to_completion("status").await?;
    /// let mut events = agent.events_after(page.seq()).await?;
    /// let event = events.next().await.expect("the session goes on");
    /// assert_eq!(event.kind, AgentEventKind::UserMessage { text: "status".to_owned(), media: Vec::new() });
    ///
    /// let last = event.id.expect("a message is in the journal").to_string(); // `Last-Event-ID`
    /// let mut events = agent.events_after(last.parse::<EventId>()?).await?;
    /// let event = events.next().await.expect("the session goes on");
    /// assert!(matches!(event.kind, AgentEventKind::TurnStarted { .. }));
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentError::Closed`] if the agent is gone, [`AgentError::Stopped`] if it is gone because it has stopped.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn events_after(&self, place: impl Into<EventId>) -> Result<AgentEventStream, AgentError> {
        let place = place.into();
        self.ask(|reply| Command::EventsAfter(place, reply)).await
    }

    /// Passes on a user message, in a span of its own.
    async fn say(
        &self,
        content: Content,
        command: impl FnOnce(Said, oneshot::Sender<Result<(), AgentError>>) -> Command,
    ) -> Result<(), AgentError> {
        let (span, traceparent) = self.manager.traces().message(&self.session);
        let said = Said(content, traceparent);
        self.ask(|reply| command(said, reply)).instrument(span).await?
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, AgentError> {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(command(reply)).await.is_err() {
            return Err(self.gone().await);
        }
        match answer.await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.gone().await),
        }
    }

    /// Reason for which the agent gives no answer.
    async fn gone(&self) -> AgentError {
        let mut status = self.status.clone();
        // An agent that panics drops the replies that it owes before it says why.
        let end = status.wait_for(|status| status.stopped.is_some() || status.state == AgentState::Closed);
        let stopped = match end.await {
            Ok(status) => status.stopped.clone(),
            Err(_) => self.status.borrow().stopped.clone(),
        };
        stopped.map_or(AgentError::Closed, AgentError::Stopped)
    }
}
