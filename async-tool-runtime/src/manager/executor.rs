//! Execution of tasks on this machine.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use super::TaskCell;
use crate::{
    clock::Clock,
    manager::layers::{LayersByTool, ToolLayers, ToolRequest, past_deadline, too_late},
    task::{TaskOutcome, TaskSpec},
    tool::{Arguments, BoundCall, CancellationToken, ToolError, ToolErrorKind, ToolRegistry, shorten},
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
/// // On a worker; the engine has handed it the task as data.
/// let task = TaskSpec::new(SessionId::new("example"), ToolCall::new("call_1", "add", json!({"a": 2, "b": 3})));
/// let executor = AsyncToolManager::builder().tools(tools![add]).build()?.executor().clone();
/// let outcome = executor.execute(&task, CancellationToken::new()).await;
/// assert_eq!(outcome, TaskOutcome::Completed(json!(5)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Executor(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    registry: ToolRegistry,
    all_layers: LayersByTool,
    stop_timeout: Duration,
    clock: Clock,
}

impl Executor {
    pub(crate) fn new(registry: ToolRegistry, all_layers: LayersByTool, stop_timeout: Duration, clock: Clock) -> Self {
        Self(Arc::new(Parts {
            registry,
            all_layers,
            stop_timeout,
            clock,
        }))
    }

    /// Registry of the tools that it can run.
    #[must_use]
    pub fn registry(&self) -> &ToolRegistry {
        &self.0.registry
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

    /// Binds a task's arguments and runs the task to its end. If `cancellation` fires, the tool has the manager's
    /// stop timeout to end by itself, and is then dropped.
    ///
    /// A tool that runs on a worker can't submit tasks, ask for input, or be completed from outside.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the tool's future. A blocking function runs to its end on its own thread, and its
    /// value is lost.
    pub async fn execute(&self, task: &TaskSpec, cancellation: CancellationToken) -> TaskOutcome {
        let bound = self.layers(&task.call.name).and_then(|layers| {
            let call = layers.attempt.bind(&task.call.arguments)?;
            Ok((Arc::clone(layers), call))
        });
        let (layers, call) = match bound {
            Ok(bound) => bound,
            Err(error) => return TaskOutcome::Failed(error),
        };
        let accepted = self.0.clock.now();
        let cell = TaskCell::with_cancellation(
            task.clone(),
            accepted,
            Some(Arc::clone(&layers)),
            Weak::new(),
            cancellation,
        );
        let result = self.run(&layers, &cell, call).await;
        outcome_of(result, &cell)
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
            return layers.attempt.run(cell, call, deadline).await;
        };
        let request = ToolRequest::new(Arc::clone(cell), Some(call), deadline);
        tokio::select! {
            biased;
            result = inner.run(request) => result,
            // A layer of the host's may wait forever.
            () = too_late(cell, deadline, self.0.stop_timeout) => Err(past_deadline()),
        }
    }

    pub(crate) fn layers(&self, name: &str) -> Result<&Arc<ToolLayers>, ToolError> {
        self.0.all_layers.get(name).ok_or_else(|| {
            let mut message = format!("there is no tool named `{}`", shorten(name, 64));
            if let Some(nearest) = self.0.registry.nearest(name) {
                message.push_str(&format!("; did you mean `{nearest}`?"));
            }
            ToolError::new(ToolErrorKind::UnknownTool, message)
        })
    }

    pub(crate) fn all_layers(&self) -> &LayersByTool {
        &self.0.all_layers
    }

    pub(crate) fn stop_timeout(&self) -> Duration {
        self.0.stop_timeout
    }

    /// Deadline of a task, if it has one.
    pub(crate) fn deadline(&self, task: &TaskSpec) -> Option<Instant> {
        let left = task.deadline?.since(self.0.clock.now());
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
