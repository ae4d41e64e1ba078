//! Arguments as models write them: under other names, values in strings, durations, types of other crates, and the errors for the rest.

mod aliases;
mod crates;
mod durations;
mod errors;
mod in_strings;

use async_tool_runtime::{AsyncToolManager, FunctionTool, SessionId, TaskOutcome, Tool, ToolCall, tool::Arguments};
use serde_json::Value;

/// Result of a call, or the error that the model reads.
fn call(tool: FunctionTool, arguments: impl Into<Arguments>) -> Result<Value, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let name = tool.definition().name.clone();
    let manager = AsyncToolManager::builder().tool(tool).build().unwrap();
    runtime.block_on(async {
        let call = ToolCall::new("call_1", &*name, arguments);
        let task = manager
            .submit(&SessionId::new("s"), call)
            .map_err(|refusal| refusal.error().model_message().to_owned())?;
        match &task.outcome().await.outcome {
            TaskOutcome::Completed(value) => Ok(value.clone()),
            other => panic!("{other:?}"),
        }
    })
}
