//! Tools of a manager for a loop of rig's.

use std::{
    collections::BTreeMap,
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, SessionId, TaskHandle, TaskNo, ToolCall, ToolErrorKind,
    context::{Answer, AnswerContent, new_nonce},
    manager::SubmitError,
    model::ModelError,
    schema::Dialect,
    task::TaskSpec,
    tool::Background,
};
use rig_core::tool::{DynamicTool, ToolErrorKind as RigErrorKind, ToolExecutionError, ToolOutput};
use serde_json::{Value, json};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{LateResults, lower, offered};

/// The tools of a manager for one conversation of a rig agent that you drive yourself. Cheap to clone.
///
/// A call that ends within its grace is answered with its result. A slower one is answered with an acknowledgement, so that the model can go
/// on; [`next`](Self::next) then returns the result, once, for the next prompt.
///
/// ```
/// use async_tool_rig::{BackgroundTools, rig_agent::{AgentBuilder, core::{DynModel, operation::Completion}}};
/// use async_tool_runtime::{AsyncToolManager, SessionId, async_tool, tools};
///
/// /// Researches a topic.
/// #[async_tool(effect = "read")]
/// async fn research(topic: String) -> String {
///     format!("three sources agree on {topic}") // slow work
/// }
///
/// # async fn run(model: DynModel<Completion>) -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![research]).build()?;
/// let background = BackgroundTools::new(manager, SessionId::new("user-7"));
/// let agent = AgentBuilder::new(model).dynamic_tools(background.tools()?).default_max_turns(8).build();
///
/// let mut history = Vec::new();
/// let mut response = agent.prompt("What is known about bees?").await?;
/// println!("{}", response.output()); // the model has an acknowledgement
/// history.append(&mut response.messages);
/// while let Some(late) = background.next().await {
///     response = agent.prompt(late).history(history.clone()).await?;
///     println!("{}", response.output()); // the model has the result
///     history.append(&mut response.messages);
/// }
/// # Ok(())
/// # }
/// ```
///
/// This is the manager alone: there is no journal, and rig's run owns what it was answered. If a run fails after a call was answered in time,
/// that answer is lost with the run. [`RigAgent`](crate::RigAgent) and [`RigModel`](crate::RigModel) have all guarantees of an agent.
///
/// rig runs the calls of a turn one after another, each with its grace. Set
/// [`tool_concurrency`](rig_agent::AgentRunner::tool_concurrency) where models make many calls at once.
#[derive(Clone)]
pub struct BackgroundTools {
    shared: Arc<Shared>,
    grace: Duration,
    dialect: Dialect,
}

struct Shared {
    manager: AsyncToolManager,
    session: SessionId,
    /// Secret of the conversation in the tags around results.
    nonce: String,
    last_number: AtomicU32,
    /// Tasks whose calls were acknowledged, and whose results were not returned yet.
    late: Mutex<BTreeMap<TaskNo, TaskHandle>>,
    added: Notify,
}

impl BackgroundTools {
    /// Offers the tools of the manager to a conversation. Its tasks have this session as return address.
    #[must_use]
    pub fn new(manager: AsyncToolManager, session: SessionId) -> Self {
        Self {
            shared: Arc::new(Shared {
                manager,
                session,
                nonce: new_nonce(),
                last_number: AtomicU32::new(0),
                late: Mutex::default(),
                added: Notify::new(),
            }),
            grace: Duration::from_millis(250),
            dialect: Dialect::Plain,
        }
    }

    /// Sets the grace: how long a call waits for its result before it is acknowledged. Default: 250 ms. The options of a tool go before it:
    /// its own grace, and if it always or never runs in the background.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets the dialect of the tools' schemas. Default: [`Dialect::Plain`].
    #[must_use]
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The tools, for [`AgentBuilder::dynamic_tools`](rig_agent::AgentBuilder::dynamic_tools).
    ///
    /// # Errors
    ///
    /// The dialect can't express the schema of a tool.
    pub fn tools(&self) -> Result<Vec<DynamicTool>, ModelError> {
        let registry = self.shared.manager.registry();
        let definitions = registry.definitions().iter();
        definitions
            .map(|definition| {
                let offered = offered::definition(definition, self.dialect)?;
                let options = registry.find(&definition.name).map(|tool| tool.options());
                let grace = match options.map(|options| (options.background, options.grace)) {
                    Some((Background::Always, _)) => Some(Duration::ZERO),
                    Some((Background::Never, _)) => None,
                    Some((_, Some(grace))) => Some(grace),
                    _ => Some(self.grace),
                };
                let shared = Arc::clone(&self.shared);
                let name = Arc::clone(&definition.name);
                Ok(DynamicTool::new(
                    offered.name,
                    offered.description,
                    offered.parameters,
                    move |arguments| {
                        let (shared, name) = (Arc::clone(&shared), Arc::clone(&name));
                        Box::pin(async move { shared.call(name, arguments, grace).await })
                    },
                ))
            })
            .collect()
    }

    /// Waits for results of acknowledged calls, and returns all that are there; `None` if no such call is open.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn next(&self) -> Option<LateResults> {
        loop {
            let added = self.shared.added.notified();
            let open: Vec<TaskHandle> = self.shared.late().values().cloned().collect();
            if open.is_empty() {
                return None;
            }
            let results = self.shared.take_settled();
            if !results.is_empty() {
                return Some(LateResults::new(results, &self.shared.nonce));
            }
            tokio::select! {
                () = any_settled(&open) => {}
                () = added => {}
            }
        }
    }

    /// Number of acknowledged calls whose results [`next`](Self::next) has not returned yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.late().len()
    }
}

impl Shared {
    /// Runs a call: its result if it comes within the grace, an acknowledgement otherwise. Without a grace, its result.
    async fn call(
        self: Arc<Self>,
        tool: Arc<str>,
        arguments: Value,
        grace: Option<Duration>,
    ) -> Result<ToolOutput, ToolExecutionError> {
        let number = TaskNo::new(self.last_number.fetch_add(1, Ordering::Relaxed) + 1);
        let call = ToolCall::new(format!("call_{}", Uuid::new_v4().simple()), tool, arguments);
        let spec = TaskSpec::new(self.session.clone(), call).with_number(number);
        let task = self.manager.submit_task(spec).map_err(refused)?;
        let unanswered = Unanswered {
            shared: &self,
            number,
            task: Some(task.clone()),
        };
        let outcome = match grace {
            Some(grace) => tokio::time::timeout(grace, task.outcome()).await.ok(),
            None => Some(task.outcome().await),
        };
        match outcome {
            Some(result) => {
                unanswered.answered();
                answer(result)
            }
            None => Ok(ToolOutput::json(task.ack().to_model_json())),
        }
    }

    fn late(&self) -> MutexGuard<'_, BTreeMap<TaskNo, TaskHandle>> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_settled(&self) -> Vec<Arc<AsyncTaskResult>> {
        let settled = self
            .late()
            .extract_if(.., |_, task| task.result().is_some())
            .collect::<Vec<_>>();
        settled.into_iter().filter_map(|(_, task)| task.result()).collect()
    }
}

/// A call until its answer. Dropped without one, its result is late: also if rig drops the call's run.
struct Unanswered<'a> {
    shared: &'a Shared,
    number: TaskNo,
    task: Option<TaskHandle>,
}

impl Unanswered<'_> {
    fn answered(mut self) {
        self.task = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.shared.late().insert(self.number, task);
            self.shared.added.notify_waiters();
        }
    }
}

/// Waits for the end of any of these tasks.
async fn any_settled(tasks: &[TaskHandle]) {
    let mut waits: Vec<_> = tasks.iter().map(|task| Box::pin(task.outcome())).collect();
    poll_fn(|cx| {
        let is_settled = waits.iter_mut().any(|wait| pin!(wait).poll(cx).is_ready());
        if is_settled { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// The answer that a result is.
fn answer(result: Arc<AsyncTaskResult>) -> Result<ToolOutput, ToolExecutionError> {
    let answer = Answer::new(
        result.call.clone(),
        Arc::clone(&result.tool),
        AnswerContent::Result(Arc::clone(&result)),
    );
    let output = ToolOutput::one(lower::content(&answer));
    if result.outcome.is_completed() {
        return Ok(output);
    }
    let (kind, message, retryable) = match result.outcome.error() {
        Some(error) => (kind_of(error.kind()), error.message().to_owned(), error.retryable()),
        None => (
            RigErrorKind::Cancelled,
            format!("`{}` was cancelled", result.tool),
            false,
        ),
    };
    Err(ToolExecutionError::new(kind, message)
        .with_retryable(retryable)
        .with_model_output(output))
}

/// The answer to a call that was not accepted.
fn refused(error: SubmitError) -> ToolExecutionError {
    let error = error.error();
    let shown =
        json!({"error": {"kind": error.kind(), "message": error.model_message(), "retryable": error.retryable()}});
    ToolExecutionError::new(kind_of(error.kind()), error.message())
        .with_retryable(error.retryable())
        .with_model_output(ToolOutput::json(shown))
}

fn kind_of(kind: ToolErrorKind) -> RigErrorKind {
    match kind {
        ToolErrorKind::InvalidArguments => RigErrorKind::InvalidArgs,
        ToolErrorKind::UnknownTool => RigErrorKind::NotFound,
        ToolErrorKind::Timeout => RigErrorKind::Timeout,
        ToolErrorKind::Refused => RigErrorKind::PermissionDenied,
        ToolErrorKind::Overloaded => RigErrorKind::RateLimited,
        ToolErrorKind::Cancelled => RigErrorKind::Cancelled,
        _ => RigErrorKind::Other,
    }
}

impl fmt::Debug for BackgroundTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundTools")
            .field("session", &self.shared.session)
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}
