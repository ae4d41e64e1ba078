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

/// Carries out tasks: finds the tool by name, binds the arguments, runs the function with the policies that belong to it (breaker,
/// retries, timeout), and turns whatever happens into an outcome.
///
/// The manager uses one for tasks in its own process; a worker of a [`Backend`](crate::backend::Backend) gets the same one from
/// [`AsyncToolManager::executor`](crate::manager::AsyncToolManager::executor). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Executor(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    registry: ToolRegistry,
    all_layers: LayersByTool,
    cancel_grace: Duration,
    clock: Clock,
}

impl Executor {
    pub(crate) fn new(registry: ToolRegistry, all_layers: LayersByTool, cancel_grace: Duration, clock: Clock) -> Self {
        Self(Arc::new(Parts {
            registry,
            all_layers,
            cancel_grace,
            clock,
        }))
    }

    /// The tools it can run.
    #[must_use]
    pub fn registry(&self) -> &ToolRegistry {
        &self.0.registry
    }

    /// Checks a call: the tool exists, and the arguments fit.
    ///
    /// # Errors
    ///
    /// [`ToolErrorKind::UnknownTool`] or [`ToolErrorKind::InvalidArguments`], with a message that the model can act on.
    pub fn bind(&self, name: &str, arguments: &Arguments) -> Result<BoundCall, ToolError> {
        self.layers(name)?.attempt.bind(arguments)
    }

    /// Binds a task's arguments and runs it to its end. Firing `cancellation` stops it: the tool has the manager's cancel grace to
    /// end by itself, and is then dropped.
    ///
    /// A tool that runs like this, on a worker, can't submit tasks, ask people, or be completed from outside.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the tool's future. A blocking function goes on to its end on its own thread, and its value is
    /// lost.
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
            // A layer of the host's may wait without end.
            () = too_late(cell, deadline, self.0.cancel_grace) => Err(past_deadline()),
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

    pub(crate) fn cancel_grace(&self) -> Duration {
        self.0.cancel_grace
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
            // What a tool says of itself is no cancellation of its task.
            ToolErrorKind::Cancelled if cell.is_cancelled() => TaskOutcome::Cancelled(error.model_message().to_owned()),
            ToolErrorKind::Unknown => TaskOutcome::Unknown(error.model_message().to_owned()),
            _ => TaskOutcome::Failed(error),
        },
    }
}
