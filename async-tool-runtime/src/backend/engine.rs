//! Engine, as the agent's side sees it.

use super::{BackendCapabilities, BackendError, CancelMode, Heartbeats, Settlement};
use crate::{future::BoxFuture, id::TaskId, session::SessionId, task::TaskSpec};

/// Engine that keeps tasks and runs them in other processes, as the agent's side sees it.
///
/// The manager waits out what is [unreachable](super::BackendErrorKind::Unreachable): it repeats a failed operation with
/// growing pauses until the task's deadline. So an implementation needs no retries of its own.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// use async_tool_runtime::backend::{
///     Backend, BackendCapabilities, BackendError, CancelMode, Heartbeats, Settlement,
/// };
/// use async_tool_runtime::{CancellationToken, TaskId, future::BoxFuture, manager::Executor, task::TaskSpec};
/// # use serde_json::json;
/// use std::{collections::HashMap, sync::Mutex};
///
/// /// Engine with a worker in the same process.
/// struct Engine {
///     worker: Executor,
///     tasks: Mutex<HashMap<TaskId, (TaskSpec, CancellationToken)>>,
/// }
///
/// impl Backend for Engine {
///     fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
///         let mut tasks = self.tasks.lock().unwrap();
///         tasks.entry(task.task).or_insert((task, CancellationToken::new()));
///         Box::pin(async { Ok(()) })
///     }
///
///     fn outcome(&self, task: TaskId, _: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>> {
///         let known = self.tasks.lock().unwrap().get(&task).cloned();
///         Box::pin(async move {
///             let (task, token) = known.ok_or_else(|| BackendError::not_found("the engine has no such task"))?;
///             let ended = self.worker.execute(&task, 0, token).await;
///             ended.map_err(|handed_back| BackendError::unreachable("no worker takes it").with_source(handed_back))
///         })
///     }
///
///     fn cancel<'a>(&'a self, task: TaskId, _: CancelMode, _: &'a str) -> BoxFuture<'a, Result<(), BackendError>> {
///         if let Some((_, token)) = self.tasks.lock().unwrap().get(&task) {
///             token.cancel();
///         }
///         Box::pin(async { Ok(()) })
///     }
///
///     fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
///         let tasks = self.tasks.lock().unwrap();
///         let open = tasks.values().filter(|(task, _)| task.session == *session).map(|(task, _)| task.task);
///         let open = open.collect();
///         Box::pin(async { Ok(open) })
///     }
///
///     fn capabilities(&self) -> BackendCapabilities {
///         BackendCapabilities::default() // the tasks end with the process
///     }
/// }
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let worker = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let engine = Engine { worker: worker.executor().clone(), tasks: Mutex::default() };
/// # let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// # let task = TaskSpec::new(SessionId::new("s"), call);
/// # let id = task.task;
/// engine.submit(task).await?;
/// assert_eq!(engine.outcome(id, Heartbeats::ignored()).await?.outcome.value(), Some(&json!(5)));
/// # assert_eq!(engine.open_tasks(&SessionId::new("s")).await?, [id]);
/// # engine.cancel(id, CancelMode::Cancel, "not needed").await?;
/// # assert!(!engine.capabilities().durable);
/// # Ok(())
/// # }
/// ```
pub trait Backend: Send + Sync + 'static {
    /// Submits a task to the engine.
    ///
    /// When this returns `Ok`, the task MUST be durable. Submitting a known task again MUST do nothing, whether it runs
    /// or has ended.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](super::BackendErrorKind::Unreachable) if the engine may be reached later: the manager submits the task
    /// again. Any other kind is final, and the task fails.
    ///
    /// # Cancel safety
    ///
    /// The manager MAY drop the future. The engine MUST then have the task as a whole, or not at all.
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>>;

    /// Waits until the task has ended. The manager MAY call this from any process, more than once, and for a task that
    /// ended before.
    ///
    /// `heartbeats` takes the heartbeats of the running task that the engine sees meanwhile. An engine without them
    /// ignores it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](super::BackendErrorKind::NotFound) if the engine doesn't have the task.
    /// [`Unreachable`](super::BackendErrorKind::Unreachable) if it may be reached later: the manager asks again.
    ///
    /// # Cancel safety
    ///
    /// The manager MAY drop the future and ask again. Dropping it MUST leave the task as it is.
    fn outcome(&self, task: TaskId, heartbeats: Heartbeats) -> BoxFuture<'_, Result<Settlement, BackendError>>;

    /// Tells a task to stop, for this reason. The task MUST still end in an outcome.
    ///
    /// Stopping a task that has ended MUST be `Ok`. It changes nothing.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](super::BackendErrorKind::Unreachable) if the engine may be reached later: the manager tells it again. Any
    /// other kind is logged, and the manager waits for the task's end all the same.
    ///
    /// # Cancel safety
    ///
    /// The manager MAY drop the future. The task is then told, or not.
    fn cancel<'a>(&'a self, task: TaskId, mode: CancelMode, reason: &'a str)
    -> BoxFuture<'a, Result<(), BackendError>>;

    /// Lists the tasks of the session that have not ended.
    ///
    /// The list MAY lag behind by some seconds: a task that was just submitted may be missing, and one that has just ended
    /// may still be in it. When a session is resumed, the manager cancels the tasks in this list that the session's journal
    /// doesn't have as open.
    ///
    /// # Errors
    ///
    /// [`Unreachable`](super::BackendErrorKind::Unreachable) if the engine may be reached later: the manager asks again, for
    /// some minutes. After any other kind it cancels no tasks.
    ///
    /// # Cancel safety
    ///
    /// The manager MAY drop the future. Dropping it MUST change nothing.
    fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>>;

    /// Capabilities of the engine. The manager asks once, when it is built.
    fn capabilities(&self) -> BackendCapabilities;
}

// `dyn Backend` must stay possible: the manager holds one of any kind.
const _: fn(&dyn Backend) = |_| {};
