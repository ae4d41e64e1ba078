//! Runs tasks: admission, execution, events.
//!
//! # Invariants
//!
//! 1. `submit` never waits for a tool, and never fails after the task was accepted.
//! 2. Whatever happens to an accepted task (value, error, panic, timeout, cancellation, abort, a runtime that is shut
//!    down), it is settled once, its slot is freed, and its session hears of it. The guard in `run.rs` does this in
//!    `Drop`, because that is the one thing that happens in every case.
//! 3. The registry never changes after `build()`; all that can be wrong with it is said there.
//! 4. No lock is held across an await or while user code runs. User code is: tools, binders and callbacks.
//!
//! Absent on purpose: anything about conversations. The manager knows a session only as a return address; what a model
//! is told, and when, is decided in `agent/`.

mod builder;
mod error;
mod queue;
mod run;
mod shutdown;
mod table;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast, mpsc},
};

pub use builder::{AsyncToolManagerBuilder, BuildError};
pub use error::SubmitError;
pub use shutdown::ShutdownReport;

use crate::{
    AsyncTaskResult, Executor, ProgressReport, SessionId, TaskOutcome, Timestamp, ToolRegistry,
    backend::Backend,
    clock::Clock,
    task::{
        EventStream, StopTask, TaskAck, TaskCell, TaskEvent, TaskHandle, TaskId, TaskSnapshot, TaskSpec, TaskStatus,
        ToolCall,
    },
    tool::{CancellationToken, ToolError, ToolErrorKind},
};
use queue::{Admission, Queue, Waiting};
use run::Work;
use table::{Inserted, TaskTable};

/// Runs tools in the background. A cheap handle: clones are the same manager.
///
/// Dropping the last handle stops nothing: tasks run to their end. [`shutdown`](Self::shutdown) stops them.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, TaskSpec, ToolCall, async_tool, tools};
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
/// let task = manager.submit_task(TaskSpec::new(session, call))?;
/// println!("{}", task.ack().to_model_json()); // no result yet
/// let result = task.outcome().await;
/// assert_eq!(result.outcome.value(), Some(&json!(5)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AsyncToolManager {
    inner: Arc<Inner>,
    /// One closure shared by all handles.
    stop: StopTask,
}

/// What a session is told of its tasks.
#[derive(Debug)]
pub(crate) enum TaskNews {
    /// A task got a slot.
    Started(TaskId),
    /// A tool said how far it has come.
    Progressed(TaskId, ProgressReport),
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
}

/// What runs after every task.
pub(crate) type Callback = Box<dyn Fn(&Arc<AsyncTaskResult>) + Send + Sync>;

pub(crate) struct Inner {
    executor: Executor,
    backend: Option<Arc<dyn Backend>>,
    callbacks: Vec<Callback>,
    clock: Clock,
    queue: Mutex<Queue>,
    tasks: Mutex<TaskTable>,
    /// Where results of a session go, registered before its first task.
    routes: Mutex<HashMap<SessionId, mpsc::UnboundedSender<TaskNews>>>,
    events: broadcast::Sender<TaskEvent>,
    /// Whether anybody has ever asked for events: looking at the channel takes its lock.
    has_listeners: AtomicBool,
    /// Told whenever the last open task has been settled.
    idle: Notify,
}

impl AsyncToolManager {
    /// Starts to build a manager.
    pub fn builder() -> AsyncToolManagerBuilder {
        AsyncToolManagerBuilder::default()
    }

    /// Accepts a call and answers at once; the tool runs in the background. The task gets a new id.
    ///
    /// # Errors
    ///
    /// [`SubmitError`], which hands the call back: there is no such tool, the arguments don't fit, the queue is full, the
    /// manager is shutting down, or there is no tokio runtime. Nothing has run then.
    pub fn submit(&self, session: &SessionId, call: ToolCall) -> Result<TaskAck, SubmitError> {
        let handle = self.submit_task(TaskSpec::new(session.clone(), call))?;
        Ok(handle.ack())
    }

    /// Accepts a task whose id the caller has chosen. Submitting the same id again gives the handle of the first, as long as
    /// the manager remembers it: until it has ended, and then for the next
    /// [`retained_tasks`](AsyncToolManagerBuilder::retained_tasks) ends.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn submit_task(&self, spec: TaskSpec) -> Result<TaskHandle, SubmitError> {
        let inner = &self.inner;
        let Ok(runtime) = Handle::try_current() else {
            let error = ToolError::new(
                ToolErrorKind::Internal,
                "tasks must be submitted from within a tokio runtime",
            )
            .with_model_message("the tool can't be run here");
            return Err(SubmitError::new(spec.call, error));
        };
        let bound = match inner.executor.bind(&spec.call.name, &spec.call.arguments) {
            Ok(bound) => bound,
            Err(error) => return Err(SubmitError::new(spec.call, error)),
        };
        let work = match &inner.backend {
            // The worker binds again, where the tool is.
            Some(backend) => Work::Remote(Arc::clone(backend)),
            None => Work::Here(bound),
        };

        let cell = Arc::new(TaskCell::new(spec, inner.now(), CancellationToken::new()));
        let inserted = inner.tasks().insert(&cell);
        match inserted {
            Inserted::New => {}
            Inserted::Known(known) => return Ok(self.handle(known)),
            Inserted::Closing => {
                let error = ToolError::new(ToolErrorKind::Unavailable, "the manager is shutting down");
                return Err(SubmitError::new(cell.spec.call.clone(), error.with_retryable(false)));
            }
        }
        let waiting = Waiting {
            cell: Arc::clone(&cell),
            work,
            runtime,
        };
        let admission = {
            let mut queue = inner.queue();
            let admission = queue.admit(waiting);
            if matches!(admission, Admission::Start(_) | Admission::Queued) {
                // Under the lock: once it is gone, somebody else may start the task, and that event comes second.
                inner.publish(|| TaskEvent::Accepted(cell.snapshot()));
            }
            admission
        };
        match admission {
            Admission::Start(waiting) => run::start(inner, waiting),
            Admission::Queued => {}
            Admission::Full(refused) => {
                drop(refused);
                let error = ToolError::new(
                    ToolErrorKind::Overloaded,
                    "too many tasks are waiting; try again when some have ended",
                );
                // Whoever has found the task by its id in the meantime learns that it is over.
                let refused = TaskOutcome::Failed(error.clone());
                let _nobody_else_settles_it = cell.settle(refused, None, inner.now());
                inner.tasks().forget(cell.spec.task);
                inner.open_tasks_changed();
                return Err(SubmitError::new(cell.spec.call.clone(), error));
            }
        }
        Ok(self.handle(cell))
    }

    /// The task with this id: one that has not ended, or one of the last that have.
    #[must_use]
    pub fn task(&self, task: TaskId) -> Option<TaskHandle> {
        let cell = self.inner.tasks().find(task)?;
        Some(self.handle(cell))
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

    /// What happens to tasks from now on; a snapshot of the open tasks comes first.
    pub fn events(&self) -> EventStream {
        let receiver = self.inner.events.subscribe();
        self.inner.has_listeners.store(true, Ordering::Release);
        let inner = Arc::downgrade(&self.inner);
        EventStream::new(receiver, move || {
            inner.upgrade().map(|inner| inner.open_snapshots()).unwrap_or_default()
        })
    }

    /// The tools.
    #[must_use]
    pub fn registry(&self) -> &ToolRegistry {
        self.inner.executor.registry()
    }

    /// What carries out tasks: for the worker's side of a [`Backend`].
    #[must_use]
    pub fn executor(&self) -> &Executor {
        &self.inner.executor
    }

    /// Sends the news of a session's tasks to `sender`, until the session is unrouted.
    pub(crate) fn route(&self, session: SessionId, sender: mpsc::UnboundedSender<TaskNews>) -> Result<(), SessionId> {
        use std::collections::hash_map::Entry;
        match self.inner.routes().entry(session) {
            Entry::Occupied(taken) if !taken.get().is_closed() => Err(taken.key().clone()),
            Entry::Occupied(mut stale) => {
                stale.insert(sender);
                Ok(())
            }
            Entry::Vacant(free) => {
                free.insert(sender);
                Ok(())
            }
        }
    }

    pub(crate) fn unroute(&self, session: &SessionId) {
        self.inner.routes().remove(session);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.now()
    }

    fn handle(&self, cell: Arc<TaskCell>) -> TaskHandle {
        TaskHandle::new(cell, Arc::clone(&self.stop))
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

impl Inner {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn open_snapshots(&self) -> Vec<TaskSnapshot> {
        let open = self.tasks().open();
        open.iter().map(|cell| cell.snapshot()).collect()
    }

    fn tell_session(&self, session: &SessionId, news: TaskNews) {
        let routes = self.routes();
        if let Some(route) = routes.get(session) {
            let _the_agent_is_gone = route.send(news);
        }
    }

    /// Costs nothing where nobody listens.
    fn publish(&self, event: impl FnOnce() -> TaskEvent) {
        if self.has_listeners.load(Ordering::Acquire) {
            let _nobody_listens_any_more = self.events.send(event());
        }
    }

    fn open_tasks_changed(&self) {
        if self.tasks().open_count() == 0 {
            self.idle.notify_waiters();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, TaskTable> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn routes(&self) -> MutexGuard<'_, HashMap<SessionId, mpsc::UnboundedSender<TaskNews>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
