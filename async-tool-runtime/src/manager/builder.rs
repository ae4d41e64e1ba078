//! Builds a manager.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{Notify, broadcast};

use super::{
    AsyncToolManager, Callback, Executor, Inner, WhenFull,
    quarantine::Quarantine,
    queue::{Queue, Weigh},
    remote,
    table::TaskTable,
};
use crate::{
    backend::Backend,
    clock::Clock,
    manager::layers::{Around, HostLayer, ToolRequest, ToolService, build_all},
    policy::Conflicts,
    session::SessionId,
    task::AsyncTaskResult,
    tool::{RegistryError, StateMap, Tool, ToolRegistry},
};

/// Events that a slow reader may be behind before it gets a new snapshot instead.
const EVENT_BACKLOG: usize = 1024;

/// Builds an [`AsyncToolManager`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct AsyncToolManagerBuilder {
    tools: Vec<Arc<dyn Tool>>,
    states: StateMap,
    callbacks: Vec<Callback>,
    backend: Option<Arc<dyn Backend>>,
    concurrency: usize,
    queue_capacity: usize,
    when_full: WhenFull,
    session_concurrency: usize,
    weigh: Option<Weigh>,
    outer: Vec<HostLayer>,
    inner: Vec<HostLayer>,
    timeout: Option<Duration>,
    task_timeout: Option<Duration>,
    result_limit: Option<usize>,
    cancel_grace: Duration,
    retained: usize,
}

impl AsyncToolManager {
    /// Starts to build a manager.
    pub fn builder() -> AsyncToolManagerBuilder {
        AsyncToolManagerBuilder::default()
    }
}

impl Default for AsyncToolManagerBuilder {
    fn default() -> Self {
        Self {
            tools: Vec::new(),
            states: StateMap::default(),
            callbacks: Vec::new(),
            backend: None,
            concurrency: 64,
            queue_capacity: 16_384,
            when_full: WhenFull::default(),
            session_concurrency: usize::MAX,
            weigh: None,
            outer: Vec::new(),
            inner: Vec::new(),
            timeout: None,
            task_timeout: None,
            result_limit: None,
            cancel_grace: Duration::from_secs(1),
            retained: 1024,
        }
    }
}

impl AsyncToolManagerBuilder {
    /// Adds a tool.
    pub fn tool(mut self, tool: impl Into<Arc<dyn Tool>>) -> Self {
        self.tools.push(tool.into());
        self
    }

    /// Adds tools, as [`tools!`](crate::tools) collects them.
    pub fn tools(mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Shares a value with the tools that ask for [`State<T>`](crate::tool::State). A second value of the same type replaces the
    /// first.
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.shared_state(Arc::new(value))
    }

    /// Shares a value that the host goes on using itself; see [`state`](Self::state).
    pub fn shared_state<T: Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.states.insert(value);
        self
    }

    /// Limit of tasks that run at once. Default: 64.
    ///
    /// A blocking function that was told to stop, or ran past its timeout, goes on in its thread until it returns; its slot is given
    /// to the next task, and [`ManagerStats::quarantined`](crate::manager::ManagerStats::quarantined) counts it. A task that waits for a task below
    /// it, for people, or for its next attempt has no slot. One that breaks off such a wait (a timeout of its own drops the future) goes on at once:
    /// it has a slot again also where that is one more than this, or than its tool or session may have.
    pub fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = tasks;
        self
    }

    /// Limit of tasks that wait for a slot; further ones are refused as [`Overloaded`](crate::tool::ToolErrorKind::Overloaded). With 0, tools
    /// that have something to do before they have a slot (a cache, a layer, approval, a rate, a resource) can't be called. Calls that share a run count until
    /// it ends. Tasks that ask people or were deferred don't count, and nothing bounds them; one whose call was approved counts again until
    /// it has its slot, and is never refused. Default: 16,384.
    pub fn queue_capacity(mut self, tasks: usize) -> Self {
        self.queue_capacity = tasks;
        self
    }

    /// Treatment of a task for which there is no slot. Default: [`WhenFull::Queue`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Limit of tasks of one session that run at once. Default: as many as the manager runs.
    pub fn session_concurrency(mut self, tasks: usize) -> Self {
        self.session_concurrency = tasks;
        self
    }

    /// Weight of a session, when several wait for slots; 0 counts as 1. Asked when a session comes, and again
    /// after it has had no task for a while, while the queue stands still: it must be quick, and not call the manager. One that panics
    /// counts as 1. Default: 1 for each.
    pub fn session_weight(mut self, weigh: impl Fn(&SessionId) -> u32 + Send + Sync + 'static) -> Self {
        self.weigh = Some(Box::new(weigh));
        self
    }

    /// Puts a layer around the calls of all tools, outside of everything else: it sees a call before a cache is asked and before it
    /// waits for anything, and the result that the task will have. The first layer added is the outermost. What a task is given from outside
    /// ([`resolve`](AsyncToolManager::resolve)) stands as it was given, whatever a layer makes of it.
    ///
    /// Any [`tower_layer::Layer`] whose service takes a [`ToolRequest`] and gives a JSON value; tower's own (timeouts, limits, `map_request`, …)
    /// are such layers. A service must be `Clone`, because each call is made on a clone: put a `Buffer` around one that isn't.
    ///
    /// An error of a layer is the task's error as it is where it is a [`ToolError`](crate::tool::ToolError). Anything else is
    /// [`Internal`](crate::tool::ToolErrorKind::Internal): operators find it in the message and the source, and the model reads that something
    /// failed, but not what, because what others' errors say (addresses, keys) is not theirs to tell.
    ///
    /// ```
    /// use async_tool_runtime::{manager::{ToolRequest, ToolService}, AsyncToolManager, ToolError, ToolErrorKind};
    /// use std::task::{Context, Poll};
    ///
    /// /// Lets no session call anything that is named in its list.
    /// #[derive(Clone)]
    /// struct Forbid<S>(S);
    ///
    /// impl<S: tower_service::Service<ToolRequest, Error = ToolError>> tower_service::Service<ToolRequest> for Forbid<S>
    /// where
    ///     S::Future: Send + 'static,
    /// {
    ///     type Response = S::Response;
    ///     type Error = ToolError;
    ///     type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, ToolError>> + Send>>;
    ///
    ///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ToolError>> {
    ///         self.0.poll_ready(cx)
    ///     }
    ///
    ///     fn call(&mut self, request: ToolRequest) -> Self::Future {
    ///         if request.session().as_str() == "guest" {
    ///             let refusal = ToolError::new(ToolErrorKind::Refused, "guests may not call tools");
    ///             return Box::pin(async { Err(refusal) });
    ///         }
    ///         Box::pin(self.0.call(request))
    ///     }
    /// }
    ///
    /// let manager = AsyncToolManager::builder()
    ///     .layer(tower_layer::layer_fn(|inner: ToolService| Forbid(inner)))
    ///     .build()?;
    /// # Ok::<(), async_tool_runtime::manager::BuildError>(())
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: tower_layer::Layer<ToolService> + Send + Sync + 'static,
        L::Service: tower_service::Service<ToolRequest, Response = serde_json::Value> + Clone + Send + Sync + 'static,
        <L::Service as tower_service::Service<ToolRequest>>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        <L::Service as tower_service::Service<ToolRequest>>::Future: Send,
    {
        self.outer.push(HostLayer::new(layer));
        self
    }

    /// Puts a layer around each attempt, inside of everything but its timeout: it runs with a slot, and once for every retry. Otherwise like
    /// [`layer`](Self::layer).
    pub fn inner_layer<L>(mut self, layer: L) -> Self
    where
        L: tower_layer::Layer<ToolService> + Send + Sync + 'static,
        L::Service: tower_service::Service<ToolRequest, Response = serde_json::Value> + Clone + Send + Sync + 'static,
        <L::Service as tower_service::Service<ToolRequest>>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        <L::Service as tower_service::Service<ToolRequest>>::Future: Send,
    {
        self.inner.push(HostLayer::new(layer));
        self
    }

    /// Bytes of a result's JSON that the model is given, for tools that say nothing themselves. Default: all.
    pub fn result_limit(mut self, bytes: usize) -> Self {
        self.result_limit = Some(bytes);
        self
    }

    /// Time that a task may take in all, from when it is accepted: waiting, every attempt, and the pauses between them. Tasks that bring a
    /// [deadline](crate::task::TaskSpec::deadline) keep it, and tasks below others have theirs. Where a session is taken up again, the time of its tasks
    /// begins anew. Default: without limit.
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.task_timeout = Some(timeout);
        self
    }

    /// Timeout of an attempt, for tools that say nothing themselves. Default: without limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Grace of a tool that was told to stop, before it is dropped. At its timeout or deadline, a tool that has taken its
    /// [token](crate::tool::ToolContext::cancellation) is told to stop and has this time too, also inside of policies and layers; what waits in a
    /// layer, before the function or after it, ends at the deadline. One whose run is [shared](crate::policy::Dedupe::Share) leaves the run at its own
    /// deadline. Default: 1 second.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.cancel_grace = grace;
        self
    }

    /// Ended tasks, with their results, that [`task`](AsyncToolManager::task) still finds. Default: 1,024.
    pub fn retained_tasks(mut self, tasks: usize) -> Self {
        self.retained = tasks;
        self
    }

    /// Calls `callback` once with the result of every task, on the thread where the task ended. It must
    /// not block. A callback that panics is logged, and harms no task.
    pub fn on_complete(mut self, callback: impl Fn(&Arc<AsyncTaskResult>) + Send + Sync + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Runs tasks on an engine elsewhere instead of in this process.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// Builds the manager.
    ///
    /// # Errors
    ///
    /// [`BuildError`], naming the tool: two tools of one name, a name that providers refuse, or a tool that needs a state nobody
    /// registered; options that contradict each other or that nothing
    /// could run with; also if a concurrency is 0.
    pub fn build(self) -> Result<AsyncToolManager, BuildError> {
        if self.concurrency == 0 || self.session_concurrency == 0 {
            return Err(BuildError::NoSlots);
        }
        let registry = ToolRegistry::new(self.tools)?;
        registry.check_states(&self.states)?;
        let clock = Clock::start();
        let quarantine = Arc::new(Quarantine::default());
        let conflicts = Conflicts::default();
        let remote = self
            .backend
            .clone()
            .map(|backend| remote::service(backend, self.cancel_grace));
        let around = Around {
            states: Arc::new(self.states),
            timeout: self.timeout,
            cancel_grace: self.cancel_grace,
            result_limit: self.result_limit,
            quarantine: Arc::clone(&quarantine),
            conflicts: conflicts.clone(),
            outer: self.outer,
            inner: self.inner,
            remote,
        };
        let (layers, lanes) = build_all(&registry, &around)?;
        let mut queue = Queue::new(
            self.concurrency,
            self.queue_capacity,
            self.session_concurrency,
            self.weigh,
            lanes,
        );
        if self.when_full == WhenFull::RunInline {
            queue = queue.beyond_the_limit();
        }
        let inner = Arc::new(Inner {
            executor: Executor::new(registry, layers, self.cancel_grace, clock),
            when_full: self.when_full,
            task_timeout: self.task_timeout,
            queue: Mutex::new(queue),
            same: Mutex::default(),
            counters: Default::default(),
            quarantine,
            conflicts,
            runtime: Default::default(),
            backend: self.backend,
            callbacks: self.callbacks,
            clock,
            tasks: Mutex::new(TaskTable::new(self.retained)),
            routes: Mutex::new(HashMap::new()),
            events: broadcast::Sender::new(EVENT_BACKLOG),
            idle: Notify::new(),
        });
        Ok(AsyncToolManager { inner })
    }
}

impl fmt::Debug for AsyncToolManagerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.tools.iter().map(|tool| &tool.definition().name);
        f.debug_struct("AsyncToolManagerBuilder")
            .field("tools", &names.collect::<Vec<_>>())
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// A manager can't be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A tool can't be registered.
    Registry(RegistryError),
    /// `concurrency` or `session_concurrency` is 0.
    NoSlots,
}

impl From<RegistryError> for BuildError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(error) => error.fmt(f),
            Self::NoSlots => {
                f.write_str("`concurrency` and `session_concurrency` must be at least 1, or no task could ever run")
            }
        }
    }
}

impl std::error::Error for BuildError {}
