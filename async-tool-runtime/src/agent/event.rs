//! Events of an agent, for observers.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::sync::broadcast::{Receiver, Sender};

use super::{Resumption, RunLimit};
use crate::{
    broadcast::{BroadcastStream, Received, next},
    clock::Timestamp,
    context::Pruned,
    id::{TaskId, TaskNo},
    journal::JoinPolicy,
    model::{ModelError, Usage},
    task::{AsyncTaskResult, TurnNo, WaitsFor},
    tool::{DeliveryPolicy, InputRequest, ProgressReport, ToolCall},
};

/// Event of an agent, with its time.
///
/// ```
/// use async_tool_runtime::{AgentEvent, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
/// let mut events = agent.events();
/// agent.send("help").await?;
/// let AgentEvent { at, kind, .. } = events.next().await.expect("the session is open");
/// assert_eq!(kind, AgentEventKind::UserMessage("help".to_owned()));
/// println!("{} ms: {kind:?}", at.as_millis());
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AgentEvent {
    /// Time of the event.
    pub at: Timestamp,
    /// Kind of the event, with its details.
    pub kind: AgentEventKind,
}

impl AgentEvent {
    pub(crate) const fn new(at: Timestamp, kind: AgentEventKind) -> Self {
        Self { at, kind }
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
///         AgentEventKind::Settled(number, result) => log.push(format!("{number} is {}", result.status().as_str())),
///         _ => {}
///     }
/// }
/// assert_eq!(log, ["t1 calls add", "t1 is completed"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AgentEventKind {
    /// The session took a user message.
    UserMessage(String),
    /// A turn started: the agent called the model.
    TurnStarted(TurnNo),
    /// The model wrote some more text.
    Text(TurnNo, String),
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
    },
    /// The agent refused a call, for this reason. Nothing ran, and the call gets no answer of its own: another call
    /// with the same id gets it.
    CallRefused(ToolCall, String),
    /// The model's turn is complete.
    TurnEnded {
        /// The turn.
        turn: TurnNo,
        /// Whole text of the turn.
        text: String,
        /// Cost of the turn.
        usage: Usage,
    },
    /// The model's turn was empty although it was given results, or it announced calls and made none. It had been asked
    /// once more before.
    TurnEmpty(TurnNo),
    /// An urgent result interrupted the model's turn. The text so far and the calls so far are kept.
    TurnInterrupted {
        /// The turn.
        turn: TurnNo,
        /// Text of the turn so far.
        text: String,
        /// Task whose result interrupted the turn.
        by: TaskNo,
    },
    /// A turn failed. If `retry_at` is `None`, the agent makes no retry before the next input.
    TurnFailed {
        /// The turn.
        turn: TurnNo,
        /// Error of the turn.
        error: ModelError,
        /// Time of the retry.
        retry_at: Option<Timestamp>,
    },
    /// A call was answered with an acknowledgement: its task goes on in the background.
    Acknowledged(TaskNo),
    /// A call was answered with its result.
    Answered(TaskNo),
    /// A task got a slot and started.
    Started(TaskNo),
    /// A tool reported progress. At most ten reports a second for each task.
    Progressed(TaskNo, ProgressReport),
    /// A task, or one below it, asks the host for consent or an answer.
    InputRequired {
        /// Task of the session.
        number: TaskNo,
        /// Task that asks. Answer it with [`AsyncToolManager::answer`](crate::manager::AsyncToolManager::answer),
        /// [`approve`](crate::manager::AsyncToolManager::approve) or
        /// [`refuse`](crate::manager::AsyncToolManager::refuse).
        asking: TaskId,
        /// Request; `None`: it was answered or withdrawn.
        request: Option<InputRequest>,
    },
    /// A task began or ended a wait: for its rate, its next attempt, a resource, or another task. At most ten a second for each
    /// task. A question is [`InputRequired`](Self::InputRequired), and a completion from outside [`Deferred`](Self::Deferred).
    Waits {
        /// Task of the session.
        number: TaskNo,
        /// Cause of the wait; `None`: the task goes on.
        waits_for: Option<WaitsFor>,
    },
    /// The function of a task deferred it: [`AsyncToolManager::resolve`](crate::manager::AsyncToolManager::resolve)
    /// completes it from outside.
    Deferred(TaskNo),
    /// The agent resumed the session after an earlier process.
    Resumed(Resumption),
    /// A task ended.
    Settled(TaskNo, Arc<AsyncTaskResult>),
    /// Results were delivered to the model, in one message.
    Delivered(Vec<TaskNo>),
    /// Results were dropped, for this reason. The model never sees them.
    Dropped(Vec<TaskNo>, String),
    /// A task was told to stop, for this reason.
    CancelRequested(TaskNo, String),
    /// The host set the delivery policy of a task.
    DeliverySet(TaskNo, DeliveryPolicy),
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
    /// The model's view of the conversation was pruned this far, or large parts of it were cut. The conversation itself
    /// is kept.
    Pruned(Pruned),
    /// A limit of the run is reached: the agent doesn't call its model before the next user message.
    LimitReached(RunLimit),
    /// The session takes no more messages, and finishes its work until this time.
    Draining(Timestamp),
    /// The session ends without these tasks, which go on.
    Detached(Vec<TaskNo>),
    /// The session is over.
    Closed,
    /// This process has left the session, which stays open in its journal.
    Left,
    /// The journal could not be written, and the session has stopped. Everything can still be read.
    JournalFailed(String),
    /// The session has stopped for another reason: a part of the host's code panicked, or the runtime of the agent was
    /// shut down. It stays open in its journal.
    Stopped(String),
    /// The agent refused to break one of its own rules. Please report it.
    Defect(String),
    /// The reader was too slow, and missed this many events.
    Missed(u64),
}

impl AgentEventKind {
    /// True if no event follows.
    const fn is_last(&self) -> bool {
        matches!(
            self,
            Self::Closed | Self::Left | Self::JournalFailed(_) | Self::Stopped(_)
        )
    }
}

/// Number of events that the channel keeps for a slow reader.
const BACKLOG: usize = 1024;

/// Channel of an agent's events.
///
/// A channel allocates its whole backlog at once, which is more than the rest of an idle session. So the first reader
/// makes it: most sessions of a server never have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events(Arc<Channel>);

#[derive(Debug, Default)]
struct Channel {
    sender: OnceLock<Sender<AgentEvent>>,
    /// Last event of the session, for readers that come later.
    last: OnceLock<AgentEvent>,
}

impl Events {
    pub(crate) fn send(&self, event: AgentEvent) {
        if event.kind.is_last() {
            // Set before it is sent: a reader that comes in between finds it here.
            let _the_first_one_stays = self.0.last.set(event.clone());
        }
        if let Some(sender) = self.0.sender.get() {
            let _nobody_listens_any_more = sender.send(event);
        }
    }

    pub(crate) fn subscribe(&self) -> AgentEventStream {
        let receiver = self.0.sender.get_or_init(|| Sender::new(BACKLOG)).subscribe();
        let mut stream = AgentEventStream::new(receiver);
        stream.end = self.0.last.get().cloned();
        stream
    }
}

/// Events of an agent, from the call of [`events`](crate::AsyncAgent::events) to the end of the session.
///
/// A reader that falls more than 1,024 events behind gets [`AgentEventKind::Missed`].
///
/// ```
/// use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
/// let mut events = agent.events();
/// let reader = tokio::spawn(async move {
///     let mut text = String::new();
///     while let Some(event) = events.next().await {
///         if let AgentEventKind::Text(_, more) = event.kind {
///             text.push_str(&more);
///         }
///     }
///     text
/// });
/// agent.run_to_completion("status").await?;
/// agent.close().await?;
/// assert!(reader.await?.ends_with("Nothing runs in the background."));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a stream does nothing until it is read"]
pub struct AgentEventStream {
    events: BroadcastStream<AgentEvent>,
    last: Timestamp,
    /// Last event of a session that was over before.
    end: Option<AgentEvent>,
    is_over: bool,
}

impl AgentEventStream {
    fn new(receiver: Receiver<AgentEvent>) -> Self {
        Self {
            events: BroadcastStream::new(receiver),
            last: Timestamp::default(),
            end: None,
            is_over: false,
        }
    }

    /// Waits for the next event; `None` when the session is over. A stream that is made after the end of the session has
    /// its last event.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<AgentEvent> {
        next(self).await
    }
}

impl Stream for AgentEventStream {
    type Item = AgentEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<AgentEvent>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if let Some(end) = self.end.take() {
            self.is_over = true;
            return Poll::Ready(Some(end));
        }
        let event = match ready!(Pin::new(&mut self.events).poll_next(cx)) {
            Some(Received::Item(event)) => event,
            Some(Received::Missed(missed)) => AgentEvent::new(self.last, AgentEventKind::Missed(missed)),
            None => return Poll::Ready(None),
        };
        self.last = event.at;
        self.is_over = event.kind.is_last();
        Poll::Ready(Some(event))
    }
}
