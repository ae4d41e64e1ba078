//! What a tool knows of the task it carries out.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    CancellationToken, Messages, Progress, ToolError, ToolErrorKind,
    host::{Suspension, TaskHost},
};
use crate::{
    CallId, ChildTask, IdempotencyKey, InputRequest, SessionId, TaskId, TaskNo, ToolCall,
    policy::canonical,
    task::{Question, TaskCell},
};

/// What a tool knows of the task it carries out, and what it can ask for: `#[inject] cx: ToolContext`.
///
/// Cheap to clone.
#[derive(Clone)]
pub struct ToolContext(Arc<TaskContext>);

/// The parts of a context, filled in by whoever runs the task.
pub(crate) struct TaskContext {
    pub(crate) cell: Arc<TaskCell>,
    pub(crate) attempt: u32,
    pub(crate) deadline: Option<Instant>,
    /// Who runs the task, where that is a manager.
    pub(crate) host: Option<Arc<dyn TaskHost>>,
    /// How many calls the attempt has made below it.
    pub(crate) calls: AtomicU32,
    /// The tool's own token, made when it is asked for: what the tool cancels for its helpers' sake is no cancellation of the
    /// task.
    pub(crate) token: OnceLock<CancellationToken>,
}

impl ToolContext {
    pub(crate) fn new(parts: TaskContext) -> Self {
        Self(Arc::new(parts))
    }

    /// The task that is being carried out. Where calls share one run, it is the first one's.
    #[must_use]
    pub fn task(&self) -> TaskId {
        self.0.cell.spec.task
    }

    /// The number of the task in its session, where it has one.
    #[must_use]
    pub fn number(&self) -> Option<TaskNo> {
        self.0.cell.spec.number
    }

    /// The conversation that asked.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.0.cell.spec.session
    }

    /// The provider's name for the call.
    #[must_use]
    pub fn call(&self) -> &CallId {
        &self.0.cell.spec.call.id
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
        let spec = &self.0.cell.spec;
        spec.idempotency_key.unwrap_or(IdempotencyKey::new(spec.task))
    }

    /// The signal to stop.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        self.0.token.get_or_init(|| self.0.cell.cancellation().child())
    }

    /// Whether the task has been told to stop. Blocking tools ask this between steps.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation().is_cancelled()
    }

    /// Whether anybody has ever looked for the signal to stop.
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

    /// Says how far the task has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::new(self.clone())
    }

    /// What is said to the task while it runs.
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages::new(self.clone())
    }

    /// The host's value of type `T`, if one is registered.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.cell.path.as_ref()?.attempt.states().find()
    }

    /// Calls another tool of the manager and waits for its value, read as a `T`; [`Value`] takes any. The call is a task of its own, below this one: it has the policies
    /// of its tool, and its result comes here and not to the model.
    ///
    /// If this task is tried again, a call that it makes again (as the same of its calls, with the same arguments) has the same
    /// [idempotency key](Self::idempotency_key) again.
    ///
    /// While this waits, the task gives its slot away, so that tasks that wait for each other can't fill the manager. Run calls side by
    /// side with `tokio::join!`.
    ///
    /// # Errors
    ///
    /// The tool's error; also if there is no such tool, the arguments don't fit, the manager is full, or the task runs outside of a manager.
    ///
    /// It says what became of the call, also whether that [was started](ToolError::not_started). A tool that returns it as its own error
    /// doesn't say by that that it has itself done nothing; see [`ToolError::with_not_started`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the call, and this task goes on at once, [whether there is a slot or not](crate::AsyncToolManagerBuilder::concurrency).
    pub async fn call_tool<T: DeserializeOwned>(&self, name: &str, arguments: impl Serialize) -> Result<T, ToolError> {
        self.submit_tool(name, arguments)?.value().await
    }

    /// Submits a call of another tool, and goes on. The task below ends with this one at the latest: when the [`ChildTask`] is dropped or
    /// this task ends, it is cancelled, unless it has been [detached](ChildTask::detach).
    ///
    /// # Errors
    ///
    /// As for [`call_tool`](Self::call_tool), except the tool's own; [`ToolErrorKind::Cancelled`] if this task has ended: what has kept
    /// its context can start nothing more.
    pub fn submit_tool(&self, name: &str, arguments: impl Serialize) -> Result<ChildTask, ToolError> {
        let host = self.host()?;
        let cell = &self.0.cell;
        let arguments = serde_json::to_value(arguments).map_err(|error| {
            ToolError::from_error(error)
                .with_kind(ToolErrorKind::Internal)
                .with_model_message("the arguments of a call below can't be written as JSON")
        })?;
        let ordinal = self.0.calls.fetch_add(1, Ordering::Relaxed);
        let key = self.idempotency_key().below(ordinal, name, &canonical(&arguments));
        let call = ToolCall::new(self.call().clone(), name, arguments);
        let child = Arc::clone(host).submit_child(cell, call, key);
        let child = child.map_err(|refused| {
            let (call, error) = refused.into_parts();
            error.of_call(&call.name)
        })?;
        Ok(ChildTask::new(child, Arc::clone(cell), Arc::clone(host)))
    }

    /// Asks people, through the host, and waits for the answer: a value that fits `schema`, a JSON Schema. The task is in
    /// [`TaskStatus::InputRequired`](crate::TaskStatus::InputRequired) until then and holds no slot; the timeout of its tool stands still.
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
        let request = InputRequest::Input {
            prompt: prompt.into(),
            schema: schema.into(),
        };
        ask(self.host()?, &self.0.cell, request).await
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

    /// Leaves the task to be completed later, by [`AsyncToolManager::resolve`](crate::AsyncToolManager::resolve): from a webhook, by
    /// a person, by another process. Never returns: the function is dropped, the task gives its slot away and stays open, without a
    /// timeout but the task's own deadline and the [`total`](crate::RetryPolicy::total) of its retries.
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
        let cell = &self.0.cell;
        cell.defer();
        if let Some(host) = &self.0.host {
            host.deferred(cell);
            host.leave(cell);
        }
    }

    pub(crate) fn cell(&self) -> &Arc<TaskCell> {
        &self.0.cell
    }

    pub(crate) fn find_host(&self) -> Option<&Arc<dyn TaskHost>> {
        self.0.host.as_ref()
    }

    pub(crate) fn host(&self) -> Result<&Arc<dyn TaskHost>, ToolError> {
        self.0.host.as_ref().ok_or_else(|| {
            ToolError::new(ToolErrorKind::Internal, "the task runs outside of a manager")
                .with_model_message("the tool can't do that here")
        })
    }
}

/// Asks, and waits without a slot for the answer.
pub(crate) async fn ask(
    host: &Arc<dyn TaskHost>,
    cell: &Arc<TaskCell>,
    request: InputRequest,
) -> Result<Value, ToolError> {
    /// Withdraws the question when the one who asked is gone.
    struct Asking<'a>(&'a Arc<dyn TaskHost>, &'a Arc<TaskCell>, Question);

    impl Drop for Asking<'_> {
        fn drop(&mut self) {
            self.1.stop_asking(self.2);
            self.0.asked(self.1);
        }
    }

    let suspension = Suspension::begin(Arc::clone(host), Arc::clone(cell));
    let (question, answered) = cell.ask(request);
    let asking = Asking(host, cell, question);
    host.asked(cell);
    let answer = answered.await;
    drop(asking);
    // Otherwise a process that takes over would find it asking, and believe that it has done nothing since.
    Arc::clone(host).written(Arc::clone(cell)).await?;
    suspension.end().await;
    answer.unwrap_or_else(|_| {
        Err(ToolError::new(
            ToolErrorKind::Refused,
            "another question has taken the place of this one",
        ))
    })
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
