//! Execution of an engine's tasks on a worker.

mod link;
mod lost_workers;
mod outcomes;
mod stops;

use async_tool_runtime::{
    CancellationToken, FunctionTool,
    backend::{HandBackReason, HandedBack, Settlement},
    manager::Executor,
    task::TaskSpec,
    tool::Effect,
};
use serde_json::json;

use crate::stand::{Log, call, manager, session, tool};

/// Executor of a worker with these tools.
fn worker(tools: impl IntoIterator<Item = FunctionTool>) -> Executor {
    manager(tools).executor().clone()
}

/// A tool that notes its attempt and ends.
fn noting(effect: Effect, starts: &Log<u32>) -> FunctionTool {
    let starts = starts.clone();
    let tool = tool("work", move |cx| {
        starts.note(cx.attempt());
        async { Ok(json!("done")) }
    });
    tool.effect(effect)
}

/// Runs a call of this tool that was started this often before.
async fn run(worker: &Executor, tool: &str, starts: u32) -> Result<Settlement, HandedBack> {
    worker.execute(&work(tool), starts, CancellationToken::new()).await
}

fn work(tool: &str) -> TaskSpec {
    TaskSpec::new(session(), call(tool, json!({})))
}

fn reason(ended: &Result<Settlement, HandedBack>) -> Option<HandBackReason> {
    ended.as_ref().err().map(HandedBack::reason)
}
