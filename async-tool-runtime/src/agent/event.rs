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
    task::{AsyncTaskResult, TurnNo},
    tool::{DeliveryPolicy, InputRequest, ProgressReport, ToolCall},
};

/// Event of an agent, and its time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AgentEvent {
    /// Time of the entry.
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
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AgentEventKind {
    /// A user message was taken.
    UserMessage(String),
    /// The model was asked.
    TurnStarted(TurnNo),
    /// The model said some more.
    Text(TurnNo, String),
    /// The model made a call, which became a task.
    Called {
        /// The turn.
        turn: TurnNo,
        /// The task.
        number: TaskNo,
        /// Its id.
        task: TaskId,
        /// The call.
        call: ToolCall,
    },
    /// The model made a call that can't become a task, for this reason. Nothing ran, and the model is not answered: its other
    /// call of the same id is.
    CallRefused(ToolCall, String),
    /// The model's turn is complete.
    TurnEnded {
        /// The turn.
        turn: TurnNo,
        /// All it said.
        text: String,
        /// Cost of the turn.
        usage: Usage,
    },
    /// The model's turn was broken off for a result that could not wait. What it had said is kept, and so are its calls.
    TurnInterrupted {
        /// The turn.
        turn: TurnNo,
        /// All it had said.
        text: String,
        /// The task whose result it was.
        by: TaskNo,
    },
    /// A turn failed. If `retry_at` is `None`, no further try is made until something new comes in.
    TurnFailed {
        /// The turn.
        turn: TurnNo,
        /// Error of the turn.
        error: ModelError,
        /// Time of the next try.
        retry_at: Option<Timestamp>,
    },
    /// A call was answered with an acknowledgement: its task goes on in the background.
    Acknowledged(TaskNo),
    /// A call was answered with its result.
    Answered(TaskNo),
    /// A task got a slot and was started.
    Started(TaskNo),
    /// A tool said how far it has come. At most ten times a second for a task.
    Progressed(TaskNo, ProgressReport),
    /// A task, or one below it, asks the host for consent or an answer.
    InputRequired {
        /// The task of the session's.
        number: TaskNo,
        /// The task that asks, to be answered with [`AsyncToolManager::answer`](crate::manager::AsyncToolManager::answer),
        /// [`approve`](crate::manager::AsyncToolManager::approve) or [`refuse`](crate::manager::AsyncToolManager::refuse).
        asking: TaskId,
        /// Request; `None`: it is answered or withdrawn.
        request: Option<InputRequest>,
    },
    /// The function of a task has left it to be completed from outside, with [`AsyncToolManager::resolve`](crate::manager::AsyncToolManager::resolve).
    Deferred(TaskNo),
    /// The session was taken up again, of which nobody ran anything any more.
    Resumed(Resumption),
    /// A task ended.
    Settled(TaskNo, Arc<AsyncTaskResult>),
    /// Results were put before the model, in one message.
    Delivered(Vec<TaskNo>),
    /// Results will not be put before the model.
    Dropped(Vec<TaskNo>, String),
    /// A task was told to stop.
    CancelRequested(TaskNo, String),
    /// The host said when the result of a task is to enter the conversation.
    DeliverySet(TaskNo, DeliveryPolicy),
    /// Tasks were joined to a group: their results wake the model together.
    Grouped {
        /// The name of the group.
        name: Arc<str>,
        /// Its tasks.
        tasks: Vec<TaskNo>,
        /// Number of results that make one wake-up.
        join: JoinPolicy,
    },
    /// The model had written this many tool results itself. They were cut out before anybody saw them, and the model is told.
    Corrected {
        /// The turn.
        turn: TurnNo,
        /// Number of results that were cut.
        cuts: u32,
    },
    /// The model's view of the conversation was pruned this far. The conversation itself is kept.
    Pruned(Pruned),
    /// The agent asks its model no more before the next message: it has done as much as it may for the last.
    LimitReached(RunLimit),
    /// The session takes no more messages, and goes on with what it has until then.
    Draining(Timestamp),
    /// The session ends without these tasks, which go on.
    Detached(Vec<TaskNo>),
    /// The session is over.
    Closed,
    /// This process has let go of the session, which stays open in its journal.
    Left,
    /// The journal could not be written, and the session has stopped. Everything can still be read.
    JournalFailed(String),
    /// The agent refused to break one of its own rules. Please report it.
    Defect(String),
    /// The reader was too slow, and this many events are gone.
    Missed(u64),
}

/// Events that are kept for a slow listener.
const BACKLOG: usize = 1024;

/// Channel of an agent's events.
///
/// The channel has room for its whole backlog from the beginning, which is more than all else of a session that does little. So it is made
/// when somebody wants to listen: most sessions of a server never have a listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events(Arc<OnceLock<Sender<AgentEvent>>>);

impl Events {
    pub(crate) fn send(&self, event: AgentEvent) {
        if let Some(sender) = self.0.get() {
            let _nobody_listens_any_more = sender.send(event);
        }
    }

    pub(crate) fn subscribe(&self) -> AgentEventStream {
        AgentEventStream::new(self.0.get_or_init(|| Sender::new(BACKLOG)).subscribe())
    }
}

/// The events of an agent, from the moment it was asked for to the end of its session.
///
/// A reader that falls more than 1,024 events behind gets [`AgentEventKind::Missed`].
#[derive(Debug)]
#[must_use = "a stream does nothing until it is read"]
pub struct AgentEventStream {
    events: BroadcastStream<AgentEvent>,
    last: Timestamp,
    is_over: bool,
}

impl AgentEventStream {
    fn new(receiver: Receiver<AgentEvent>) -> Self {
        Self {
            events: BroadcastStream::new(receiver),
            last: Timestamp::default(),
            is_over: false,
        }
    }

    /// Waits for the next event; `None` when the session is over.
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
        let event = match ready!(Pin::new(&mut self.events).poll_next(cx)) {
            Some(Received::Item(event)) => event,
            Some(Received::Missed(missed)) => AgentEvent::new(self.last, AgentEventKind::Missed(missed)),
            None => return Poll::Ready(None),
        };
        self.last = event.at;
        self.is_over = matches!(
            event.kind,
            AgentEventKind::Closed | AgentEventKind::Left | AgentEventKind::JournalFailed(_)
        );
        Poll::Ready(Some(event))
    }
}
