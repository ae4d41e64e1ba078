//! Calls of tools, submitted without an agent.

use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, SessionId, TaskHandle, ToolCall, ToolError, ToolErrorKind, task::TaskSpec,
};
use serde_json::{Value, json};

pub(crate) fn session() -> SessionId {
    SessionId::new("s")
}

pub(crate) fn call(tool: &str, arguments: Value) -> ToolCall {
    ToolCall::new("call_1", tool, arguments)
}

/// A call of the tool of `Gates`, held by this gate.
pub(crate) fn gate(name: &str) -> ToolCall {
    call("gate", json!({"name": name}))
}

pub(crate) fn spec(tool: &str) -> TaskSpec {
    TaskSpec::new(session(), call(tool, json!({})))
}

/// Submits a call without arguments.
pub(crate) fn start(manager: &AsyncToolManager, tool: &str) -> TaskHandle {
    start_with(manager, tool, json!({}))
}

pub(crate) fn start_with(manager: &AsyncToolManager, tool: &str, arguments: Value) -> TaskHandle {
    start_in(manager, "s", tool, arguments)
}

pub(crate) fn start_in(manager: &AsyncToolManager, session: &str, tool: &str, arguments: Value) -> TaskHandle {
    let spec = TaskSpec::new(SessionId::new(session), call(tool, arguments));
    manager.submit_task(spec).unwrap()
}

pub(crate) fn kind(result: &AsyncTaskResult) -> Option<ToolErrorKind> {
    result.outcome.error().map(ToolError::kind)
}
