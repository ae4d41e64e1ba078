//! Control over one task.

use std::{fmt, sync::Arc};

use super::TaskCell;
use crate::{
    id::TaskId,
    manager::{WaitInside, stop},
    task::{AsyncTaskResult, SendError, TaskAck, TaskOutcome, TaskSnapshot, TaskSpec, TaskStatus, Timing},
    tool::ToolError,
};

/// Control over one task, for the host. Cheap to clone; dropping it doesn't affect the task.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, TaskOutcome, ToolCall, async_tool, tools};
/// use serde_json::json;
///
/// /// Watches a topic.
/// #[async_tool(effect = "read")]
/// async fn watch(topic: String) {
///     # let _ = topic;
///     std::future::pending().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![watch]).build()?;
/// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "watch", json!({"topic": "tea"})))?;
/// assert!(!task.status().is_terminal());
/// task.cancel("the user left");
/// assert_eq!(task.outcome().await.outcome, TaskOutcome::Cancelled("the user left".to_owned()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TaskHandle {
    cell: Arc<TaskCell>,
}

impl TaskHandle {
    pub(crate) const fn new(cell: Arc<TaskCell>) -> Self {
        Self { cell }
    }

    /// Id of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.cell.spec.task
    }

    pub(crate) fn cell(&self) -> &Arc<TaskCell> {
        &self.cell
    }

    /// Task as data: its call, session, parent, key and deadline. The arguments have their true values.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// # /// Does nothing.
    /// # #[async_tool]
    /// # async fn nothing() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "nothing", json!({})))?;
    /// assert_eq!((&*task.spec().call.name, task.spec().parent), ("nothing", None));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn spec(&self) -> &TaskSpec {
        &self.cell.spec
    }

    /// Current status.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.cell.status()
    }

    /// Current state, as data for a display or a log.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Never ends.
    /// # #[async_tool]
    /// # async fn watch() {
    /// #     std::future::pending().await
    /// # }
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![watch]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "watch", json!({})))?;
    /// let snapshot = task.snapshot();
    /// assert_eq!(&*snapshot.tool, "watch");
    /// assert!(snapshot.progress.is_none()); // The tool has reported nothing yet.
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> TaskSnapshot {
        self.cell.snapshot()
    }

    /// Acknowledgement for the model: the task is accepted, and there is no result yet.
    ///
    /// Its status is the current one, or `Running` if the task has ended: an acknowledgement never hints at a result.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, TaskStatus, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Does nothing.
    /// # #[async_tool]
    /// # async fn nothing() {}
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "nothing", json!({})))?;
    /// task.outcome().await;
    /// assert_eq!(task.status(), TaskStatus::Completed);
    /// assert_eq!(task.ack().status, TaskStatus::Running);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ack(&self) -> TaskAck {
        let status = self.status();
        let status = if status.is_terminal() {
            TaskStatus::Running
        } else {
            status
        };
        let TaskSpec { task, number, call, .. } = &self.cell.spec;
        TaskAck::new(*task, *number, Arc::clone(&call.name), call.arguments.clone(), status)
    }

    /// Tells the task to stop, with a reason. A task that waits for a slot ends at once. A running tool sees its token
    /// fire, and is dropped after the manager's stop timeout. The tasks below it are told to stop too, and end before it
    /// does. Does nothing to a task that has ended.
    pub fn cancel(&self, reason: impl Into<String>) {
        if self.cell.is_settled() {
            return;
        }
        self.cell.request_cancel(reason.into());
        self.stop(false);
    }

    /// Ends the task now and drops its future, without a pause. A function that blocks its thread can't be
    /// dropped: it runs until it returns, and its value is lost.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, TaskStatus, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Never ends.
    /// # #[async_tool]
    /// # async fn watch() {
    /// #     std::future::pending().await
    /// # }
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![watch]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "watch", json!({})))?;
    /// task.abort("the disk is full");
    /// assert_eq!(task.status(), TaskStatus::Cancelled); // Already, without an await.
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort(&self, reason: impl Into<String>) {
        self.cell.request_cancel(reason.into());
        self.stop(true);
    }

    fn stop(&self, at_once: bool) {
        if let Some(manager) = self.cell.manager() {
            stop::stop_now(&manager, &self.cell, at_once);
        }
    }

    /// Sends a message to the task's function, which reads it with [`Messages`](crate::tool::Messages). Never waits. At
    /// most 64 messages wait to be read. A task in the queue keeps its messages; if calls share one run, the run gets
    /// the message.
    ///
    /// `Ok` means that the message is kept, not that the function will read it. Messages that are unread when the
    /// function ends are dropped.
    ///
    /// # Errors
    ///
    /// [`SendError`]: the function has ended, too many messages wait, or the task runs on a backend.
    pub fn send(&self, message: impl Into<String>) -> Result<(), SendError> {
        self.cell.send(message.into())
    }

    /// Waits until the task has ended, and returns its result.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, TaskOutcome, ToolCall, async_tool, tools};
    /// # /// Adds two numbers.
    /// # #[async_tool(effect = "read")]
    /// # fn add(a: i64, b: i64) -> i64 { a + b }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// let call = ToolCall::new("call_1", "add", serde_json::json!({"a": 2, "b": 3}));
    /// let task = manager.submit(&SessionId::new("s"), call)?;
    /// match &task.outcome().await.outcome {
    ///     TaskOutcome::Completed(sum) => assert_eq!(sum, 5),
    ///     TaskOutcome::Failed(error) => eprintln!("failed: {error}"),
    ///     other => eprintln!("{}", other.status()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Inside of a tool's function, the tool's own task holds no slot meanwhile. If the awaited task waits for that task, the
    /// result comes at once, and is no end of the awaited task: it is a failure with
    /// [`ToolErrorKind::Duplicate`](crate::tool::ToolErrorKind::Duplicate), whose message names the circle. Waits in code that
    /// the function has spawned are not seen.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the outcome stays with the task, and dropping the future does not stop the task.
    pub async fn outcome(&self) -> Arc<AsyncTaskResult> {
        if let Some(result) = self.result() {
            return result;
        }
        let wait = match WaitInside::for_task(&self.cell) {
            Ok(wait) => wait,
            Err(error) => return self.refused(error),
        };
        let result = self.cell.settled().await;
        if let Some(wait) = wait {
            wait.end().await;
        }
        result
    }

    /// Result of a wait that was refused.
    fn refused(&self, error: ToolError) -> Arc<AsyncTaskResult> {
        let Self { cell } = self;
        let now = cell.manager().map_or(cell.accepted, |manager| manager.now());
        let timing = Timing::new(cell.accepted, cell.started(), now);
        Arc::new(AsyncTaskResult::new(
            &cell.spec,
            TaskOutcome::Failed(error),
            timing,
            cell.attempts(),
        ))
    }

    /// Open tasks that this one has submitted.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// # /// Does nothing.
    /// # #[async_tool]
    /// # async fn nothing() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "nothing", json!({})))?;
    /// assert!(task.children().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn children(&self) -> Vec<Self> {
        let open = self.cell.children().into_iter().filter(|child| !child.is_settled());
        open.map(Self::new).collect()
    }

    /// Result of the task, if it has ended.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Does nothing.
    /// # #[async_tool]
    /// # async fn nothing() {}
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "nothing", json!({})))?;
    /// assert!(task.result().is_none());
    /// task.outcome().await;
    /// assert!(task.result().is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn result(&self) -> Option<Arc<AsyncTaskResult>> {
        self.cell.result()
    }
}

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHandle")
            .field("id", &self.id())
            .field("tool", &self.cell.spec.call.name)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
