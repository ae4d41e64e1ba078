//! Tools and calls that can't run on a backend.

use crate::{
    manager::remote_engine::Remote,
    task::{TaskSpec, json_bytes},
    tool::{RegistryError, ToolError, ToolErrorKind, ToolRegistry},
};

/// Field that a span adds to a task, in version 00 of W3C's format.
const TRACEPARENT: &str = r#""traceparent":"00-00000000000000000000000000000000-0000000000000000-00","#;

/// Checks that all tools can run on a worker, as far as they say so.
pub(in crate::manager) fn check(registry: &ToolRegistry) -> Result<(), RegistryError> {
    for definition in registry.definitions().iter() {
        let Some(tool) = registry.find(&definition.name) else {
            continue;
        };
        let problem = if tool.options().external {
            "is `external`, and a task on a backend can't be left open for the outside by its function; run the tool in this process, or let it wait for the outside itself"
        } else if tool.needs_manager() {
            "needs the manager of its calls, as an agent does, and a worker of a backend has none for them; run the tool in this process"
        } else {
            continue;
        };
        return Err(RegistryError::new(&definition.name, problem.to_owned()));
    }
    Ok(())
}

impl Remote {
    /// Error for a task that the engine can't carry. A traced task is sent with the `traceparent` of its own span.
    pub(in crate::manager) fn refusal(&self, task: &TaskSpec, is_traced: bool) -> Option<ToolError> {
        let most = self.capabilities.max_payload?;
        let added = match is_traced && task.traceparent.is_none() {
            true => TRACEPARENT.len(),
            false => 0,
        };
        let bytes = json_bytes(task)?.saturating_add(added);
        if bytes <= most {
            return None;
        }
        let error = ToolError::new(
            ToolErrorKind::InvalidArguments,
            format!(
                "the call takes {bytes} bytes as JSON, and the system that runs the tool carries at most {most} bytes; pass less, such as the name of a file in place of its text"
            ),
        );
        Some(error.with_retryable(false))
    }
}
