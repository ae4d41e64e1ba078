//! Builder of a manager.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{Notify, broadcast, watch};

use super::{
    AsyncToolManager, Callback, Executor, Inner, TracePropagator, Traces, WhenFull,
    quarantine::Quarantine,
    queue::{Queue, Weigh},
    remote,
    remote_engine::Remote,
    table::TaskTable,
};
use crate::{
    backend::Backend,
    clock::Clock,
    manager::layers::{Around, HostLayer, ToolRequest, ToolService, build_all},
    policy::Conflicts,
    session::SessionId,
    task::AsyncTaskResult,
    tool::{IntoTool, RegistryError, StateMap, Tool, ToolRegistry},
};

/// Unread events that the manager keeps for a slow subscriber; past this number the subscriber gets a new snapshot.
const EVENT_BACKLOG: usize = 1024;

/// Builder of an [`AsyncToolManager`]: its tools, their states, limits and layers.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, async_tool, manager::WhenFull, tools};
/// use std::time::Duration;
///
/// /// Adds two numbers.
/// #[async_tool(effect = "read")]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// let manager = AsyncToolManager::builder()
///     .tools(tools![add])
///     .concurrency(16)
///     .session_concurrency(4)
///     .when_full(WhenFull::Reject { retry_after: Duration::from_secs(5) })
///     .task_timeout(Duration::from_secs(600))
///     .build()?;
/// assert!(manager.registry().find("add").is_some());
/// # Ok::<(), async_tool_runtime::manager::BuildError>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct AsyncToolManagerBuilder {
    tools: Vec<Arc<dyn Tool>>,
    states: StateMap,
    callbacks: Vec<Callback>,
    backend: Option<Arc<dyn Backend>>,
    concurrency: usize,
    blocking_concurrency: usize,
    open_tasks: usize,
    queue_capacity: usize,
    when_full: WhenFull,
    session_concurrency: usize,
    weigh: Option<Weigh>,
    outer: Vec<HostLayer>,
    inner: Vec<HostLayer>,
    timeout: Option<Duration>,
    task_timeout: Option<Duration>,
    result_limit: Option<usize>,
    stop_timeout: Duration,
    retained: usize,
    traces_contents: bool,
    traces: Traces,
}

impl AsyncToolManager {
    /// Returns a builder with the default settings and no tools.
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
            concurrency: usize::MAX,
            blocking_concurrency: 64,
            open_tasks: 16_384,
            queue_capacity: usize::MAX,
            when_full: WhenFull::default(),
            session_concurrency: usize::MAX,
            weigh: None,
            outer: Vec::new(),
            inner: Vec::new(),
            timeout: None,
            task_timeout: None,
            result_limit: None,
            stop_timeout: Duration::from_secs(1),
            retained: 1024,
            traces_contents: false,
            traces: Traces::default(),
        }
    }
}

impl AsyncToolManagerBuilder {
    /// Adds a tool.
    pub fn tool(mut self, tool: impl IntoTool) -> Self {
        self.tools.push(tool.into_tool());
        self
    }

    /// Adds tools, as [`tools!`](crate::tools) collects them: `tools![find, search::tool().name("look_up")]`.
    pub fn tools(mut self, tools: impl IntoIterator<Item = Arc<dyn Tool>>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Shares a value with the tools that take a [`State<T>`](crate::tool::State). A second value of the same type
    /// replaces the first.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tool::State, tools};
    /// use serde_json::json;
    ///
    /// struct Prices {
    ///     tea: u32,
    /// }
    ///
    /// /// Looks up the price of tea.
    /// #[async_tool(effect = "read")]
    /// fn price_of_tea(#[inject] prices: State<Prices>) -> u32 {
    ///     prices.tea
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![price_of_tea]).state(Prices { tea: 4 }).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "price_of_tea", json!({})))?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!(4)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.shared_state(Arc::new(value))
    }

    /// Shares a value that the host keeps using; see [`state`](Self::state).
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tool::State, tools};
    /// use serde_json::json;
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    ///
    /// /// Counts a visitor.
    /// #[async_tool]
    /// fn visit(#[inject] visits: State<AtomicU32>) {
    ///     visits.fetch_add(1, Ordering::Relaxed);
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let visits = Arc::new(AtomicU32::new(0));
    /// let manager = AsyncToolManager::builder().tools(tools![visit]).shared_state(Arc::clone(&visits)).build()?;
    /// manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "visit", json!({})))?.outcome().await;
    /// assert_eq!(visits.load(Ordering::Relaxed), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shared_state<T: Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.states.insert(value);
        self
    }

    /// Limit of tasks that run at once. Default: no limit, because async functions only wait; blocking ones have
    /// [theirs](Self::blocking_concurrency). If async tools work instead of waiting, or a service behind them takes few
    /// requests, set this, or the `concurrency` of those tools.
    ///
    /// If a call waits for a slot for more than five seconds, the log says which setting holds it back.
    ///
    /// A blocking function that was told to stop, or ran past its timeout, goes on in its thread until it returns. Its
    /// slot goes to the next task, and [`ManagerStats::quarantined`](crate::manager::ManagerStats::quarantined) counts
    /// the function.
    ///
    /// A task holds no slot while it waits for another task or an agent, for input or approval, for its rate, or for its next
    /// attempt. A task that breaks off such a wait goes on at once, for example if its own timeout drops the future. It
    /// then has a slot even beyond this limit, and beyond the limits of its tool and its session.
    pub fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = tasks;
        self
    }

    /// Limit of blocking calls that run at once: functions that aren't async, and [`BoundCall::blocking`]. Each has a
    /// thread. Default: 64. Tokio's own limit of such threads is 512.
    ///
    /// [`BoundCall::blocking`]: crate::tool::BoundCall::blocking
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// /// Reads a file.
    /// #[async_tool(effect = "read")]
    /// fn read_file(path: String) -> std::io::Result<String> {
    ///     std::fs::read_to_string(path)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // An old disk: one file at a time.
    /// let manager = AsyncToolManager::builder().tools(tools![read_file]).blocking_concurrency(1).build()?;
    /// let call = || ToolCall::new("call_1", "read_file", json!({"path": "Cargo.toml"}));
    /// let first = manager.submit(&SessionId::new("example"), call())?;
    /// let second = manager.submit(&SessionId::new("example"), call())?; // Waits for the first.
    /// assert_eq!(manager.stats().running, 1);
    /// assert_eq!(first.outcome().await.outcome, second.outcome().await.outcome);
    /// # Ok(())
    /// # }
    /// ```
    pub fn blocking_concurrency(mut self, tasks: usize) -> Self {
        self.blocking_concurrency = tasks;
        self
    }

    /// Limit of tasks that run or wait for a slot; further calls are refused as
    /// [`Overloaded`](crate::tool::ToolErrorKind::Overloaded). Default: 16,384. A task that waits for input, approval, a
    /// result from outside or another task doesn't count.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolErrorKind, async_tool, tools};
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
    /// # let session = SessionId::new("example");
    /// # let call = || ToolCall::new("call_1", "watch", json!({}));
    /// let manager = AsyncToolManager::builder().tools(tools![watch]).open_tasks(2).build()?;
    /// manager.submit(&session, call())?;
    /// manager.submit(&session, call())?;
    /// let refused = manager.submit(&session, call()).unwrap_err();
    /// assert_eq!(refused.kind(), ToolErrorKind::Overloaded);
    /// # Ok(())
    /// # }
    /// ```
    pub fn open_tasks(mut self, tasks: usize) -> Self {
        self.open_tasks = tasks;
        self
    }

    /// Limit of tasks that wait for a slot; further calls are refused as
    /// [`Overloaded`](crate::tool::ToolErrorKind::Overloaded). Default: only [`open_tasks`](Self::open_tasks).
    ///
    /// With 0, a tool can't be called if its calls need a queue position before their slot. Such tools have a cache,
    /// shared runs, approval, a rate limit, resources, or a layer of the host's.
    ///
    /// A call that shares a run counts until the run ends. A task that waits for input or approval, or was deferred,
    /// doesn't count, and nothing limits the number of such tasks. After its approval a task counts again until it has
    /// its slot, and is never refused.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolErrorKind, async_tool, tools};
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
    /// # let session = SessionId::new("example");
    /// # let call = || ToolCall::new("call_1", "watch", json!({}));
    /// let manager = AsyncToolManager::builder().tools(tools![watch]).concurrency(1).queue_capacity(1).build()?;
    /// manager.submit(&session, call())?; // Has the slot.
    /// manager.submit(&session, call())?; // Waits.
    /// let refused = manager.submit(&session, call()).unwrap_err();
    /// assert_eq!(refused.kind(), ToolErrorKind::Overloaded);
    /// # Ok(())
    /// # }
    /// ```
    pub fn queue_capacity(mut self, tasks: usize) -> Self {
        self.queue_capacity = tasks;
        self
    }

    /// Treatment of a task when no slot is free. Default: [`WhenFull::Queue`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Limit of tasks of one session that run at once. Default: no limit but the manager's.
    pub fn session_concurrency(mut self, tasks: usize) -> Self {
        self.session_concurrency = tasks;
        self
    }

    /// Weight of a session when several sessions wait for slots; 0 counts as 1. Default: 1 for each.
    ///
    /// The manager calls `weigh` at the first task of a session, and again after the session has had no task for a
    /// while. The queue is locked meanwhile, so `weigh` must be quick and must not call the manager. If it panics, the
    /// weight is 1.
    ///
    /// ```
    /// # use async_tool_runtime::AsyncToolManager;
    /// // A paying customer gets four times the slots of a guest when both wait.
    /// let manager = AsyncToolManager::builder()
    ///     .session_weight(|session| if session.as_str().starts_with("paid-") { 4 } else { 1 })
    ///     .build();
    /// assert!(manager.is_ok());
    /// ```
    pub fn session_weight(mut self, weigh: impl Fn(&SessionId) -> u32 + Send + Sync + 'static) -> Self {
        self.weigh = Some(Box::new(weigh));
        self
    }

    /// Puts a layer around the calls of all tools, outside of all other layers. It sees a call before the caches and
    /// the queue, and it sees the result that the task will have. The first layer added is the outermost. A result from
    /// [`resolve`](AsyncToolManager::resolve) stands as given: no layer changes it.
    ///
    /// Takes any [`tower_layer::Layer`] whose service takes a [`ToolRequest`] and returns a JSON value, such as tower's
    /// timeouts, limits and `map_request`. The service must be `Clone`, because each call runs on a clone; wrap a
    /// service that isn't `Clone` in tower's `Buffer`.
    ///
    /// A [`ToolError`](crate::tool::ToolError) from a layer becomes the task's error unchanged. Any other error becomes
    /// [`Internal`](crate::tool::ToolErrorKind::Internal): operators find it in the message and the source. The model
    /// reads only that something failed, because the texts of such errors can hold addresses and keys.
    ///
    /// ```
    /// use async_tool_runtime::{manager::{ToolRequest, ToolService}, AsyncToolManager, ToolError, ToolErrorKind};
    /// use std::task::{Context, Poll};
    ///
    /// /// Refuses the calls of guests.
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

    /// Puts a layer around each attempt, inside of everything but the timeout of the attempt. It runs with a slot, and
    /// once for each attempt. Otherwise like [`layer`](Self::layer).
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolError, ToolErrorKind, async_tool, tools};
    /// use async_tool_runtime::manager::{ToolRequest, ToolService};
    /// use serde_json::{Value, json};
    /// use std::{sync::{Arc, atomic::{AtomicU32, Ordering}}, task::{Context, Poll}};
    /// use tower_service::Service;
    ///
    /// /// Counts attempts.
    /// #[derive(Clone)]
    /// struct Counted(ToolService, Arc<AtomicU32>);
    ///
    /// impl Service<ToolRequest> for Counted {
    ///     type Response = Value;
    ///     type Error = ToolError;
    ///     type Future = <ToolService as Service<ToolRequest>>::Future;
    ///
    ///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ToolError>> {
    ///         self.0.poll_ready(cx)
    ///     }
    ///
    ///     fn call(&mut self, request: ToolRequest) -> Self::Future {
    ///         self.1.fetch_add(1, Ordering::Relaxed);
    ///         self.0.call(request)
    ///     }
    /// }
    ///
    /// /// Reads a sensor that doesn't answer.
    /// #[async_tool(effect = "read", retry(attempts = 3))]
    /// async fn read_sensor() -> Result<f64, ToolError> {
    ///     Err(ToolError::new(ToolErrorKind::Unavailable, "no answer"))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let attempts = Arc::new(AtomicU32::new(0));
    /// let counter = Arc::clone(&attempts);
    /// let manager = AsyncToolManager::builder()
    ///     .tools(tools![read_sensor])
    ///     .inner_layer(tower_layer::layer_fn(move |inner| Counted(inner, Arc::clone(&counter))))
    ///     .build()?;
    /// manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "read_sensor", json!({})))?.outcome().await;
    /// assert_eq!(attempts.load(Ordering::Relaxed), 3);
    /// # Ok(())
    /// # }
    /// ```
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

    /// Limit in bytes of a result's JSON that the model gets, for tools without a limit of their own. Default: the bound
    /// of each agent ([`PrunePolicy::result_limit`](crate::context::PrunePolicy::result_limit)).
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Reads the log.
    /// # #[async_tool(effect = "read")]
    /// # async fn read_log() -> String {
    /// #     "started; ".repeat(1000)
    /// # }
    /// #
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![read_log]).result_limit(1024).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "read_log", json!({})))?;
    /// let result = task.outcome().await;
    /// assert!(result.preview.is_some()); // For the model; the outcome holds the whole value.
    /// # Ok(())
    /// # }
    /// ```
    pub fn result_limit(mut self, bytes: usize) -> Self {
        self.result_limit = Some(bytes);
        self
    }

    /// Time limit of a task from its acceptance to its end: waits, attempts, and the pauses between them. Default: no
    /// limit.
    ///
    /// A task with a [deadline](crate::task::TaskSpec::deadline) of its own keeps it, and a child task has its parent's
    /// deadline. When a session is resumed, the time of tasks that run again starts anew. That of tasks that wait for people or the outside
    /// goes on.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolErrorKind, async_tool, tools};
    /// # use serde_json::json;
    /// # use std::time::Duration;
    /// #
    /// # /// Never ends.
    /// # #[async_tool]
    /// # async fn watch() {
    /// #     std::future::pending().await
    /// # }
    /// #
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![watch]).task_timeout(Duration::from_secs(60)).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "watch", json!({})))?;
    /// let result = task.outcome().await; // A minute later.
    /// assert_eq!(result.outcome.error().map(|error| error.kind()), Some(ToolErrorKind::Timeout));
    /// # Ok(())
    /// # }
    /// ```
    pub fn task_timeout(mut self, timeout: Duration) -> Self {
        self.task_timeout = Some(timeout);
        self
    }

    /// Timeout of an attempt, for tools that set none. Default: no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Time between the signal to stop and the drop of a tool's future. Default: 1 second.
    ///
    /// At its timeout or deadline, a tool that has taken its [token](crate::tool::ToolContext::cancellation) is told to
    /// stop and has this time too. That also holds inside of policies and layers. A call that waits in a layer, before
    /// or after the function, ends at the deadline. A call that [shares](crate::policy::Dedupe::Share) a run leaves the
    /// run at its own deadline.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, CancellationToken, SessionId, ToolCall, async_tool, tools};
    /// # use serde_json::json;
    /// # use std::time::Duration;
    /// /// Reads pages until it is told to stop.
    /// #[async_tool(effect = "read", timeout = "30s")]
    /// async fn read_pages(#[inject] stop: CancellationToken) -> String {
    ///     stop.cancelled().await;
    ///     "the first 7 pages".to_owned()
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![read_pages]).stop_timeout(Duration::from_secs(3)).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "read_pages", json!({})))?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("the first 7 pages")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// Number of ended tasks, with their results, that [`task`](AsyncToolManager::task) still finds. Default: 1,024.
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
    /// # let session = SessionId::new("example");
    /// let manager = AsyncToolManager::builder().tools(tools![nothing]).retained_tasks(1).build()?;
    /// let first = manager.submit(&session, ToolCall::new("call_1", "nothing", json!({})))?;
    /// first.outcome().await;
    /// let second = manager.submit(&session, ToolCall::new("call_2", "nothing", json!({})))?;
    /// second.outcome().await;
    /// assert!(manager.task(first.id()).is_none());
    /// assert!(manager.task(second.id()).is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn retained_tasks(mut self, tasks: usize) -> Self {
        self.retained = tasks;
        self
    }

    /// Sets if the spans of calls hold arguments and results, as `gen_ai.tool.call.arguments` and `gen_ai.tool.call.result`. Default:
    /// false, because they may be private.
    ///
    /// Each is cut after 4,096 characters. Arguments and results that a tool marks as
    /// [sensitive](crate::tool::FunctionTool::sensitive_arguments) stay out. So do unknown arguments and errors of such a tool, and all of a
    /// call whose arguments are filled with a sensitive result.
    ///
    /// ```
    /// # use async_tool_runtime::AsyncToolManager;
    /// let is_on_a_developers_machine = std::env::var_os("SHOW_CALLS").is_some();
    /// let manager = AsyncToolManager::builder().trace_contents(is_on_a_developers_machine).build();
    /// assert!(manager.is_ok());
    /// ```
    pub fn trace_contents(mut self, is_on: bool) -> Self {
        self.traces_contents = is_on;
        self
    }

    /// Puts the library's spans into the host's traces, also those of background tasks, later turns and workers: see [`TracePropagator`]. Default:
    /// none, and spans are nested as `tracing` sees them.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, manager::TracePropagator};
    /// # struct OpenTelemetry;
    /// # impl TracePropagator for OpenTelemetry {
    /// #     fn current(&self) -> Option<String> { None }
    /// #     fn continued(&self, _: &str, then: &mut dyn FnMut()) { then() }
    /// #     fn link(&self, _: &str) {}
    /// # }
    /// let manager = AsyncToolManager::builder().propagator(OpenTelemetry).build();
    /// assert!(manager.is_ok());
    /// ```
    pub fn propagator(mut self, propagator: impl TracePropagator) -> Self {
        self.traces = Traces::new(propagator);
        self
    }

    /// Calls `callback` once with the result of every task, on the thread on which the task ended. The callback must
    /// not block. A panic in it is logged and affects no task.
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
    /// let (sender, ended) = std::sync::mpsc::channel();
    /// let manager = AsyncToolManager::builder()
    ///     .tools(tools![nothing])
    ///     .on_complete(move |result| drop(sender.send(result.status())))
    ///     .build()?;
    /// manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "nothing", json!({})))?.outcome().await;
    /// assert_eq!(ended.try_recv(), Ok(TaskStatus::Completed));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_complete(mut self, callback: impl Fn(&Arc<AsyncTaskResult>) + Send + Sync + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Runs tasks on an engine elsewhere instead of in this process. [`backend`](crate::backend) says which settings count
    /// here, and which on each worker.
    ///
    /// A task that the engine can't carry is refused when it is submitted. While the engine can't be reached, tasks wait
    /// until their deadlines, so set a [`task_timeout`](Self::task_timeout).
    ///
    /// ```
    /// use async_tool_runtime::testing::MemoryEngine;
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
    /// let engine = MemoryEngine::new();
    /// let worker = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// let _worker = engine.worker(worker.executor().clone(), 8);
    ///
    /// let manager = AsyncToolManager::builder().tools(tools![add]).backend(engine.clone()).build()?;
    /// let task = manager.submit(&SessionId::new("s"), ToolCall::new("call_1", "add", json!({"a": 2, "b": 3})))?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!(5)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// Builds the manager.
    ///
    /// # Errors
    ///
    /// [`BuildError`], which names the tool: two tools have one name, providers refuse the name, or a state is missing.
    /// Also if options contradict each other or let no call run, or if a concurrency or `open_tasks` is 0. With a
    /// [backend](Self::backend), also if a tool can't run on a worker.
    pub fn build(self) -> Result<AsyncToolManager, BuildError> {
        let limits = [
            self.concurrency,
            self.blocking_concurrency,
            self.session_concurrency,
            self.open_tasks,
        ];
        if limits.contains(&0) {
            return Err(BuildError::NoSlots);
        }
        let registry = ToolRegistry::new(self.tools)?;
        registry.check_states(&self.states)?;
        let clock = Clock::start();
        let quarantine = Arc::new(Quarantine::default());
        let conflicts = Conflicts::default();
        let remote = self
            .backend
            .map(|backend| Arc::new(Remote::new(backend, self.stop_timeout)));
        if remote.is_some() {
            remote::check(&registry)?;
        }
        let around = Around {
            states: Arc::new(self.states),
            timeout: self.timeout,
            stop_timeout: self.stop_timeout,
            result_limit: self.result_limit,
            quarantine: Arc::clone(&quarantine),
            conflicts: conflicts.clone(),
            outer: self.outer,
            inner: self.inner,
            remote: remote.as_ref().map(Remote::service),
        };
        let (layers, lanes) = build_all(&registry, &around)?;
        let mut queue = Queue::new(
            self.concurrency,
            self.queue_capacity,
            self.session_concurrency,
            self.weigh,
            lanes,
        )
        .with_blocking_slots(self.blocking_concurrency)
        .bounded(self.open_tasks);
        if self.when_full == WhenFull::RunInline {
            queue = queue.beyond_the_limit();
        }
        let inner = Arc::new(Inner {
            executor: Executor::new(registry, layers, self.stop_timeout, clock.clone(), self.traces.clone()),
            when_full: self.when_full,
            task_timeout: self.task_timeout,
            result_limit: self.result_limit,
            queue: Mutex::new(queue),
            watch: Mutex::default(),
            latencies: Mutex::default(),
            same: Mutex::default(),
            counters: Default::default(),
            quarantine,
            conflicts,
            session_waits: Default::default(),
            runtime: Default::default(),
            remote,
            callbacks: self.callbacks,
            clock,
            traces_contents: self.traces_contents,
            traces: self.traces,
            tasks: Mutex::new(TaskTable::new(self.retained)),
            routes: Mutex::new(HashMap::new()),
            residents: Mutex::default(),
            records: Mutex::default(),
            stirs: watch::Sender::default(),
            resumptions: watch::Sender::default(),
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

/// Error of [`AsyncToolManagerBuilder::build`]: a tool or a limit is invalid.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, async_tool, manager::BuildError, tools};
///
/// /// Adds two numbers.
/// #[async_tool(effect = "read")]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// let error = AsyncToolManager::builder().tools(tools![add, add]).build().unwrap_err();
/// match error {
///     BuildError::Registry(error) => assert!(error.to_string().contains("add")),
///     other => panic!("{other}"),
/// }
/// let error = AsyncToolManager::builder().concurrency(0).build().unwrap_err();
/// assert_eq!(error, BuildError::NoSlots);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A tool can't be registered.
    Registry(RegistryError),
    /// `concurrency`, `blocking_concurrency`, `session_concurrency` or `open_tasks` is 0.
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
                f.write_str("`concurrency`, `blocking_concurrency`, `session_concurrency` and `open_tasks` must be at least 1, or no task could ever run")
            }
        }
    }
}

impl std::error::Error for BuildError {}
