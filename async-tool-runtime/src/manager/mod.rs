//! Runs tasks: admission, execution, events.
//!
//! # Invariants
//!
//! 1. `submit` never waits for a tool, and never fails after the task was accepted.
//! 2. Whatever happens to an accepted task (value, error, panic, timeout, cancellation, abort, a runtime that is shut
//!    down), it is settled once, its slot is freed, and its session hears of it. The guard in `run.rs` does this in
//!    `Drop`, because that is the one thing that happens in every case.
//! 3. The registry never changes after `build()`; all that can be wrong with it is said there.
//! 4. No lock is held across an await or while user code runs. User code is: tools, binders, callbacks and layers. The one exception
//!    is `session_weight`, which is asked under the lock of the queue, and caught where it panics.
//!
//! Absent on purpose: anything about conversations. The manager knows a session only as a return address; what a model
//! is told, and when, is decided in `agent/`.

mod admission;
mod apart;
mod builder;
mod carrier;
mod error;
mod handover;
mod host;
mod path;
mod people;
mod queue;
mod recovery;
mod remote;
mod run;
mod same;
mod shelf;
mod shutdown;
mod spare;
mod stats;
mod submission;
mod table;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast, mpsc, oneshot},
};

pub use admission::WhenFull;
pub use builder::{AsyncToolManagerBuilder, BuildError};
pub use error::SubmitError;
pub use people::ResolveError;
pub(crate) use queue::{Slot, Ticket};
pub use shutdown::ShutdownReport;
pub use stats::ManagerStats;

use crate::{
    AsyncTaskResult, Executor, ProgressReport, SessionId, Timestamp, ToolRegistry, TurnNo,
    backend::Backend,
    clock::Clock,
    policy::Conflicts,
    task::{
        EventStream, SendError, TaskAck, TaskCell, TaskEvent, TaskHandle, TaskId, TaskSnapshot, TaskSpec, TaskStatus,
        ToolCall,
    },
};
use admission::Gate;
use apart::Apart;
use carrier::Carriers;
pub(crate) use path::{Begun, Path, Paths, Quarantine, past_deadline, too_late};
pub use path::{ToolRequest, ToolService};
use same::SameCalls;
use spare::Spares;
use stats::Counters;
use table::TaskTable;

/// Runs tools in the background. A cheap handle: clones are the same manager.
///
/// Dropping the last handle stops nothing: tasks run to their end. [`shutdown`](Self::shutdown) stops them.
///
/// A task runs on the tokio runtime of whoever submits it. There, a tokio task may carry out one task after the other: up to 128 of them wait for the
/// next ones, on the first runtime that was used and where no subscriber of [`tracing`] looks at the tasks' spans, until the manager is shut down or gone. So what a tool finds in its tokio task (such as
/// [`tokio::task::id`]) says nothing about its call; use [`ToolContext`](crate::ToolContext).
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
/// let task = manager.spawn(&session, call)?;
/// println!("{}", task.ack().to_model_json()); // no result yet
/// let result = task.outcome().await;
/// assert_eq!(result.outcome.value(), Some(&json!(5)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AsyncToolManager {
    inner: Arc<Inner>,
}

/// What a session is told of its tasks.
#[derive(Debug)]
// Boxed where large: a channel has room for dozens of these from the beginning, in every session.
pub(crate) enum TaskNews {
    /// A task got a slot.
    Started(TaskId),
    /// A tool said how far it has come.
    Progressed(TaskId, Box<ProgressReport>),
    /// A task, or one below it, asks for something, or does no more. The task at the top comes first.
    Asked(TaskId, Box<TaskSnapshot>),
    /// The function of a task has left it to be completed from outside.
    Deferred(TaskId),
    /// A task of an earlier process was never started.
    NotStarted(TaskId),
    /// A task ended.
    Settled(Arc<AsyncTaskResult>),
    /// Somebody waits until all news before this is written down.
    Barrier(oneshot::Sender<()>),
}

/// What runs after every task.
pub(crate) type Callback = Box<dyn Fn(&Arc<AsyncTaskResult>) + Send + Sync>;

pub(crate) struct Inner {
    /// Itself, for what it is asked through a trait.
    this: Weak<Self>,
    executor: Executor,
    backend: Option<Arc<dyn Backend>>,
    callbacks: Vec<Callback>,
    clock: Clock,
    when_full: WhenFull,
    task_timeout: Option<Duration>,
    queue: Apart<Mutex<Gate>>,
    tasks: Apart<Mutex<TaskTable>>,
    spares: Spares,
    carriers: Carriers,
    same: Mutex<SameCalls>,
    counters: Counters,
    quarantine: Arc<Quarantine>,
    conflicts: Conflicts,
    /// That of the first one who submitted: for what has no caller of its own, and where tokio tasks are [kept](carrier).
    runtime: OnceLock<Handle>,
    /// Where results of a session go, registered before its first task.
    routes: Mutex<HashMap<SessionId, mpsc::UnboundedSender<TaskNews>>>,
    /// How many routes there are: without any, nobody looks for one.
    route_count: AtomicUsize,
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
        // What may have become of it on another thread by then is no part of its acceptance.
        self.inner
            .submit_call(session, call, |cell| cell.ack(TaskStatus::Queued))
    }

    /// The same for a host that goes on with the task itself: gives control over it in place of what a model is told.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn spawn(&self, session: &SessionId, call: ToolCall) -> Result<TaskHandle, SubmitError> {
        let cell = self.inner.submit_call(session, call, Arc::clone)?;
        Ok(TaskHandle::new(cell))
    }

    /// Accepts a task whose id the caller has chosen. Submitting the same id again gives the handle of the first, as long as
    /// the manager remembers it: until it has ended, and then for the next
    /// [`retained_tasks`](AsyncToolManagerBuilder::retained_tasks) ends.
    ///
    /// # Errors
    ///
    /// As for [`submit`](Self::submit).
    pub fn submit_task(&self, spec: TaskSpec) -> Result<TaskHandle, SubmitError> {
        let cell = self.inner.submit(spec, None, self.now(), Arc::clone)?;
        Ok(TaskHandle::new(cell))
    }

    /// Accepts a task of the agent that works for a call: it ends with the call, and has its deadline.
    pub(crate) fn submit_below(&self, mut spec: TaskSpec, owner: &Arc<TaskCell>) -> Result<TaskHandle, SubmitError> {
        spec.parent = Some(owner.spec.task);
        spec.deadline = owner.spec.deadline;
        let cell = self.inner.submit(spec, Some(owner), self.now(), Arc::clone)?;
        Ok(TaskHandle::new(cell))
    }

    /// The names of the tools that a task and those above it are calls of, up to the top.
    pub(crate) fn tools_above(&self, cell: &TaskCell) -> Vec<Arc<str>> {
        let above = self.inner.line_of(cell);
        let above = above.iter().map(|cell| Arc::clone(&cell.spec.call.name));
        std::iter::once(Arc::clone(&cell.spec.call.name)).chain(above).collect()
    }

    /// Whether both are handles of one manager.
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

    /// Says something to a task's function; see [`TaskHandle::send`].
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
        let mut routes = self.inner.routes();
        let routed = match routes.entry(session) {
            Entry::Occupied(taken) if !taken.get().is_closed() => Err(taken.key().clone()),
            Entry::Occupied(mut stale) => {
                stale.insert(sender);
                Ok(())
            }
            Entry::Vacant(free) => {
                free.insert(sender);
                Ok(())
            }
        };
        self.inner.route_count.store(routes.len(), Ordering::Release);
        routed
    }

    /// Takes the route of a session away, if nobody listens there.
    pub(crate) fn unroute(&self, session: &SessionId) {
        let mut routes = self.inner.routes();
        if routes.get(session).is_some_and(mpsc::UnboundedSender::is_closed) {
            routes.remove(session);
        }
        self.inner.route_count.store(routes.len(), Ordering::Release);
    }

    /// Whether a session has an agent of this manager's.
    pub(crate) fn is_routed(&self, session: &SessionId) -> bool {
        let routes = self.inner.routes();
        routes.get(session).is_some_and(|route| !route.is_closed())
    }

    /// Whether tasks outlive this process.
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

impl Inner {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn open_snapshots(&self) -> Vec<TaskSnapshot> {
        let open = self.tasks().open();
        open.iter().map(|cell| cell.snapshot()).collect()
    }

    /// Whether any session is told of its tasks.
    fn has_routes(&self) -> bool {
        self.route_count.load(Ordering::Acquire) > 0
    }

    fn tell_session(&self, session: &SessionId, news: TaskNews) {
        if !self.has_routes() {
            return;
        }
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

    fn queue(&self) -> MutexGuard<'_, Gate> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn same(&self) -> MutexGuard<'_, SameCalls> {
        self.same.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, TaskTable> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn routes(&self) -> MutexGuard<'_, HashMap<SessionId, mpsc::UnboundedSender<TaskNews>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
