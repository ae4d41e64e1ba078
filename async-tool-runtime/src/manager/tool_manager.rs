//! Handle of a manager.

use std::{fmt, sync::Arc, time::Duration};

use super::{Executor, Inner, SubmitError, TaskHandle, Traces, inside::WaitInside, task::TaskCell};
use crate::{
    clock::Timestamp,
    id::TaskId,
    session::SessionId,
    task::{SendError, TaskEventStream, TaskSpec, TaskStatus, TurnNo},
    tool::{ToolCall, ToolRegistry},
};

/// Handle of a manager, which runs tools in the background. Cheap to clone: clones are handles of the same manager.
///
/// Dropping the last handle stops nothing: tasks run to their end. [`shutdown`](Self::shutdown) stops them.
///
/// Each task is one tokio task on the runtime of its caller.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// use serde_json::json;
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
/// let session = SessionId::new("example");
///
/// let call = ToolCall::new("call_1", "add", json!({"a": 2, "b": 3}));
/// let task = manager.submit(&session, call)?;
/// println!("{}", task.ack().to_model_json()); // no result yet
/// let result = task.outcome().await;
/// assert_eq!(result.outcome.value(), Some(&json!(5)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AsyncToolManager {
    pub(super) inner: Arc<Inner>,
}

impl AsyncToolManager {
    /// Accepts a call as a task with a new id and returns at once; the tool runs in the background.
    ///
    /// [`TaskHandle::ack`] returns the acknowledgement for a model; [`TaskHandle::outcome`] waits for the result.
    ///
    /// # Errors
    ///
    /// [`SubmitError`], which hands the call back. The tool is unknown, the arguments don't fit, the queue is full, the
    /// manager is shutting down, or the caller has no tokio runtime. Nothing has run then.
    pub fn submit(&self, session: &SessionId, call: ToolCall) -> Result<TaskHandle, SubmitError> {
        let now = self.now();
        let spec = TaskSpec::named(TaskId::at(now), session.clone(), call);
        let cell = self.inner.submit(spec, None, now)?;
        Ok(TaskHandle::new(cell))
    }

    /// Accepts a task whose id the caller has chosen. A second task with the same id isn't run: the first one's handle
    /// is returned, as long as the manager remembers the first. It remembers a task until the task has ended, and after
    /// that for the next [`retained_tasks`](crate::manager::AsyncToolManagerBuilder::retained_tasks) ends.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, task::TaskSpec, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Does nothing.
    /// # #[async_tool]
    /// # async fn nothing() {}
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    /// let spec = TaskSpec::new(SessionId::new("example"), ToolCall::new("call_1", "nothing", json!({})));
    /// let first = manager.submit_task(spec.clone())?;
    /// let again = manager.submit_task(spec)?; // Say, because the connection broke before the first answer.
    /// assert_eq!(first.id(), again.id());
    /// assert_eq!(manager.stats().accepted, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn submit_task(&self, spec: TaskSpec) -> Result<TaskHandle, SubmitError> {
        let cell = self.inner.submit(spec, None, self.now())?;
        Ok(TaskHandle::new(cell))
    }

    /// Accepts a task of a sub-agent as a child of `owner`: it ends with its owner and has the owner's deadline.
    pub(crate) fn submit_below(&self, mut spec: TaskSpec, owner: &Arc<TaskCell>) -> Result<TaskHandle, SubmitError> {
        spec.parent = Some(owner.spec.task);
        spec.deadline = owner.spec.deadline;
        let cell = self.inner.submit(spec, Some(owner), self.now())?;
        Ok(TaskHandle::new(cell))
    }

    /// Accepts a task of a sub-agent whose call, `caller`, runs on another manager.
    pub(crate) fn submit_for(&self, spec: TaskSpec, caller: &Arc<TaskCell>) -> Result<TaskHandle, SubmitError> {
        let cell = self.inner.submit_for(spec, None, &Arc::downgrade(caller), self.now())?;
        Ok(TaskHandle::new(cell))
    }

    /// Begins a wait for the tasks of an agent's session, if this is inside of a tool's function.
    ///
    /// # Errors
    ///
    /// Text of the circle: a task of the session waits for the caller, or is the caller.
    pub(crate) fn wait_inside(&self, session: &SessionId) -> Result<Option<WaitInside>, String> {
        WaitInside::for_session(&self.inner, session)
    }

    /// Names of the tools of a task and of its ancestors, the task's own first.
    pub(crate) fn tools_above(&self, cell: &TaskCell) -> Vec<Arc<str>> {
        let above = self.inner.ancestors(cell);
        let above = above.iter().map(|cell| Arc::clone(&cell.spec.call.name));
        std::iter::once(Arc::clone(&cell.spec.call.name)).chain(above).collect()
    }

    /// Manager that runs a task.
    pub(crate) fn of(task: &TaskCell) -> Option<Self> {
        Some(Self { inner: task.manager()? })
    }

    /// True if both are handles of one manager.
    ///
    /// ```
    /// use async_tool_runtime::AsyncToolManager;
    ///
    /// let manager = AsyncToolManager::builder().build()?;
    /// assert!(manager.is_same(&manager.clone()));
    /// assert!(!manager.is_same(&AsyncToolManager::builder().build()?));
    /// # Ok::<(), async_tool_runtime::manager::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Finds a task by its id: an open task, or one of the last that have ended.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, TaskId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Does nothing.
    /// # #[async_tool]
    /// # async fn nothing() {}
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    /// let id = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "nothing", json!({})))?.id();
    /// let result = manager.task(id).expect("it is known").outcome().await;
    /// assert_eq!(result.task, id);
    /// assert!(manager.task(TaskId::new()).is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn task(&self, task: TaskId) -> Option<TaskHandle> {
        let cell = self.inner.tasks().find(task)?;
        Some(TaskHandle::new(cell))
    }

    /// Tells a task to stop, with a reason. Returns its status at that moment, or `None` if the task isn't known.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, TaskId, TaskOutcome, ToolCall, async_tool, tools};
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
    /// assert!(manager.cancel(task.id(), "the user left").is_some());
    /// assert_eq!(task.outcome().await.outcome, TaskOutcome::Cancelled("the user left".to_owned()));
    /// assert!(manager.cancel(TaskId::new(), "the user left").is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self, task: TaskId, reason: impl Into<String>) -> Option<TaskStatus> {
        let handle = self.task(task)?;
        let status = handle.status();
        if !status.is_terminal() {
            handle.cancel(reason);
        }
        Some(status)
    }

    /// Sends a message to a task's function; see [`TaskHandle::send`].
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tool::Messages, tools};
    /// # use serde_json::json;
    /// #
    /// /// Watches a topic until the first message.
    /// #[async_tool(effect = "read")]
    /// async fn watch(#[inject] mut messages: Messages) -> Option<String> {
    ///     messages.recv().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![watch]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "watch", json!({})))?;
    /// manager.send(task.id(), "that is enough")?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("that is enough")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError`]: the task isn't known, or as for [`TaskHandle::send`].
    pub fn send(&self, task: TaskId, message: impl Into<String>) -> Result<(), SendError> {
        self.task(task).ok_or(SendError::NotFound)?.send(message)
    }

    /// Tells all open tasks of a session to stop, with a reason; returns their number, without child tasks. Child tasks
    /// stop with their parents unless they were detached.
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
    /// let (ann, bob) = (SessionId::new("ann"), SessionId::new("bob"));
    /// manager.submit(&ann, ToolCall::new("call_1", "watch", json!({})))?;
    /// manager.submit(&ann, ToolCall::new("call_2", "watch", json!({})))?;
    /// let of_bob = manager.submit(&bob, ToolCall::new("call_1", "watch", json!({})))?;
    /// assert_eq!(manager.cancel_session(&ann, "the user left"), 2);
    /// assert!(!of_bob.status().is_terminal());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_session(&self, session: &SessionId, reason: &str) -> usize {
        self.cancel_where(reason, |spec| spec.session == *session)
    }

    /// Tells all open tasks of a turn to stop; otherwise like [`cancel_session`](Self::cancel_session).
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use async_tool_runtime::task::{TaskSpec, TurnNo};
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
    /// let session = SessionId::new("example");
    /// for turn in [1, 2] {
    ///     let spec = TaskSpec::new(session.clone(), ToolCall::new("call_1", "watch", json!({})));
    ///     manager.submit_task(spec.with_turn(TurnNo::new(turn)))?;
    /// }
    /// assert_eq!(manager.cancel_turn(&session, TurnNo::new(1), "the user changed the question"), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel_turn(&self, session: &SessionId, turn: TurnNo, reason: &str) -> usize {
        self.cancel_where(reason, |spec| spec.session == *session && spec.turn == Some(turn))
    }

    fn cancel_where(&self, reason: &str, is_meant: impl Fn(&TaskSpec) -> bool) -> usize {
        let open = self.inner.tasks().open();
        // Child tasks stop with their parents. A shared run may serve calls of other sessions, so it is not stopped
        // here.
        let meant = open
            .into_iter()
            .filter(|cell| cell.spec.is_of_session() && is_meant(&cell.spec));
        meant.map(|cell| TaskHandle::new(cell).cancel(reason)).count()
    }

    /// Stream of task events from now on; the first event is a snapshot of the open tasks.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// use async_tool_runtime::TaskEvent;
    ///
    /// # /// Does nothing.
    /// # #[async_tool]
    /// # async fn nothing() {}
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    /// let mut events = manager.events();
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "nothing", json!({})))?;
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         TaskEvent::Snapshot { tasks } => println!("{} tasks are open", tasks.len()),
    ///         TaskEvent::Started(snapshot) => assert_eq!(snapshot.task, task.id()),
    ///         TaskEvent::Settled(result) => {
    ///             assert_eq!(result.task, task.id());
    ///             break;
    ///         }
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> TaskEventStream {
        let receiver = self.inner.events.subscribe();
        let inner = Arc::downgrade(&self.inner);
        TaskEventStream::new(receiver, move || {
            inner.upgrade().map(|inner| inner.open_snapshots()).unwrap_or_default()
        })
    }

    /// Registry of the tools.
    #[must_use]
    pub fn registry(&self) -> &ToolRegistry {
        self.inner.executor.registry()
    }

    /// Executor of this manager's tools, for the worker's side of a [`Backend`](crate::backend::Backend).
    #[must_use]
    pub fn executor(&self) -> &Executor {
        &self.inner.executor
    }

    /// True if tasks outlive this process.
    pub(crate) fn keeps_tasks(&self) -> bool {
        self.inner.remote.as_ref().is_some_and(|remote| remote.keeps_tasks())
    }

    /// Last latencies of a tool, in all sessions.
    pub(crate) fn latencies_of(&self, tool: &str) -> Vec<Duration> {
        let latencies = self.inner.latencies();
        latencies
            .of(tool)
            .map_or_else(Vec::new, |known| known.iter().copied().collect())
    }

    /// Limit of results of tools that set none, as the model is shown them.
    pub(crate) fn result_limit(&self) -> Option<usize> {
        self.inner.result_limit
    }

    /// Propagator of the host's traces.
    pub(crate) fn traces(&self) -> &Traces {
        &self.inner.traces
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.now()
    }
}

impl fmt::Debug for AsyncToolManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncToolManager")
            .field("tools", self.registry())
            .field("open_tasks", &self.inner.tasks().open_count())
            .finish_non_exhaustive()
    }
}
