//! Stream of task events.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::broadcast::Receiver;

use super::{AsyncTaskResult, TaskAttempt, TaskStatus, WaitsFor};
use crate::{
    broadcast::{BroadcastStream, Received, next},
    clock::Timestamp,
    schema,
    session::SessionId,
    tool::ProgressReport,
};
use crate::{
    id::{TaskId, TaskNo},
    tool::InputRequest,
};

/// State of a task at one moment.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// # use serde_json::json;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// let task = manager.submit(&SessionId::new("s"), call)?;
/// let snapshot = task.snapshot();
/// assert_eq!(&*snapshot.tool, "add");
/// assert!(snapshot.progress.is_none() && snapshot.request.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct TaskSnapshot {
    /// The task.
    pub task: TaskId,
    /// Number of the task in the session, if it has one.
    pub number: Option<TaskNo>,
    /// The task that submitted it, if a task did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// The conversation that made the call.
    pub session: SessionId,
    /// Name of the tool.
    pub tool: Arc<str>,
    /// Time of this state.
    pub at: Timestamp,
    /// Status of the task.
    pub status: TaskStatus,
    /// Time of acceptance.
    pub accepted: Timestamp,
    /// Start of the first attempt; `None` before it.
    pub started: Option<Timestamp>,
    /// Number of times the tool was started, in this process and before.
    pub attempts: u32,
    /// Latest attempts in this process, in their order: at most 16 that failed, and the one that runs or returned a value. Empty before the
    /// first. Of attempts on a worker of a [backend](crate::backend), only the number is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latest_attempts: Vec<TaskAttempt>,
    /// Latest progress report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
    /// Cause of the task's wait; `None` while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// Open question of the task itself. If a task below it asks, the status is [`TaskStatus::InputRequired`] without one here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<InputRequest>,
    /// True once the function has left the task to be completed [from outside](crate::tool::ToolContext::defer).
    pub deferred: bool,
}

/// Change of a task's state.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, task::TaskEvent, tools};
/// # use serde_json::json;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// let mut events = manager.events();
/// manager.submit(&SessionId::new("s"), call)?;
/// while let Some(event) = events.next().await {
///     match event {
///         TaskEvent::Snapshot { tasks } => println!("{} open tasks", tasks.len()),
///         TaskEvent::Accepted(task) => println!("{} waits for a slot", task.tool),
///         TaskEvent::Started(task) => println!("{} runs", task.tool),
///         TaskEvent::Progressed(task) => println!("{}: {:?}", task.tool, task.progress),
///         TaskEvent::InputRequired(task) => println!("{} asks: {:?}", task.tool, task.request),
///         TaskEvent::Settled(result) => {
///             assert_eq!(result.outcome.value(), Some(&json!(5)));
///             break;
///         }
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # JSON
///
/// One flat object: `"event"` has the kind in snake case, and the other fields are those of the snapshot or of the
/// result. [`json_schema`](Self::json_schema) is the schema; the folder `schemas` of this crate has it as a file.
///
/// ```
/// use async_tool_runtime::task::TaskEvent;
/// use serde_json::{json, to_value};
///
/// let event = TaskEvent::Snapshot { tasks: Vec::new() };
/// assert_eq!(to_value(&event)?, json!({"event": "snapshot", "tasks": []}));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "event")]
#[non_exhaustive]
pub enum TaskEvent {
    /// All tasks that have not ended.
    ///
    /// Comes first, and again after the reader was too slow to see every event. So a missed event can't leave an indicator
    /// wrong for good.
    Snapshot {
        /// The tasks.
        tasks: Vec<TaskSnapshot>,
    },
    /// A task was accepted.
    Accepted(TaskSnapshot),
    /// A task got a slot and was started.
    Started(TaskSnapshot),
    /// A tool reported progress. At most ten times a second for each task.
    Progressed(TaskSnapshot),
    /// A task asks for an answer or for consent; `request` has the question. If it is `None`, the question is closed.
    InputRequired(TaskSnapshot),
    /// A task began or ended a wait: for its rate, its next attempt, a resource, another task, or its completion from outside; `waits_for`
    /// has it. At most ten times a second for each task. The wait for its first slot is in [`Accepted`](Self::Accepted).
    Waits(TaskSnapshot),
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
}

impl TaskEvent {
    /// JSON Schema (draft 2020-12) of an event as JSON.
    ///
    /// ```
    /// use async_tool_runtime::task::TaskEvent;
    ///
    /// assert_eq!(TaskEvent::json_schema()["title"], "TaskEvent");
    /// ```
    #[must_use]
    pub fn json_schema() -> Value {
        schema::of_document::<Self>()
    }
}

/// Stream of a manager's events. A [`TaskEvent::Snapshot`] comes first.
///
/// An event that occurs while the snapshot is taken may be in the snapshot and also follow as an event. The stream ends when
/// its manager is dropped.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, async_tool, task::TaskEvent, tools};
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// let mut events = manager.events();
/// assert_eq!(events.next().await, Some(TaskEvent::Snapshot { tasks: vec![] }));
/// drop(manager);
/// assert_eq!(events.next().await, None);
/// # Ok(())
/// # }
/// ```
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
    /// The same as `StreamExt::next` of the crate `futures`, for programs without it.
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
                let tasks = (self.take_snapshot)();
                return Poll::Ready(Some(TaskEvent::Snapshot { tasks }));
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
