//! The handle of a manager.

use std::{fmt, sync::Arc};

use super::{Executor, Inner, SubmitError, TaskHandle, task::TaskCell};
use crate::{
    clock::Timestamp,
    id::TaskId,
    session::SessionId,
    task::{SendError, TaskEventStream, TaskSpec, TaskStatus, TurnNo},
    tool::{ToolCall, ToolRegistry},
};

/// Runs tools in the background. A cheap handle: clones are the same manager.
///
/// Dropping the last handle stops nothing: tasks run to their end. [`shutdown`](Self::shutdown) stops them.
///
/// A task is one tokio task, on the runtime of its caller.
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
    /// [`TaskHandle::ack`] is what a model is told; [`TaskHandle::outcome`] waits for the result.
    ///
    /// # Errors
    ///
    /// [`SubmitError`], which hands the call back: there is no such tool, the arguments don't fit, the queue is full, the
    /// manager is shutting down, or there is no tokio runtime. Nothing has run then.
    pub fn submit(&self, session: &SessionId, call: ToolCall) -> Result<TaskHandle, SubmitError> {
        let now = self.now();
        let spec = TaskSpec::named(TaskId::at(now), session.clone(), call);
        let cell = self.inner.submit(spec, None, now)?;
        Ok(TaskHandle::new(cell))
    }

    /// Accepts a task whose id the caller has chosen. Submitting the same id again gives the handle of the first, as long as
    /// the manager remembers it: until it has ended, and then for the next
    /// [`retained_tasks`](crate::manager::AsyncToolManagerBuilder::retained_tasks) ends.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn submit_task(&self, spec: TaskSpec) -> Result<TaskHandle, SubmitError> {
        let cell = self.inner.submit(spec, None, self.now())?;
        Ok(TaskHandle::new(cell))
    }

    /// Accepts a task of the agent that works for a call: it ends with the call, and has its deadline.
    pub(crate) fn submit_below(&self, mut spec: TaskSpec, owner: &Arc<TaskCell>) -> Result<TaskHandle, SubmitError> {
        spec.parent = Some(owner.spec.task);
        spec.deadline = owner.spec.deadline;
        let cell = self.inner.submit(spec, Some(owner), self.now())?;
        Ok(TaskHandle::new(cell))
    }

    /// The names of the tools that a task and those above it are calls of, up to the top.
    pub(crate) fn tools_above(&self, cell: &TaskCell) -> Vec<Arc<str>> {
        let above = self.inner.ancestors(cell);
        let above = above.iter().map(|cell| Arc::clone(&cell.spec.call.name));
        std::iter::once(Arc::clone(&cell.spec.call.name)).chain(above).collect()
    }

    /// The manager that runs a task.
    pub(crate) fn of(task: &TaskCell) -> Option<Self> {
        Some(Self { inner: task.manager()? })
    }

    /// True if both are handles of one manager.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The task with this id: one that has not ended, or one of the last that have.
    #[must_use]
    pub fn task(&self, task: TaskId) -> Option<TaskHandle> {
        let cell = self.inner.tasks().find(task)?;
        Some(TaskHandle::new(cell))
    }

    /// Tells a task to stop, for this reason. Returns its status at that moment, or `None` if the task isn't known.
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
    /// # Errors
    ///
    /// [`SendError`]: the task isn't known, or as for [`TaskHandle::send`].
    pub fn send(&self, task: TaskId, message: impl Into<String>) -> Result<(), SendError> {
        self.task(task).ok_or(SendError::NotFound)?.send(message)
    }

    /// Tells all open tasks of a session to stop, for this reason, with all that they have submitted and not detached; gives how many
    /// there were, without those below others.
    pub fn cancel_session(&self, session: &SessionId, reason: &str) -> usize {
        self.cancel_where(reason, |spec| spec.session == *session)
    }

    /// Tells all open tasks of a turn to stop; otherwise like [`cancel_session`](Self::cancel_session).
    pub fn cancel_turn(&self, session: &SessionId, turn: TurnNo, reason: &str) -> usize {
        self.cancel_where(reason, |spec| spec.session == *session && spec.turn == Some(turn))
    }

    fn cancel_where(&self, reason: &str, is_meant: impl Fn(&TaskSpec) -> bool) -> usize {
        let open = self.inner.tasks().open();
        // Those below others stop with them. A run that several calls share may be for others, too.
        let meant = open
            .into_iter()
            .filter(|cell| cell.spec.is_of_session() && is_meant(&cell.spec));
        meant.map(|cell| TaskHandle::new(cell).cancel(reason)).count()
    }

    /// Stream of task events, from now on; a snapshot of the open tasks comes first.
    pub fn events(&self) -> TaskEventStream {
        let receiver = self.inner.events.subscribe();
        let inner = Arc::downgrade(&self.inner);
        TaskEventStream::new(receiver, move || {
            inner.upgrade().map(|inner| inner.open_snapshots()).unwrap_or_default()
        })
    }

    /// The tools.
    #[must_use]
    pub fn registry(&self) -> &ToolRegistry {
        self.inner.executor.registry()
    }

    /// The executor of this manager's tools, for the worker's side of a [`Backend`](crate::backend::Backend).
    #[must_use]
    pub fn executor(&self) -> &Executor {
        &self.inner.executor
    }

    /// True if tasks outlive this process.
    pub(crate) fn keeps_tasks(&self) -> bool {
        let backend = self.inner.backend.as_ref();
        backend.is_some_and(|backend| backend.capabilities().durable)
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
