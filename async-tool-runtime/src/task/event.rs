//! Task events, as a stream.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;

use super::{AsyncTaskResult, TaskStatus};
use crate::{
    broadcast::{BroadcastStream, Received, next},
    clock::Timestamp,
    session::SessionId,
    tool::ProgressReport,
};
use crate::{
    id::{TaskId, TaskNo},
    tool::InputRequest,
};

/// State of a task at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskSnapshot {
    /// The task.
    pub task: TaskId,
    /// Its number in the session, where it has one.
    pub number: Option<TaskNo>,
    /// The task that submitted it, where it was a task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The conversation that asked.
    pub session: SessionId,
    /// The name of the tool.
    pub tool: Arc<str>,
    /// Its status.
    pub status: TaskStatus,
    /// Time of its acceptance.
    pub accepted: Timestamp,
    /// Start of its first attempt.
    pub started: Option<Timestamp>,
    /// Latest progress report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
    /// Its open question, while its status is [`TaskStatus::InputRequired`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<InputRequest>,
    /// True once it was left to be completed from outside.
    pub deferred: bool,
}

/// Something happened to a task.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TaskEvent {
    /// All tasks that have not ended. Comes first, and again whenever the reader was too slow to see every event: so a
    /// missed event can't leave an indicator wrong for good.
    Snapshot(Vec<TaskSnapshot>),
    /// A task was accepted.
    Accepted(TaskSnapshot),
    /// A task got a slot and was started.
    Started(TaskSnapshot),
    /// A tool said how far it has come. At most ten times a second for a task.
    Progressed(TaskSnapshot),
    /// A task asks for an answer or for consent; `request` says what. If it is `None`, the question is open no more.
    InputRequired(TaskSnapshot),
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
}

/// The events of a manager. A [`TaskEvent::Snapshot`] comes first.
///
/// An event that comes while the snapshot is taken may be in the snapshot and follow as an event too. The stream ends with its
/// manager.
#[must_use = "a stream does nothing until it is read"]
pub struct TaskEventStream {
    take_snapshot: Box<dyn Fn() -> Vec<TaskSnapshot> + Send + Sync>,
    snapshot_is_due: bool,
    events: BroadcastStream<TaskEvent>,
}

impl TaskEventStream {
    pub(crate) fn new(
        receiver: Receiver<TaskEvent>,
        take_snapshot: impl Fn() -> Vec<TaskSnapshot> + Send + Sync + 'static,
    ) -> Self {
        Self {
            take_snapshot: Box::new(take_snapshot),
            snapshot_is_due: true,
            events: BroadcastStream::new(receiver),
        }
    }

    /// Waits for the next event; `None` when the manager is gone.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no event is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<TaskEvent> {
        next(self).await
    }
}

impl Stream for TaskEventStream {
    type Item = TaskEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<TaskEvent>> {
        loop {
            if std::mem::take(&mut self.snapshot_is_due) {
                return Poll::Ready(Some(TaskEvent::Snapshot((self.take_snapshot)())));
            }
            match ready!(Pin::new(&mut self.events).poll_next(cx)) {
                Some(Received::Item(event)) => return Poll::Ready(Some(event)),
                Some(Received::Missed(_)) => self.snapshot_is_due = true,
                None => return Poll::Ready(None),
            }
        }
    }
}

impl std::fmt::Debug for TaskEventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TaskEventStream(..)")
    }
}
