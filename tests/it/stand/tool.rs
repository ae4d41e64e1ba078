//! Tools made of closures.

use std::time::Duration;

use async_tool_runtime::{
    FunctionTool, ToolContext, ToolDefinition, ToolError, ToolErrorKind, policy::Dedupe, tool::BoundCall,
};
use serde_json::{Value, json};

pub(crate) type Output = Result<Value, ToolError>;

/// A tool that takes any object and passes it to `run`.
pub(crate) fn tool_of<F, Fut>(name: &str, run: F) -> FunctionTool
where
    F: Fn(Value, ToolContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Output> + Send + 'static,
{
    FunctionTool::from_parts(definition(name), move |arguments| {
        let (run, arguments) = (run.clone(), arguments.value().clone());
        Ok(BoundCall::future(move |cx| run(arguments, cx)))
    })
    // Most tests make equal calls and count their tasks.
    .dedupe(Dedupe::Allow)
}

/// A tool that ignores its arguments.
pub(crate) fn tool<F, Fut>(name: &str, run: F) -> FunctionTool
where
    F: Fn(ToolContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Output> + Send + 'static,
{
    tool_of(name, move |_, cx| run(cx))
}

/// A tool whose function blocks its thread.
pub(crate) fn blocking<F>(name: &str, run: F) -> FunctionTool
where
    F: Fn(ToolContext) -> Output + Clone + Send + Sync + 'static,
{
    FunctionTool::from_parts(definition(name), move |_| {
        let run = run.clone();
        Ok(BoundCall::blocking(run))
    })
    .dedupe(Dedupe::Allow)
}

/// A tool that ends at once.
pub(crate) fn quick() -> FunctionTool {
    tool("quick", |_| async { Ok(json!("done")) })
}

fn definition(name: &str) -> ToolDefinition {
    ToolDefinition::new(name, "A tool.", json!({"type": "object"}))
}

/// A tool that sleeps for its argument `ms`, then returns `value`, or fails with the text of `fail`.
pub(crate) fn timed(name: &str) -> FunctionTool {
    tool_of(name, |arguments, _| async move {
        tokio::time::sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0))).await;
        match arguments["fail"].as_str() {
            Some(why) => Err(ToolError::failed(why)),
            None => Ok(arguments["value"].clone()),
        }
    })
}

/// The error of a tool whose service is down; retries and breakers count it.
pub(crate) fn unavailable() -> ToolError {
    ToolError::new(ToolErrorKind::Unavailable, "down")
}
