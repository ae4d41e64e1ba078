//! The layers of a call as a service.

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
};

/// A call on its way to the function: what a layer of the host's sees and may change.
///
/// Cheap to clone, so that a layer can try it more than once.
#[derive(Clone)]
pub struct ToolRequest {
    cell: Arc<TaskCell>,
    arguments: Arguments,
    /// The call as it was bound when it was submitted, for the first attempt with these arguments.
    bound: Arc<Mutex<Option<BoundCall>>>,
    deadline: Option<Instant>,
    /// The place of a task among those that want the same, where it has had one since it was submitted.
    claim: Option<Arc<Mutex<EarlyClaim>>>,
    /// Resources that the call holds. A layer of the host's may keep a request for longer.
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

    /// The place that the task has had since it was submitted. Whoever takes it and drops it gives it up.
    pub(crate) fn take_claim(&self) -> EarlyClaim {
        let claim = self.claim.as_ref()?;
        claim.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn with_held(mut self, held: &Arc<Held>) -> Self {
        self.held = Arc::downgrade(held);
        self
    }

    /// The call as it was bound at its submission, once.
    pub(crate) fn take_bound(&self) -> Option<BoundCall> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Resources that the call holds.
    pub(crate) fn held(&self) -> Option<Arc<Held>> {
        self.held.upgrade()
    }

    /// The task that the call is.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.cell.spec.task
    }

    /// The number of the task in its session, where it has one.
    #[must_use]
    pub fn number(&self) -> Option<TaskNo> {
        self.cell.spec.number
    }

    /// The conversation that asked.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.cell.spec.session
    }

    /// The provider's name for the call.
    #[must_use]
    pub fn call(&self) -> &CallId {
        &self.cell.spec.call.id
    }

    /// The name of the tool.
    #[must_use]
    pub fn tool(&self) -> &Arc<str> {
        &self.cell.spec.call.name
    }

    /// The arguments the function will be called with.
    #[must_use]
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Other arguments; they are checked against the tool's schema when the function is called. What the record of the task
    /// says of its arguments stays as it was.
    pub fn set_arguments(&mut self, arguments: impl Into<Arguments>) {
        self.arguments = arguments.into();
        self.bound = Arc::default();
    }

    /// The signal to stop. A layer that waits should look at it; otherwise the call is dropped after the manager's cancel grace, or, where
    /// tasks run on a backend, goes on.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.cell.cancellation()
    }

    /// Deadline of the task, if it has one. The timeout of each attempt comes on top.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// An earlier deadline.
    pub fn end_by(&mut self, deadline: Instant) {
        self.deadline = Some(self.deadline.map_or(deadline, |known| known.min(deadline)));
    }

    pub(crate) fn cell(&self) -> &Arc<TaskCell> {
        &self.cell
    }

    /// The manager that runs the task; `None` on a worker.
    pub(crate) fn host(&self) -> Option<Arc<Inner>> {
        self.cell.manager()
    }

    /// Counts a look into a cache.
    pub(crate) fn count_look_up(&self, is_hit: bool) {
        if let Some(host) = self.host() {
            host.count(self.tool(), if is_hit { Count::CacheHit } else { Count::CacheMiss });
        }
    }

    /// The same call as the work of a cell that others share. It has no deadline: each of them has its own, and gets off then.
    pub(crate) fn for_shared_run(mut self, cell: Arc<TaskCell>) -> Self {
        self.cell = cell;
        self.deadline = None;
        self
    }

    /// Waits for something that isn't the function: ends at once where the task is told to stop, or its deadline comes.
    pub(crate) async fn wait_for<T>(&self, what: impl Future<Output = T>) -> Result<T, ToolError> {
        tokio::select! {
            biased;
            () = self.cell.cancellation().cancelled() => Err(cancelled()),
            ready = what => Ok(ready),
            () = sleep_until_some(self.deadline) => Err(past_deadline()),
        }
    }

    /// Gives the slot away for a while; the task counts among those that wait.
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

/// Slack after the grace of a task that was told to stop, before it is given up: its own timer has dropped it by then.
pub(crate) const GRACE_SLACK: Duration = Duration::from_millis(50);

/// Waits until nothing on the way of a call may go on after its deadline. What waits without a function, such as a layer of the host's,
/// ends there; a function that has a grace keeps it.
pub(crate) async fn too_late(cell: &TaskCell, deadline: Option<Instant>, cancel_grace: Duration) {
    sleep_until_some(deadline).await;
    if cell.started().is_some() {
        // The function's own timer is for the same moment, and may be behind.
        sleep(GRACE_SLACK).await;
        if cell.is_in_grace() {
            sleep(cancel_grace).await;
        }
    }
}

/// The reason where nobody has given one.
pub(crate) const CANCELLED: &str = "cancelled";

/// The end of a call that was told to stop.
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

/// The rest of the way of a call: what a layer is put around. Cheap to clone; always ready.
#[derive(Clone)]
pub struct ToolService(Arc<dyn Call>);

/// The object-safe part of a service: a call can begin without `&mut`.
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

/// A service of the host's. Each call is made on a clone, as tower expects it of services that are shared.
struct Foreign<S>(S);

impl<S> Call for Foreign<S>
where
    S: Service<ToolRequest, Response = Value> + Clone + Send + Sync + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send,
{
    fn call(&self, request: ToolRequest) -> BoxFuture<'static, Result<Value, ToolError>> {
        let mut service = self.0.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(into_tool_error)?;
            service.call(request).await.map_err(into_tool_error)
        })
    }
}

/// An error of a layer; where it only passes on the tool's own, or one that was made for a model to read, that one.
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

/// A layer of the host's, of whatever type.
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
