//! Cancellation of tasks.

use std::time::Duration;

use async_tool_runtime::{AsyncToolManager, TaskOutcome, TaskStatus, ToolError, testing::Gates};
use serde_json::json;

use crate::stand::{call, gate, session, tool};

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_told_to_stop_may_end_by_itself() {
    let polite = tool("polite", |cx| async move {
        cx.cancellation().cancelled().await;
        Err(ToolError::failed("stopped half way"))
    });
    let manager = AsyncToolManager::builder().tool(polite).build().unwrap();
    let task = manager.submit(&session(), call("polite", json!({}))).unwrap();
    tokio::task::yield_now().await;
    assert_eq!(manager.cancel(task.id(), "no longer needed"), Some(TaskStatus::Running));
    let result = task.outcome().await;
    assert_eq!(
        result.outcome,
        TaskOutcome::Cancelled("no longer needed; the tool said: stopped half way".to_owned()),
        "the text of its end is not lost"
    );
    assert_eq!(
        manager.cancel(task.id(), "again"),
        Some(TaskStatus::Cancelled),
        "an ended task is unchanged"
    );
    assert_eq!(task.result(), Some(result));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_a_tool_returns_after_its_cancellation_counts() {
    let done = tool("done", |cx| async move {
        cx.cancellation().cancelled().await;
        Ok(json!("had just finished"))
    });
    let manager = AsyncToolManager::builder().tool(done).build().unwrap();
    let task = manager.submit(&session(), call("done", json!({}))).unwrap();
    tokio::task::yield_now().await;
    manager.cancel(task.id(), "too late");
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!("had just finished")));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_does_not_listen_is_dropped_after_the_stop_timeout() {
    let manager = AsyncToolManager::builder()
        .tool(tool("deaf", |_| std::future::pending()))
        .stop_timeout(Duration::from_secs(3))
        .build()
        .unwrap();
    let task = manager.submit(&session(), call("deaf", json!({}))).unwrap();
    tokio::task::yield_now().await;
    let told = tokio::time::Instant::now();
    manager.cancel(task.id(), "enough");
    let result = task.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Cancelled("enough".to_owned()));
    assert_eq!(told.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn a_task_that_waits_for_a_slot_is_cancelled_without_ever_running() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .concurrency(1)
        .build()
        .unwrap();
    manager.submit(&session(), gate("a")).unwrap();
    let waiting = manager.submit(&session(), gate("b")).unwrap();
    manager.cancel(waiting.id(), "changed my mind");
    let result = manager
        .task(waiting.id())
        .unwrap()
        .result()
        .expect("it has ended at once");
    assert_eq!(result.outcome, TaskOutcome::Cancelled("changed my mind".to_owned()));
    assert_eq!((result.attempts, result.timing.started), (0, None));
}

#[tokio::test]
async fn a_tool_that_cancels_its_own_token_is_not_cancelled() {
    let stops_helpers = tool("stops_helpers", |cx| async move {
        cx.cancellation().cancel();
        Err(ToolError::failed("disk full"))
    });
    let manager = AsyncToolManager::builder().tool(stops_helpers).build().unwrap();
    let task = manager.submit(&session(), call("stops_helpers", json!({}))).unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Failed(ToolError::failed("disk full")));
}
