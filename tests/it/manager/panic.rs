//! Panics of tools.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, FunctionTool, SessionId, TaskOutcome, ToolCall, ToolContext, ToolError, ToolErrorKind,
    task::TaskSpec, testing::Gates,
};
use serde_json::json;

use crate::stand::{call, session, tool};

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_task_wherever_it_happens() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "in drop");
        }
    }
    let in_drop = tool("in_drop", |_| async {
        let _bomb = Bomb;
        std::future::pending().await
    });
    let after_cancel = tool("after_cancel", |cx| async move {
        cx.cancellation().cancelled().await;
        panic!("after the cancellation")
    });
    let manager = AsyncToolManager::builder()
        .tool(in_drop.timeout(Duration::from_secs(1)))
        .tool(after_cancel)
        .build()
        .unwrap();
    for name in ["in_drop", "after_cancel"] {
        let task = manager
            .submit_task(TaskSpec::new(session(), call(name, json!({}))))
            .unwrap();
        tokio::task::yield_now().await;
        if name == "after_cancel" {
            task.cancel("enough");
        }
        let outcome = task.outcome().await.outcome.clone();
        let kind = outcome.error().map(ToolError::kind);
        assert_eq!(kind, Some(ToolErrorKind::Panicked), "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_tool_that_panics_or_is_aborted_gives_its_slot_back() {
    let gates = Gates::new();
    let panics = FunctionTool::new("panics", "Panics.", |_: Empty, _: ToolContext| async {
        if true {
            panic!("the password is hunter2");
        }
        Ok::<_, ToolError>(())
    });
    let manager = AsyncToolManager::builder()
        .tool(panics)
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    let session = SessionId::new("s");

    let task = manager
        .submit(&session, ToolCall::new("1", "panics", json!({})))
        .unwrap();
    let result = task.outcome().await;
    let error = result.outcome.error().expect("a panic is a failure");
    assert_eq!(error.kind(), ToolErrorKind::Panicked);
    assert!(error.message().contains("hunter2"), "operators are told what it said");
    assert!(!error.model_message().contains("hunter2"), "the model isn't");

    let task = manager
        .submit(&session, ToolCall::new("2", "gate", json!({"name": "a"})))
        .unwrap();
    gates.arrived("a", 1).await;
    task.abort("enough");
    assert_eq!(
        task.outcome().await.outcome,
        TaskOutcome::Cancelled("enough".to_owned())
    );

    // The one slot is free again.
    gates.open("b", json!("alive"));
    let task = manager
        .submit(&session, ToolCall::new("3", "gate", json!({"name": "b"})))
        .unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("alive")));
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Empty {}
