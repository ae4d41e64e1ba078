//! Execution of tasks on this machine.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{TaskCell, Traces, worker_settings::WorkerSettings};
use crate::{
    clock::{Clock, Timestamp},
    manager::layers::{LayersByTool, ToolLayers, ToolRequest, past_deadline, too_late},
    task::{TaskOutcome, TaskSpec},
    tool::{Arguments, BoundCall, Constraints, ToolError, ToolErrorKind, ToolRegistry, shorten},
};

/// Runner of tasks on this machine. It finds the tool by name, binds the arguments, runs the function under its
/// breaker, retries and timeout, and returns the outcome.
///
/// The manager uses an executor for tasks in its own process. A worker of a [`Backend`](crate::backend::Backend) gets
/// the same executor from [`AsyncToolManager::executor`](crate::manager::AsyncToolManager::executor). Cheap to clone.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, CancellationToken, SessionId, TaskOutcome, ToolCall, async_tool, tools};
/// use async_tool_runtime::task::TaskSpec;
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
/// // On a worker; the engine has handed it the task as data, and has seen no start of it.
/// let task = TaskSpec::new(SessionId::new("example"), ToolCall::new("call_1", "add", json!({"a": 2, "b": 3})));
/// let executor = AsyncToolManager::builder().tools(tools![add]).build()?.executor().clone();
/// let end = executor.execute(&task, 0, CancellationToken::new()).await?;
/// assert_eq!(end.outcome, TaskOutcome::Completed(json!(5)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Executor {
    parts: Arc<Parts>,
    pub(super) worker: WorkerSettings,
}

#[derive(Debug)]
struct Parts {
    registry: ToolRegistry,
    all_layers: LayersByTool,
    stop_timeout: Duration,
    clock: Clock,
    traces: Traces,
}

impl Executor {
    pub(crate) fn new(
        registry: ToolRegistry,
        all_layers: LayersByTool,
        stop_timeout: Duration,
        clock: Clock,
        traces: Traces,
    ) -> Self {
        let parts = Parts {
            registry,
            all_layers,
            stop_timeout,
            clock,
            traces,
        };
        Self {
            parts: Arc::new(parts),
            worker: WorkerSettings::default(),
        }
    }

    /// Registry of the tools that it can run.
    #[must_use]
    pub fn registry(&self) -> &ToolRegistry {
        &self.parts.registry
    }

    /// Checks a call: the tool exists, and the arguments fit.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, ToolErrorKind, async_tool, tools};
    /// # use serde_json::json;
    /// #
    /// # /// Adds two numbers.
    /// # #[async_tool(effect = "read")]
    /// # fn add(a: i64, b: i64) -> i64 {
    /// #     a + b
    /// # }
    /// #
    /// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
    /// let executor = manager.executor();
    /// assert!(executor.bind("add", &json!({"a": 2, "b": 3}).into()).is_ok());
    /// let error = executor.bind("add", &json!({"a": 2}).into()).err().expect("`b` is missing");
    /// assert_eq!(error.kind(), ToolErrorKind::InvalidArguments);
    /// # Ok::<(), async_tool_runtime::manager::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::UnknownTool`] or [`ToolErrorKind::InvalidArguments`], with a message that the model can act on.
    pub fn bind(&self, name: &str, arguments: &Arguments) -> Result<BoundCall, ToolError> {
        self.layers(name)?.attempt.bind(arguments)
    }

    /// Runs a bound call that has a slot.
    pub(crate) async fn run(
        &self,
        layers: &ToolLayers,
        cell: &Arc<TaskCell>,
        call: BoundCall,
    ) -> Result<Value, ToolError> {
        let deadline = self.deadline(&cell.spec);
        let Some(inner) = &layers.inner else {
            return layers.attempt.begin(cell, call, deadline).await;
        };
        let request = ToolRequest::new(Arc::clone(cell), Some(call), deadline);
        tokio::select! {
            biased;
            result = inner.run(request) => result,
            // A layer of the host's may wait forever.
            () = too_late(cell, deadline, self.parts.stop_timeout) => Err(past_deadline()),
        }
    }

    pub(crate) fn layers(&self, name: &str) -> Result<&Arc<ToolLayers>, ToolError> {
        self.parts.all_layers.get(name).ok_or_else(|| {
            let mut message = format!("there is no tool named `{}`", shorten(name, 64));
            if let Some(nearest) = self.parts.registry.nearest(name) {
                message.push_str(&format!("; did you mean `{nearest}`?"));
            }
            ToolError::new(ToolErrorKind::UnknownTool, message)
        })
    }

    pub(crate) fn all_layers(&self) -> &LayersByTool {
        &self.parts.all_layers
    }

    /// Checks that a value from elsewhere could be a result of the tool.
    pub(super) fn check_result(&self, tool: &str, value: &Value) -> Result<(), String> {
        let tool = self.registry().find(tool);
        let schema = tool.and_then(|tool| tool.definition().output_schema.as_deref());
        schema.map_or(Ok(()), |schema| Constraints::of(schema).check_all(schema, value))
    }

    pub(super) fn traces(&self) -> &Traces {
        &self.parts.traces
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(crate) fn stop_timeout(&self) -> Duration {
        self.parts.stop_timeout
    }

    /// Deadline of a task, if it has one.
    pub(crate) fn deadline(&self, task: &TaskSpec) -> Option<Instant> {
        let left = task.deadline?.since(self.parts.clock.now());
        Instant::now().checked_add(left)
    }
}

/// Outcome of a task from the result of its call.
pub(crate) fn outcome_of(result: Result<Value, ToolError>, cell: &TaskCell) -> TaskOutcome {
    match result {
        Ok(value) => TaskOutcome::Completed(value),
        Err(error) => match error.kind() {
            // An error of kind `Cancelled` from the tool alone doesn't cancel the task.
            ToolErrorKind::Cancelled if cell.is_cancelled() => TaskOutcome::Cancelled(error.model_message().to_owned()),
            ToolErrorKind::Unknown => TaskOutcome::Unknown(error.model_message().to_owned()),
            _ => TaskOutcome::Failed(error),
        },
    }
}
