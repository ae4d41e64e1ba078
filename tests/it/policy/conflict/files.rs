//! Tools that read and write files.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, TaskHandle, ToolContext, ToolDefinition, ToolError,
    manager::AsyncToolManagerBuilder, tool::BoundCall,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::quick;

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": {"type": ["string", "null"]},
            "other": {},
            "paths": {"type": "array"},
            "place": {"type": "string", "default": "home"},
            "millis": {"type": "integer"},
        },
    })
}

/// A tool with the schema above that passes its arguments to `run`.
pub(super) fn tool_of<F, Fut>(name: &str, run: F) -> FunctionTool
where
    F: Fn(Value, ToolContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    FunctionTool::from_parts(ToolDefinition::new(name, "A tool.", schema()), move |arguments| {
        let (run, arguments) = (run.clone(), arguments.value().clone());
        Ok(BoundCall::future(move |cx| run(arguments, cx)))
    })
}

/// A tool that takes as long as its arguments say, or a second.
pub(super) fn work(name: &str) -> FunctionTool {
    tool_of(name, |arguments, _| async move {
        sleep(millis(arguments["millis"].as_u64().unwrap_or(1000))).await;
        Ok(json!("done"))
    })
}

pub(super) fn builder() -> AsyncToolManagerBuilder {
    AsyncToolManager::builder()
        .tool(work("read").effect(Effect::Read).reads("path"))
        .tool(work("write").writes("path"))
        .tool(quick())
}

pub(super) fn on(path: &str) -> Value {
    json!({ "path": path })
}

/// Start and end of each task, in seconds after its submission.
pub(super) async fn seconds(tasks: &[TaskHandle]) -> Vec<(u64, u64)> {
    let mut all = Vec::new();
    for task in tasks {
        let result = task.outcome().await;
        let of_start = result.timing.queued().as_secs();
        all.push((of_start, of_start + result.timing.running().as_secs()));
    }
    all
}
