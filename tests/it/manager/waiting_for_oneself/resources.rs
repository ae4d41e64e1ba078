//! Circles through resources.

use async_tool_runtime::{
    FunctionTool, ToolContext, ToolDefinition, ToolError, ToolErrorKind, policy::Dedupe, tool::BoundCall,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{ended, lettered};
use crate::stand::{Log, idle, is_at_rest, secs, start_with, with_slots};

/// A tool that writes `path`, waits for its turn of `secs`, makes the call of `then`, and notes its failure.
fn writer(name: &str, failures: &Log<ToolError>) -> FunctionTool {
    let schema = json!({
        "type": "object",
        "properties": {"path": {"type": "string"}, "secs": {"type": "integer"}, "then": {}},
    });
    let failures = failures.clone();
    FunctionTool::from_parts(ToolDefinition::new(name, "Writes.", schema), move |arguments| {
        let (arguments, failures) = (arguments.value().clone(), failures.clone());
        Ok(BoundCall::future(move |cx: ToolContext| async move {
            sleep(secs(arguments["secs"].as_u64().unwrap_or(0))).await;
            if let Some(tool) = arguments["then"]["tool"].as_str()
                && let Err(error) = cx.call_tool::<Value>(tool, &arguments["then"]["arguments"]).await
            {
                failures.note(error);
            }
            Ok(json!("written"))
        }))
    })
    .writes("path")
}

#[tokio::test(start_paused = true)]
async fn a_resource_is_not_waited_for_by_a_task_that_its_holder_waits_for() {
    let failures = Log::new();
    let shared = writer("share", &failures).dedupe(Dedupe::Share);
    let manager = with_slots(1, [shared, writer("write", &failures)]);
    let write = |path: &str| json!({"path": path});
    // The run waits for the file of `holder`, which then joins the run.
    let run = json!({"path": "a"});
    let holder = json!({"path": "a", "secs": 2, "then": {"tool": "share", "arguments": run}});
    let holder = start_with(&manager, "write", holder);
    idle().await;
    let shared = start_with(&manager, "share", run);
    for task in [&holder, &shared] {
        assert!(ended(task).await.outcome.is_completed());
    }
    let refused = failures.all();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].kind(), ToolErrorKind::Duplicate);
    let message = refused[0].message();
    let ids = [&holder, &shared].map(|task| task.id().to_string());
    assert!(ids.iter().all(|id| message.contains(id)), "{message}");
    is_at_rest(&manager, "after a run that waited for a file").await;

    // `holder` has joined the run, which then needs its file.
    let failures_before = failures.len();
    let run = json!({"path": "b", "secs": 4, "then": {"tool": "write", "arguments": write("a")}});
    let shared = start_with(&manager, "share", run.clone());
    let holder = json!({"path": "a", "secs": 1, "then": {"tool": "share", "arguments": run}});
    let holder = start_with(&manager, "write", holder);
    for task in [&holder, &shared] {
        assert!(ended(task).await.outcome.is_completed());
    }
    let refused = &failures.all()[failures_before..];
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0].kind(), ToolErrorKind::Unavailable);
    assert!(refused[0].retryable(), "the file may be free later");
    let message = refused[0].message();
    let ids = [&holder, &shared].map(|task| task.id().to_string());
    assert!(ids.iter().all(|id| message.contains(id)), "{message}");
    assert!(
        message.starts_with("`write` would wait for a task that waits for one above it: "),
        "{message}"
    );
    is_at_rest(&manager, "after a holder that waited for a run").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
}

#[tokio::test(start_paused = true)]
async fn a_circle_of_resources_is_named() {
    let failures = Log::new();
    let manager = with_slots(1, [writer("write", &failures)]);
    let tasks = [("a", "b"), ("b", "a")].map(|(path, other)| {
        let below = json!({"tool": "write", "arguments": {"path": other}});
        start_with(&manager, "write", json!({"path": path, "secs": 1, "then": below}))
    });
    for task in &tasks {
        assert!(ended(task).await.outcome.is_completed());
    }
    let refused = failures.all();
    assert_eq!(refused.len(), 1);
    let message = lettered(refused[0].message());
    assert_eq!(
        message,
        "`write` would wait for a task that waits for one above it: \
         `write` (A) → `write` (B) → `write` (C) → `write` (D) → `write` (A)"
    );
    is_at_rest(&manager, "after a circle").await;
}
