//! Request and service that the layers share.

use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    future::BoxFuture,
    id::{TaskId, TaskNo},
    manager::{Count, Inner, Suspension, TaskCell},
    policy::{Claim, Held},
    session::SessionId,
    tool::{Arguments, BoundCall, CallId, CancellationToken, ToolError, ToolErrorKind},
    unwind::{self, Panicked},
};

/// Call as a layer of the host's sees it and may change it.
///
/// Cheap to clone, so that a layer can try a call more than once.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolError, async_tool, tools};
/// use async_tool_runtime::manager::{ToolRequest, ToolService};
/// use serde_json::{Value, json};
/// use std::task::{Context, Poll};
/// use tower_service::Service;
///
/// /// Keeps guests out of the archive of others.
/// #[derive(Clone)]
/// struct OwnArchive(ToolService);
///
/// impl Service<ToolRequest> for OwnArchive {
///     # type Response = Value;
///     # type Error = ToolError;
///     # type Future = <ToolService as Service<ToolRequest>>::Future;
///     #
///     # fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ToolError>> {
///     #     self.0.poll_ready(cx)
///     # }
///     #
///     // …
///     fn call(&mut self, mut request: ToolRequest) -> Self::Future {
///         let mut arguments = Value::clone(request.arguments());
///         arguments["archive"] = json!(request.session().as_str());
///         request.set_arguments(arguments);
///         self.0.call(request)
///     }
/// }
///
/// /// Searches an archive.
/// #[async_tool(effect = "read")]
/// async fn search(archive: String, text: String) -> String {
///     format!("{text} in the archive of {archive}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder()
///     .tools(tools![search])
///     .layer(tower_layer::layer_fn(OwnArchive))
///     .build()?;
/// let call = ToolCall::new("call_1", "search", json!({"archive": "bob", "text": "tea"}));
/// let task = manager.submit(&SessionId::new("ann"), call)?;
/// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("tea in the archive of ann")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ToolRequest {
    cell: Arc<TaskCell>,
    arguments: Arguments,
    /// Arguments bound at the submission, for the first attempt with these arguments.
    bound: Arc<Mutex<Option<BoundCall>>>,
    deadline: Option<Instant>,
    /// Claim on resources that was made at the submission, if any; it keeps the position among the waiting claims.
    claim: Option<Arc<Mutex<EarlyClaim>>>,
    /// Resources that the call holds. Weak, because a layer of the host's may keep a request for longer.
    held: Weak<Held>,
}

type EarlyClaim = Option<Result<Claim, ToolError>>;

impl ToolRequest {
    pub(crate) fn new(cell: Arc<TaskCell>, bound: Option<BoundCall>, deadline: Option<Instant>) -> Self {
        Self {
            arguments: cell.spec.call.arguments.clone(),
            cell,
            bound: Arc::new(Mutex::new(bound)),
            deadline,
            claim: None,
            held: Weak::new(),
        }
    }

    pub(crate) fn with_claim(mut self, claim: EarlyClaim) -> Self {
        self.claim = claim.map(|claim| Arc::new(Mutex::new(Some(claim))));
        self
    }

    /// Takes the claim that was made at the submission. Dropping the claim gives up its position.
    pub(crate) fn take_claim(&self) -> EarlyClaim {
        let claim = self.claim.as_ref()?;
        claim.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn with_held(mut self, held: &Arc<Held>) -> Self {
        self.held = Arc::downgrade(held);
        self
    }

    /// Takes the arguments bound at the submission.
    pub(crate) fn take_bound(&self) -> Option<BoundCall> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Resources that the call holds.
    pub(crate) fn held(&self) -> Option<Arc<Held>> {
        self.held.upgrade()
    }

    /// Id of the call's task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.cell.spec.task
    }

    /// Number of the task in its session, if it has one.
    #[must_use]
    pub fn number(&self) -> Option<TaskNo> {
        self.cell.spec.number
    }

    /// Session that made the call.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.cell.spec.session
    }

    /// Provider's id of the call.
    #[must_use]
    pub fn call(&self) -> &CallId {
        &self.cell.spec.call.id
    }

    /// Name of the tool.
    #[must_use]
    pub fn tool(&self) -> &Arc<str> {
        &self.cell.spec.call.name
    }

    /// Arguments for the function.
    #[must_use]
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Replaces the arguments. They are checked against the tool's schema when the function is called. The record of
    /// the task keeps the original arguments.
    pub fn set_arguments(&mut self, arguments: impl Into<Arguments>) {
        self.arguments = arguments.into();
        self.bound = Arc::default();
    }

    /// Signal to stop, which a layer that waits should watch. Otherwise the call is dropped after the manager's
    /// stop timeout; if tasks run on a backend, it goes on.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.cell.cancellation()
    }

    /// Deadline of the task, if it has one. Each attempt has its timeout besides.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Sets an earlier deadline; a later one than the current has no effect.
    ///
    /// ```
    /// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolError, ToolErrorKind, async_tool, tools};
    /// use async_tool_runtime::manager::{ToolRequest, ToolService};
    /// use std::{task::{Context, Poll}, time::Duration};
    /// use tower_service::Service;
    ///
    /// /// Gives guests ten seconds.
    /// #[derive(Clone)]
    /// struct Hurry(ToolService);
    ///
    /// impl Service<ToolRequest> for Hurry {
    ///     # type Response = serde_json::Value;
    ///     # type Error = ToolError;
    ///     # type Future = <ToolService as Service<ToolRequest>>::Future;
    ///     #
    ///     # fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ToolError>> {
    ///     #     self.0.poll_ready(cx)
    ///     # }
    ///     #
    ///     // …
    ///     fn call(&mut self, mut request: ToolRequest) -> Self::Future {
    ///         if request.session().as_str() == "guest" {
    ///             request.end_by(tokio::time::Instant::now() + Duration::from_secs(10));
    ///         }
    ///         self.0.call(request)
    ///     }
    /// }
    ///
    /// # /// Never ends.
    /// # #[async_tool]
    /// # async fn watch() {
    /// #     std::future::pending().await
    /// # }
    /// #
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager =
    ///     AsyncToolManager::builder().tools(tools![watch]).layer(tower_layer::layer_fn(Hurry)).build()?;
    /// let task = manager.submit(&SessionId::new("guest"), ToolCall::new("call_1", "watch", serde_json::json!({})))?;
    /// let result = task.outcome().await; // Ten seconds later.
    /// assert_eq!(result.outcome.error().map(|error| error.kind()), Some(ToolErrorKind::Timeout));
    /// # Ok(())
    /// # }
    /// ```
    pub fn end_by(&mut self, deadline: Instant) {
        self.deadline = Some(self.deadline.map_or(deadline, |known| known.min(deadline)));
    }

    pub(crate) fn cell(&self) -> &Arc<TaskCell> {
        &self.cell
    }

    /// Manager that runs the task; `None` on a worker.
    pub(crate) fn host(&self) -> Option<Arc<Inner>> {
        self.cell.manager()
    }

    /// Counts a lookup in a cache.
    pub(crate) fn count_look_up(&self, is_hit: bool) {
        if let Some(host) = self.host() {
            host.count(self.tool(), if is_hit { Count::CacheHit } else { Count::CacheMiss });
        }
    }

    /// Turns the request into one for a shared run. The run has no deadline: each waiter leaves it at its own.
    pub(crate) fn for_shared_run(mut self, cell: Arc<TaskCell>) -> Self {
        self.cell = cell;
        self.deadline = None;
        self
    }

    /// Waits for something other than the function. Ends at once if the task is told to stop, or at its deadline.
    pub(crate) async fn wait_for<T>(&self, what: impl Future<Output = T>) -> Result<T, ToolError> {
        tokio::select! {
            biased;
            () = self.cell.cancellation().cancelled() => Err(cancelled()),
            ready = what => Ok(ready),
            () = sleep_until_some(self.deadline) => Err(past_deadline()),
        }
    }

    /// Gives the slot away for a wait; the task counts as waiting meanwhile.
    pub(crate) fn pause(&self) -> Option<Suspension> {
        let suspension = self.cell.suspend()?;
        self.host()?.enlist(&self.cell);
        Some(suspension)
    }

    /// Waits for a slot after a pause.
    pub(crate) async fn go_on(&self, pause: Option<Suspension>) -> Result<(), ToolError> {
        match pause {
            Some(suspension) => self.wait_for(suspension.end()).await,
            None => Ok(()),
        }
    }
}

pub(crate) async fn sleep_until_some(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Slack after the stop timeout of a task, so that the task's own timer drops it first.
pub(crate) const STOP_SLACK: Duration = Duration::from_millis(50);

/// Waits until no part of a call may still run after its deadline. A wait in a layer ends at the deadline; a function
/// that tidies up keeps its stop timeout.
pub(crate) async fn too_late(cell: &TaskCell, deadline: Option<Instant>, stop_timeout: Duration) {
    sleep_until_some(deadline).await;
    if cell.started().is_some() {
        // The function's own timer is due at the same moment and may fire later.
        sleep(STOP_SLACK).await;
        if cell.is_tidying() {
            sleep(stop_timeout).await;
        }
    }
}

/// Reason of a cancellation without a given reason.
pub(crate) const CANCELLED: &str = "cancelled";

/// Error of a call that was told to stop.
pub(crate) fn cancelled() -> ToolError {
    ToolError::new(ToolErrorKind::Cancelled, CANCELLED)
}

pub(crate) fn past_deadline() -> ToolError {
    ToolError::new(ToolErrorKind::Timeout, "the task's deadline has passed")
}

impl fmt::Debug for ToolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRequest")
            .field("tool", self.tool())
            .field("task", &self.task())
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}

/// Inner service of a layer: the layers below it and the function. Cheap to clone; always ready.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolError, async_tool, tools};
/// use async_tool_runtime::manager::{ToolRequest, ToolService};
/// use serde_json::{Value, json};
/// use std::{future::Future, pin::Pin, task::{Context, Poll}};
/// use tower_service::Service;
///
/// /// Adds the unit to each value.
/// #[derive(Clone)]
/// struct InEuro(ToolService);
///
/// impl Service<ToolRequest> for InEuro {
///     type Response = Value;
///     type Error = ToolError;
///     type Future = Pin<Box<dyn Future<Output = Result<Value, ToolError>> + Send>>;
///
///     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ToolError>> {
///         self.0.poll_ready(cx)
///     }
///
///     fn call(&mut self, request: ToolRequest) -> Self::Future {
///         let value = self.0.call(request);
///         Box::pin(async move { Ok(json!({"price": value.await?, "unit": "EUR"})) })
///     }
/// }
///
/// /// Looks up the price of tea.
/// #[async_tool(effect = "read")]
/// async fn price_of_tea() -> u32 {
///     4
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder()
///     .tools(tools![price_of_tea])
///     .layer(tower_layer::layer_fn(InEuro))
///     .build()?;
/// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "price_of_tea", json!({})))?;
/// assert_eq!(task.outcome().await.outcome.value(), Some(&json!({"price": 4, "unit": "EUR"})));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ToolService(Arc<dyn Call>);

/// Object-safe part of a service: a call begins without `&mut`.
trait Call: Send + Sync {
    fn call(&self, request: ToolRequest) -> BoxFuture<'static, Result<Value, ToolError>>;
}

struct FromFn<F>(F);

impl<F, Fut> Call for FromFn<F>
where
    F: Fn(ToolRequest) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    fn call(&self, request: ToolRequest) -> BoxFuture<'static, Result<Value, ToolError>> {
        Box::pin((self.0)(request))
    }
}

/// Service of a host's layer. Each call runs on a clone, as tower expects for shared services.
struct Foreign<S>(S);

impl<S> Call for Foreign<S>
where
    S: Service<ToolRequest, Response = Value> + Clone + Send + Sync + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send,
{
    fn call(&self, request: ToolRequest) -> BoxFuture<'static, Result<Value, ToolError>> {
        let cloned = unwind::call(PART, || self.0.clone());
        Box::pin(async move {
            let mut service = cloned.map_err(|panic| of_panic(&panic))?;
            let run = || -> BoxFuture<'static, Result<Value, ToolError>> {
                Box::pin(async move {
                    poll_fn(|cx| service.poll_ready(cx)).await.map_err(into_tool_error)?;
                    service.call(request).await.map_err(into_tool_error)
                })
            };
            unwind::finish(PART, run)
                .await
                .unwrap_or_else(|panic| Err(of_panic(&panic)))
        })
    }
}

/// Name of a layer in errors and logs.
const PART: &str = "a layer around the tool";

/// Error of a layer that panicked.
fn of_panic(panic: &Panicked) -> ToolError {
    ToolError::new(ToolErrorKind::Panicked, panic.to_string())
        .with_model_message("something between the call and the tool crashed; this is no fault of the call")
}

/// Error of a layer: a `ToolError` unchanged, any other error as `Internal` without its text for the model.
fn into_tool_error(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ToolError {
    match error.into().downcast::<ToolError>() {
        Ok(error) => *error,
        Err(error) => ToolError::from_error(error)
            .with_kind(ToolErrorKind::Internal)
            .with_model_message("something between the call and the tool failed; this is no fault of the call"),
    }
}

impl ToolService {
    pub(crate) fn new<F, Fut>(call: F) -> Self
    where
        F: Fn(ToolRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        Self(Arc::new(FromFn(call)))
    }

    pub(crate) fn run(&self, request: ToolRequest) -> BoxFuture<'static, Result<Value, ToolError>> {
        self.0.call(request)
    }
}

impl Service<ToolRequest> for ToolService {
    type Response = Value;
    type Error = ToolError;
    type Future = BoxFuture<'static, Result<Value, ToolError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ToolError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ToolRequest) -> Self::Future {
        self.0.call(request)
    }
}

impl fmt::Debug for ToolService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToolService(..)")
    }
}

/// Layer of the host's, of any type.
#[derive(Clone)]
pub(crate) struct HostLayer(Arc<dyn Fn(ToolService) -> ToolService + Send + Sync>);

impl HostLayer {
    pub(crate) fn new<L>(layer: L) -> Self
    where
        L: Layer<ToolService> + Send + Sync + 'static,
        L::Service: Service<ToolRequest, Response = Value> + Clone + Send + Sync + 'static,
        <L::Service as Service<ToolRequest>>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        <L::Service as Service<ToolRequest>>::Future: Send,
    {
        Self(Arc::new(move |inner| {
            ToolService(Arc::new(Foreign(layer.layer(inner))))
        }))
    }
}

impl Layer<ToolService> for HostLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        (self.0)(inner)
    }
}
