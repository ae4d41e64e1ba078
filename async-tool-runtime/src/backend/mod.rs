//! Interface to engines that keep tasks and run them in other processes.
//!
//! The manager runs tasks in its own process unless it has a [`Backend`]:
//!
//! ```
//! # use async_tool_runtime::{AsyncToolManager, CancellationToken, SessionId, TaskId, ToolCall, async_tool, tools};
//! # use async_tool_runtime::backend::{Backend, BackendCapabilities, BackendError, CancelMode, Settlement};
//! # use async_tool_runtime::{future::BoxFuture, manager::Executor, task::TaskSpec};
//! # use serde_json::json;
//! # use std::{collections::HashMap, sync::Mutex};
//! # struct Engine {
//! #     worker: Executor,
//! #     tasks: Mutex<HashMap<TaskId, TaskSpec>>,
//! # }
//! # impl Backend for Engine {
//! #     fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>> {
//! #         self.tasks.lock().unwrap().insert(task.task, task);
//! #         Box::pin(async { Ok(()) })
//! #     }
//! #     fn outcome(&self, task: TaskId) -> BoxFuture<'_, Result<Settlement, BackendError>> {
//! #         let task = self.tasks.lock().unwrap()[&task].clone();
//! #         Box::pin(async move { Ok(Settlement::new(self.worker.execute(&task, CancellationToken::new()).await, 1)) })
//! #     }
//! #     fn cancel(&self, _: TaskId, _: CancelMode) -> BoxFuture<'_, Result<(), BackendError>> {
//! #         Box::pin(async { Ok(()) })
//! #     }
//! #     fn open_tasks<'a>(&'a self, _: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>> {
//! #         Box::pin(async { Ok(Vec::new()) })
//! #     }
//! #     fn capabilities(&self) -> BackendCapabilities {
//! #         BackendCapabilities::default()
//! #     }
//! # }
//! # /// Adds two numbers.
//! # #[async_tool(effect = "read")]
//! # fn add(a: i64, b: i64) -> i64 {
//! #     a + b
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In the worker's process.
//! let worker = AsyncToolManager::builder().tools(tools![add]).build()?;
//! # let engine = Engine { worker: worker.executor().clone(), tasks: Mutex::default() };
//!
//! // In the agent's process; `engine` is a `Backend`.
//! let manager = AsyncToolManager::builder().tools(tools![add]).backend(engine).build()?;
//! let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
//! let task = manager.submit(&SessionId::new("s"), call)?;
//! assert_eq!(task.outcome().await.outcome.value(), Some(&json!(5)));
//! # Ok(())
//! # }
//! ```
//!
//! On the agent's side, a backend accepts tasks and returns outcomes. On the worker's side, the engine calls a handler, which runs
//! the task with an [`Executor`](crate::manager::Executor). There is no method to claim a task, because engines call handlers and
//! have no such operation.
//!
//! # Invariants
//!
//! 1. A task travels as data ([`TaskSpec`]), and the worker's registry finds the function by its name. So the same tool runs
//!    everywhere.
//! 2. The task id is the idempotency key: submitting a task twice is the same as once. So a submit that may have failed is
//!    retried without harm.
//! 3. Delivery to a worker is at least once. The worker stores the outcome before it acknowledges the task to the engine.

use std::fmt;

use crate::{
    future::BoxFuture,
    id::TaskId,
    session::SessionId,
    task::{TaskOutcome, TaskSpec},
};

/// Engine that keeps tasks and runs them in other processes, as the agent's side sees it.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// use async_tool_runtime::backend::{Backend, BackendCapabilities, BackendError, CancelMode, Settlement};
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
///     fn outcome(&self, task: TaskId) -> BoxFuture<'_, Result<Settlement, BackendError>> {
///         let known = self.tasks.lock().unwrap().get(&task).cloned();
///         Box::pin(async move {
///             let (task, token) = known.ok_or_else(|| BackendError::new("the engine doesn't know the task"))?;
///             Ok(Settlement::new(self.worker.execute(&task, token).await, 1))
///         })
///     }
///
///     fn cancel(&self, task: TaskId, _: CancelMode) -> BoxFuture<'_, Result<(), BackendError>> {
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
/// assert_eq!(engine.outcome(id).await?.outcome.value(), Some(&json!(5)));
/// # assert_eq!(engine.open_tasks(&SessionId::new("s")).await?, [id]);
/// # engine.cancel(id, CancelMode::Cancel).await?;
/// # assert!(!engine.capabilities().durable);
/// # Ok(())
/// # }
/// ```
pub trait Backend: Send + Sync + 'static {
    /// Submits a task to the engine.
    ///
    /// When this returns `Ok`, the task MUST be durable. Submitting a known task again MUST do nothing.
    fn submit(&self, task: TaskSpec) -> BoxFuture<'_, Result<(), BackendError>>;

    /// Waits until the task has ended. The manager MAY call this from any process, and more than once.
    fn outcome(&self, task: TaskId) -> BoxFuture<'_, Result<Settlement, BackendError>>;

    /// Tells a task to stop. The task MUST still end in an outcome.
    fn cancel(&self, task: TaskId, mode: CancelMode) -> BoxFuture<'_, Result<(), BackendError>>;

    /// Lists the tasks of the session that have not ended.
    fn open_tasks<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<TaskId>, BackendError>>;

    /// Capabilities of the engine.
    fn capabilities(&self) -> BackendCapabilities;
}

// `dyn Backend` must stay possible: the manager holds one of any kind.
const _: fn(&dyn Backend) = |_| {};

/// End of a task on a backend.
///
/// ```
/// use async_tool_runtime::{TaskOutcome, backend::Settlement};
/// use serde_json::json;
///
/// // The engine ran the function twice, because the first worker was lost.
/// let end = Settlement::new(TaskOutcome::Completed(json!(5)), 2);
/// assert_eq!((end.outcome.value(), end.attempts), (Some(&json!(5)), 2));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settlement {
    /// Outcome of the task.
    pub outcome: TaskOutcome,
    /// Number of times the function was started.
    pub attempts: u32,
}

impl Settlement {
    /// Creates the end of a task after this many attempts.
    #[must_use]
    pub const fn new(outcome: TaskOutcome, attempts: u32) -> Self {
        Self { outcome, attempts }
    }
}

/// Way to stop a task.
///
/// ```
/// use async_tool_runtime::backend::CancelMode;
///
/// let signal = |mode| match mode {
///     CancelMode::Cancel => "SIGTERM",
///     CancelMode::Abort => "SIGKILL",
///     _ => "SIGTERM",
/// };
/// assert_eq!(signal(CancelMode::Abort), "SIGKILL");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelMode {
    /// The tool's cancellation token fires, and the tool may clean up.
    Cancel,
    /// The tool is dropped.
    Abort,
}

/// Capabilities of an engine.
///
/// ```
/// use async_tool_runtime::backend::BackendCapabilities;
///
/// assert!(!BackendCapabilities::default().durable);
/// assert!(BackendCapabilities::default().with_durable(true).durable);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendCapabilities {
    /// True if tasks survive the process that submitted them.
    pub durable: bool,
}

impl BackendCapabilities {
    /// Sets whether tasks survive the process that submitted them.
    #[must_use]
    pub const fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }
}

/// Failure of a backend: it couldn't be reached, or it refused.
///
/// ```
/// use async_tool_runtime::backend::BackendError;
/// use std::{error::Error, io};
///
/// let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
/// let error = BackendError::new("the engine at port 7000 can't be reached").with_source(cause);
/// assert_eq!(error.to_string(), "the engine at port 7000 can't be reached");
/// assert!(error.source().is_some_and(|cause| cause.is::<io::Error>()));
/// ```
#[derive(Debug)]
pub struct BackendError {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// Creates an error with a message for operators.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BackendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
