//! Backends that run tasks elsewhere, on the agent's side.

mod deadlines;
mod heartbeats;
mod limits;
mod outages;
mod panics;
mod stops;

use async_tool_runtime::{AsyncToolManager, FunctionTool, TaskHandle, ToolError, ToolErrorKind, tool::Effect};

use crate::stand::{StubBackend, spec, tool};

/// A tool of this effect; on a stub, its function never runs.
fn distant(effect: Effect) -> FunctionTool {
    tool("distant", |_| std::future::pending()).effect(effect)
}

/// A manager with the tool [`distant`] on this backend.
fn on(backend: &StubBackend, effect: Effect) -> AsyncToolManager {
    let builder = AsyncToolManager::builder().tool(distant(effect));
    builder.backend(backend.clone()).build().unwrap()
}

/// Submits a call of [`distant`].
fn start_on(backend: &StubBackend, effect: Effect) -> TaskHandle {
    on(backend, effect).submit_task(spec("distant")).unwrap()
}

/// Kind of a task's failure, once it has ended.
async fn failure(task: &TaskHandle) -> Option<ToolErrorKind> {
    task.outcome().await.outcome.error().map(ToolError::kind)
}
