//! Handle of a tool to its running task.

use std::{
    any::Any,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    CallId, CancellationToken, IdempotencyKey, ProgressReport, StateMap, ToolError, ToolErrorKind, is_too_deep,
    too_deep,
};
use crate::{
    future::BoxFuture,
    id::{TaskId, TaskNo},
    session::SessionId,
};

/// Handle to the running task: ids, deadline, cancellation, progress, messages, questions, nested calls.
///
/// Taken with `#[inject] cx: ToolContext`. Cheap to clone.
///
/// ```
/// use async_tool_runtime::{async_tool, tools, AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError};
/// use serde_json::json;
///
/// /// Looks up a price.
/// #[async_tool(effect = "read")]
/// async fn price(item: String) -> u32 {
///     item.len() as u32
/// }
///
/// /// Adds up the prices of a cart.
/// #[async_tool(effect = "read")]
/// async fn total(items: Vec<String>, #[inject] cx: ToolContext) -> Result<u32, ToolError> {
///     let mut total = 0;
///     for (done, item) in items.iter().enumerate() {
///         cx.progress().report(done as f64 / items.len() as f64, item.as_str());
///         total += cx.call_tool::<u32>("price", json!({"item": item})).await?;
///     }
///     Ok(total)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![price, total]).build()?;
/// let call = ToolCall::new("call_1", "total", json!({"items": ["tea", "bread"]}));
/// let task = manager.submit(&SessionId::new("example"), call)?;
/// assert_eq!(task.outcome().await.outcome.value(), Some(&json!(8)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ToolContext(Arc<TaskContext>);

/// Data of one attempt, and the link of its task to the manager.
pub(crate) struct TaskContext {
    pub(crate) task: TaskId,
    pub(crate) number: Option<TaskNo>,
    pub(crate) session: SessionId,
    pub(crate) call: CallId,
    pub(crate) idempotency_key: IdempotencyKey,
    pub(crate) attempt: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) states: Arc<StateMap>,
    /// The task's cancellation token.
    pub(crate) cancellation: CancellationToken,
    /// The tool's own token, a child of the task's: a tool may stop its helpers without cancelling its task. Made when the tool asks for it.
    pub(crate) token: OnceLock<CancellationToken>,
    /// Number of nested calls that the attempt has made.
    pub(crate) calls: AtomicU32,
    /// The running task; `None` in a unit test.
    pub(crate) host: Option<Arc<dyn ContextHost>>,
}

/// Requests of a tool to its running task. The manager's record implements it, so tools can be used without a manager.
pub(crate) trait ContextHost: Send + Sync {
    /// Publishes progress.
    fn report(self: Arc<Self>, report: ProgressReport);

    /// Next message, if one is there.
    fn take_message(&self) -> Option<String>;

    /// Waits for the next message; `None` if none can come any more.
    fn next_message(&self) -> BoxFuture<'_, Option<String>>;

    /// Asks people, and waits for the answer.
    fn request_input(
        self: Arc<Self>,
        prompt: String,
        schema: Arc<Value>,
    ) -> BoxFuture<'static, Result<Value, ToolError>>;

    /// Latest checkpoint of the task.
    fn checkpoint(&self) -> Option<Arc<Value>>;

    /// Keeps a checkpoint, and waits until it is written down.
    fn save_checkpoint(self: Arc<Self>, checkpoint: Arc<Value>) -> BoxFuture<'static, Result<(), ToolError>>;

    /// True if the task stops only because its session leaves the process.
    fn is_leaving(&self) -> bool;

    /// Leaves the task to be completed from outside, within a limit if there is one.
    fn defer(self: Arc<Self>, limit: Option<Duration>);

    /// The implementor, for layers above that know its type.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// Error of an operation that needs a manager.
pub(crate) fn outside_of_a_manager() -> ToolError {
    ToolError::new(
        ToolErrorKind::Internal,
        "the task runs outside of a manager, such as on a worker of a backend: it can't submit tasks, ask people, save checkpoints or be completed from outside",
    )
        .with_model_message("the tool can't do that here")
}

/// Error of a task whose result did not come from outside in time.
pub(crate) fn overdue() -> ToolError {
    // Not retryable: after a restart the function that deferred the task is gone, and both cases end alike.
    ToolError::new(
        ToolErrorKind::Timeout,
        "no result came from outside before the deadline that the tool had set",
    )
    .with_retryable(false)
}

impl ToolContext {
    pub(crate) fn new(parts: TaskContext) -> Self {
        Self(Arc::new(parts))
    }

    /// Id of the running task. If calls share one run, the id of the first.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.0.task
    }

    /// Number of the task in its session, if it has one.
    #[must_use]
    pub fn number(&self) -> Option<TaskNo> {
        self.0.number
    }

    /// Session that the call belongs to.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.0.session
    }

    /// The provider's id of the call.
    #[must_use]
    pub fn call(&self) -> &CallId {
        &self.0.call
    }

    /// Number of this attempt; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Key that is the same on every attempt of this task, and differs between tasks. A child task also has the same key on every attempt of
    /// its parent.
    #[must_use]
    pub fn idempotency_key(&self) -> IdempotencyKey {
        self.0.idempotency_key
    }

    /// The tool's cancellation token.
    ///
    /// A tool that has taken it gets the manager's stop timeout also when its [timeout](super::ToolOptions::timeout) passes.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.0.token.get_or_init(|| self.0.cancellation.child())
    }

    /// True if the task has been told to stop. Blocking tools check this between steps.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation().is_cancelled()
    }

    /// True if the tool has ever taken its cancellation token.
    pub(crate) fn is_listening(&self) -> bool {
        self.0.token.get().is_some()
    }

    /// Time at which the attempt times out, if it does. While the task waits for an [answer](Self::request_input), its own timeout is
    /// paused, so the attempt may then run that much longer.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Time until the attempt times out, if it does.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AsyncToolManager, SessionId, ToolCall, ToolContext};
    /// use serde_json::json;
    ///
    /// /// Asks a slow service, and gives it half of the time that is left.
    /// #[async_tool(effect = "read", timeout = "30s")]
    /// async fn ask(#[inject] cx: ToolContext) -> Option<u64> {
    ///     let patience = cx.remaining()? / 2;
    ///     Some(patience.as_secs())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![ask]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "ask", json!({})))?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!(15)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Asks people through the host, and waits for an answer that fits `schema`, a JSON Schema.
    ///
    /// Until then the task is in [`TaskStatus::InputRequired`](crate::task::TaskStatus::InputRequired) and holds no slot, and the timeout of
    /// its tool is paused. A task has one question at a time: a second question replaces an open one.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::Refused`] if the host refuses to answer or another question replaces this one; [`ToolErrorKind::Internal`] outside of
    /// a manager, and for a schema that is nested too deep for a journal.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question. Unlike an answer, a withdrawal isn't waited for until it is in the journal. If the process
    /// ends at that moment, the next process may find the task still asking.
    pub async fn request_input(
        &self,
        prompt: impl Into<String>,
        schema: impl Into<Arc<Value>>,
    ) -> Result<Value, ToolError> {
        let host = self.host().cloned().ok_or_else(outside_of_a_manager)?;
        let schema = schema.into();
        if is_too_deep(&schema) {
            return Err(ToolError::new(
                ToolErrorKind::Internal,
                too_deep("the schema of the question"),
            ));
        }
        host.request_input(prompt.into(), schema).await
    }

    /// Asks people for a value of type `T`, whose schema the answer must fit; otherwise like [`request_input`](Self::request_input).
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     async_tool, tools, AsyncToolManager, SessionId, TaskStatus, ToolCall, ToolContext, ToolError,
    /// };
    /// use serde_json::json;
    ///
    /// /// Books a table.
    /// #[async_tool]
    /// async fn book_table(guests: u32, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    ///     let room: String = cx.request("Which room?").await?;
    ///     Ok(format!("{guests} guests in {room}"))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![book_table]).build()?;
    /// let call = ToolCall::new("call_1", "book_table", json!({"guests": 12}));
    /// let task = manager.submit(&SessionId::new("example"), call)?;
    /// # while task.status() != TaskStatus::InputRequired { tokio::task::yield_now().await; }
    /// // The task asks.
    /// assert!(manager.answer(task.id(), 7).is_err()); // No text.
    /// manager.answer(task.id(), "the garden")?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("12 guests in the garden")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`request_input`](Self::request_input).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question.
    pub async fn request<T: DeserializeOwned + JsonSchema>(&self, prompt: impl Into<String>) -> Result<T, ToolError> {
        let answer = self.request_input(prompt, crate::schema::of_input::<T>()).await?;
        serde_json::from_value(answer).map_err(|error| {
            ToolError::from_error(error)
                .with_kind(ToolErrorKind::Internal)
                .with_model_message("the answer could not be read")
        })
    }

    /// True if the task was told to stop only because its session leaves this process. The task goes on in the process that resumes the
    /// session, so work elsewhere that it can find again, such as by its [checkpoint](Self::save_checkpoint), must not be stopped.
    ///
    /// ```
    /// use async_tool_runtime::ToolContext;
    ///
    /// # async fn stop_job(_job: &str) {}
    /// async fn stop(cx: &ToolContext, job: &str) {
    ///     cx.cancellation().cancelled().await;
    ///     if !cx.is_leaving() {
    ///         stop_job(job).await;
    ///     }
    /// }
    /// # let cx = async_tool_runtime::testing::tool_context();
    /// # assert!(!cx.is_leaving());
    /// # drop(stop(&cx, "job 7"));
    /// ```
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.host().is_some_and(|host| host.is_leaving())
    }

    /// Leaves the task open until [`AsyncToolManager::resolve`](crate::manager::AsyncToolManager::resolve) completes it: from a webhook, by a
    /// person, by another process.
    ///
    /// Never returns: the function is dropped, and the task gives up its slot. No timeout applies except the task's own deadline and the
    /// [`total`](crate::policy::RetryPolicy::total) of its retries; [`defer_within`](Self::defer_within) sets a deadline. The number of such tasks is unlimited: they hold no slot and no queue
    /// position.
    ///
    /// Pass on the [task's id](Self::task) before this call. A `resolve` that comes earlier is kept.
    ///
    /// # Cancel safety
    ///
    /// The task is deferred from the first poll on; dropping the future doesn't take that back.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AsyncToolManager, SessionId, ToolCall, ToolContext};
    /// use serde_json::json;
    ///
    /// /// Orders a taxi.
    /// #[async_tool]
    /// async fn order_taxi(address: String, #[inject] cx: ToolContext) -> String {
    ///     println!("to {address}; the driver answers at /taxis/{}", cx.task());
    ///     cx.defer().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![order_taxi]).build()?;
    /// let call = ToolCall::new("call_1", "order_taxi", json!({"address": "Main Street 1"}));
    /// let task = manager.submit(&SessionId::new("example"), call)?;
    /// # while !task.snapshot().deferred { tokio::task::yield_now().await; }
    /// // In the handler of the webhook:
    /// manager.resolve(task.id(), "at 8 pm")?;
    /// assert_eq!(task.outcome().await.outcome.value(), Some(&json!("at 8 pm")));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn defer<T>(&self) -> T {
        self.set_deferred(None);
        std::future::pending().await
    }

    /// Leaves the task open, like [`defer`](Self::defer), for `limit` at most. If nothing completes it within that time, it fails with
    /// [`ToolErrorKind::Timeout`], and isn't tried again.
    ///
    /// The deadline is in the journal: it also holds after a restart, and a task whose deadline passed in between fails when its session is
    /// resumed. A `resolve` that comes later gets
    /// [`AlreadySettled`](crate::manager::ResolveError::AlreadySettled).
    ///
    /// # Cancel safety
    ///
    /// As of [`defer`](Self::defer).
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tools, AsyncToolManager, SessionId, ToolCall, ToolContext, ToolErrorKind};
    /// use serde_json::json;
    /// use std::time::Duration;
    ///
    /// /// Orders a taxi.
    /// #[async_tool]
    /// async fn order_taxi(address: String, #[inject] cx: ToolContext) -> String {
    ///     println!("to {address}; the driver answers at /taxis/{}", cx.task());
    ///     cx.defer_within(Duration::from_secs(600)).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![order_taxi]).build()?;
    /// let call = ToolCall::new("call_1", "order_taxi", json!({"address": "Main Street 1"}));
    /// let task = manager.submit(&SessionId::new("example"), call)?;
    /// // No driver answers.
    /// let result = task.outcome().await;
    /// assert_eq!(result.outcome.error().map(|error| error.kind()), Some(ToolErrorKind::Timeout));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn defer_within<T>(&self, limit: Duration) -> T {
        self.set_deferred(Some(limit));
        std::future::pending().await
    }

    /// Leaves the task open, like [`defer`](Self::defer), for blocking functions. The value that the function returns afterwards is ignored,
    /// so return the error: `return Err(cx.deferred())`.
    #[must_use = "return it; the function's value counts no more"]
    pub fn deferred(&self) -> ToolError {
        self.set_deferred(None)
    }

    /// Leaves the task open for `limit` at most, like [`defer_within`](Self::defer_within), for blocking functions: `return
    /// Err(cx.deferred_within(limit))`.
    #[must_use = "return it; the function's value counts no more"]
    pub fn deferred_within(&self, limit: Duration) -> ToolError {
        self.set_deferred(Some(limit))
    }

    fn set_deferred(&self, limit: Option<Duration>) -> ToolError {
        if let Some(host) = self.host() {
            Arc::clone(host).defer(limit);
        }
        ToolError::new(ToolErrorKind::Internal, "the task is completed from outside")
    }

    pub(super) fn states(&self) -> &StateMap {
        &self.0.states
    }

    pub(crate) fn host(&self) -> Option<&Arc<dyn ContextHost>> {
        self.0.host.as_ref()
    }

    /// Number of the next nested call.
    pub(crate) fn next_ordinal(&self) -> u32 {
        self.0.calls.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Debug for ToolContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolContext")
            .field("task", &self.task())
            .field("session", self.session())
            .field("attempt", &self.0.attempt)
            .finish_non_exhaustive()
    }
}
