use serde_json::json;

use super::*;
use crate::{
    id::TaskNo,
    manager::AsyncToolManager,
    session::SessionId,
    task::TaskSpec,
    tool::{FunctionTool, ToolCall, ToolDefinition},
};

#[tokio::test(start_paused = true)]
async fn only_the_first_end_of_a_task_makes_the_call_of_its_agent_busy() {
    let definition = ToolDefinition::new("waits", "Waits.", json!({"type": "object"}));
    let waits = FunctionTool::from_parts(definition, |_| Ok(BoundCall::future(|_| std::future::pending())));
    let manager = AsyncToolManager::builder().tool(waits).build().unwrap();
    let spec = || TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "waits", json!({})));
    let call = manager.submit_task(spec()).unwrap();
    let mut below = spec().with_number(TaskNo::new(1));
    below.parent = Some(call.id());
    let below = manager.submit_task(below).unwrap();

    let end = || {
        let outcome = TaskOutcome::Cancelled("given up".to_owned());
        manager.inner.end(below.cell(), outcome);
    };
    end();
    assert!(call.cell().is_busy(), "its agent has to hear of the end");
    manager.set_busy(call.cell(), false);
    end();
    assert!(!call.cell().is_busy(), "its function has returned late");
}
