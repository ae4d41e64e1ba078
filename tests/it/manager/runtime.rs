//! The tokio runtime on which a task runs, and its end.

use async_tool_runtime::{AsyncToolManager, SessionId, TaskOutcome, ToolCall, testing::Gates};
use serde_json::json;

use crate::stand::{call, session, tool};

#[test]
fn a_task_runs_on_the_runtime_that_submitted_it_in_a_tokio_task_of_its_own() {
    let found = |_cx| async {
        let runtime = tokio::runtime::Handle::current().id().to_string();
        Ok(json!([runtime, tokio::task::id().to_string()]))
    };
    let manager = AsyncToolManager::builder().tool(tool("found", found)).build().unwrap();
    let mut tokio_tasks = std::collections::HashSet::new();
    // Each runtime is asked again after the other was used.
    let runtimes = [(); 2].map(|()| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    });
    for runtime in runtimes.iter().chain(&runtimes) {
        runtime.block_on(async {
            let task = manager.submit(&session(), call("found", json!({}))).unwrap();
            let result = task.outcome().await;
            let found = result.outcome.value().unwrap().clone();
            assert_eq!(found[0], runtime.handle().id().to_string());
            assert!(tokio_tasks.insert(found[1].to_string()), "{found}");
        });
    }
}

#[test]
fn a_runtime_that_is_shut_down_settles_its_tasks() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(2)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tasks: Vec<_> = runtime.block_on(async {
        let session = SessionId::new("s");
        let tasks = (0..1_000).map(|number| {
            let call = ToolCall::new(number.to_string(), "gate", json!({"name": "a"}));
            manager.submit(&session, call).unwrap()
        });
        let tasks = tasks.collect();
        gates.arrived("a", 2).await;
        tasks
    });
    drop(runtime);
    for task in tasks {
        let result = task.result().expect("it is settled");
        assert!(
            matches!(result.outcome, TaskOutcome::Cancelled(_)),
            "{:?}",
            result.outcome
        );
    }
}

#[test]
fn a_task_that_is_submitted_to_a_dead_runtime_is_settled() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dead = runtime.handle().clone();
    drop(runtime);
    let _entered = dead.enter();
    for number in 0..3 {
        let call = ToolCall::new(number.to_string(), "gate", json!({"name": "a"}));
        let task = manager.submit(&SessionId::new("s"), call).unwrap();
        let result = task.result().expect("it is settled");
        assert!(
            matches!(result.outcome, TaskOutcome::Cancelled(_)),
            "{:?}",
            result.outcome
        );
    }
}
