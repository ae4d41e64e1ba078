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

use super::{CallId, CancellationToken, IdempotencyKey, ProgressReport, StateMap, ToolError, ToolErrorKind};
use crate::{
    future::BoxFuture,
    id::{TaskId, TaskNo},
    session::SessionId,
};

/// Handle to the running task: ids, deadline, cancellation, progress, messages, questions, nested calls. Taken with
/// `#[inject] cx: ToolContext`.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct ToolContext(Arc<TaskContext>);

/// Facts of one attempt, and the task's way to its manager.
pub(crate) struct TaskContext {
    pub(crate) task: TaskId,
    pub(crate) number: Option<TaskNo>,
    pub(crate) session: SessionId,
    pub(crate) call: CallId,
    pub(crate) idempotency_key: IdempotencyKey,
    pub(crate) attempt: u32,
    pub(crate) deadline: Option<Instant>,
    pub(crate) states: Arc<StateMap>,
    /// The task's signal to stop.
    pub(crate) cancellation: CancellationToken,
    /// The tool's own token, a child of it, made when the tool asks: a tool may stop its helpers without cancelling its task.
    pub(crate) token: OnceLock<CancellationToken>,
    /// Nested calls that the attempt has made.
    pub(crate) calls: AtomicU32,
    /// The running task; `None` in a unit test.
    pub(crate) host: Option<Arc<dyn ContextHost>>,
}

/// Requests of a tool to its running task. Implemented by the manager's record, so that tools can be used without a manager.
pub(crate) trait ContextHost: Send + Sync {
    /// Publishes progress.
    fn report(self: Arc<Self>, report: ProgressReport);

    /// The next message, if one is there.
    fn take_message(&self) -> Option<String>;

    /// Waits for the next message; `None` if none can come any more.
    fn next_message(&self) -> BoxFuture<'_, Option<String>>;

    /// Asks people, and waits for the answer.
    fn request_input(
        self: Arc<Self>,
        prompt: String,
        schema: Arc<Value>,
    ) -> BoxFuture<'static, Result<Value, ToolError>>;

    /// Leaves the task to be completed from outside.
    fn defer(self: Arc<Self>);

    /// The implementor, for layers above that know its type.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// The error of what only a manager can do.
pub(crate) fn outside_of_a_manager() -> ToolError {
    ToolError::new(ToolErrorKind::Internal, "the task runs outside of a manager")
        .with_model_message("the tool can't do that here")
}

impl ToolContext {
    pub(crate) fn new(parts: TaskContext) -> Self {
        Self(Arc::new(parts))
    }

    /// The task that is being carried out. Where calls share one run, it is the first one's.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.0.task
    }

    /// The number of the task in its session, where it has one.
    #[must_use]
    pub fn number(&self) -> Option<TaskNo> {
        self.0.number
    }

    /// The conversation that asked.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.0.session
    }

    /// The provider's name for the call.
    #[must_use]
    pub fn call(&self) -> &CallId {
        &self.0.call
    }

    /// Which attempt this is; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// A key that is the same on every attempt of this task, and for no other task; of a task below another also on every attempt of
    /// that one.
    #[must_use]
    pub fn idempotency_key(&self) -> IdempotencyKey {
        self.0.idempotency_key
    }

    /// The signal to stop.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.0.token.get_or_init(|| self.0.cancellation.child())
    }

    /// Whether the task has been told to stop. Blocking tools ask this between steps.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation().is_cancelled()
    }

    /// True if the tool has ever asked for its signal to stop.
    pub(crate) fn is_listening(&self) -> bool {
        self.0.token.get().is_some()
    }

    /// When the attempt times out, if it does. While the task waits for an [answer](Self::request_input), its own timeout stands
    /// still, and this moment moves on.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// How long the attempt has until it times out, if it does.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Asks people, through the host, and waits for the answer: a value that fits `schema`, a JSON Schema. The task is in
    /// [`TaskStatus::InputRequired`](crate::task::TaskStatus::InputRequired) until then and holds no slot; the timeout of its tool stands still.
    /// One question at a time: a second one, asked while the first is open, takes its place.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::Refused`] if the host won't answer, [`ToolErrorKind::Internal`] outside of a manager.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future withdraws the question. That it was withdrawn is not waited to be written down, as an answer is: if the process ends
    /// in that moment, the task may be found still asking.
    pub async fn request_input(
        &self,
        prompt: impl Into<String>,
        schema: impl Into<Arc<Value>>,
    ) -> Result<Value, ToolError> {
        let host = self.host().cloned().ok_or_else(outside_of_a_manager)?;
        host.request_input(prompt.into(), schema.into()).await
    }

    /// Like [`request_input`](Self::request_input), with the schema of a type, and the answer as a value of it.
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

    /// Leaves the task to be completed later, by [`AsyncToolManager::resolve`](crate::manager::AsyncToolManager::resolve): from a webhook, by
    /// a person, by another process. Never returns: the function is dropped, the task gives its slot away and stays open, without a
    /// timeout but the task's own deadline and the [`total`](crate::policy::RetryPolicy::total) of its retries.
    ///
    /// Nothing bounds how many tasks wait like this: they hold no slot, and no place in the queue. Hand the [task's id](Self::task) to whoever will complete it before. A resolve that comes first is kept.
    pub async fn defer<T>(&self) -> T {
        self.set_deferred();
        std::future::pending().await
    }

    /// Like [`defer`](Self::defer), for blocking functions: whatever the function returns after this is no result. The error is there
    /// to be returned: `return Err(cx.deferred())`.
    #[must_use = "return it; the function's value counts no more"]
    pub fn deferred(&self) -> ToolError {
        self.set_deferred();
        ToolError::new(ToolErrorKind::Internal, "the task is completed from outside")
    }

    fn set_deferred(&self) {
        if let Some(host) = self.host() {
            Arc::clone(host).defer();
        }
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
