//! Deadlines of tasks on a backend.

use async_tool_runtime::{
    AsyncToolManager, TaskOutcome, ToolError, ToolErrorKind,
    backend::{CancelMode, Heartbeat},
    task::{TaskSpec, Timestamp},
    tool::Effect,
};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep};

use super::distant;
use crate::stand::{StubBackend, call, idle, secs, session, spec, tool};

fn with_timeout(backend: &StubBackend, effect: Effect) -> AsyncToolManager {
    let builder = AsyncToolManager::builder().tool(distant(effect)).task_timeout(secs(60));
    builder.backend(backend.clone()).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_task_within_a_second_also_without_a_worker() {
    for effect in [Effect::Read, Effect::Once] {
        let backend = StubBackend::default();
        let begin = Instant::now();
        let task = with_timeout(&backend, effect).submit_task(spec("distant")).unwrap();
        let result = task.outcome().await;
        let error = result.outcome.error().map(ToolError::kind);
        assert_eq!(error, Some(ToolErrorKind::Timeout));
        assert_eq!(result.attempts, 0);
        let waited = begin.elapsed();
        assert!(waited >= secs(60) && waited < secs(61), "{waited:?}");
        let expected = (CancelMode::Cancel, "the task's deadline has passed".to_owned());
        assert_eq!(backend.cancels(), [expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_comes_just_after_the_deadline_counts_unless_it_is_the_cancellation() {
    let late = "the task's deadline has passed".to_owned();
    let table = [
        (TaskOutcome::Completed(json!(1)), None),
        (
            TaskOutcome::Failed(ToolError::failed("no")),
            Some(ToolErrorKind::Failed),
        ),
        (TaskOutcome::Cancelled(late), Some(ToolErrorKind::Timeout)),
    ];
    for (end, expected) in table {
        let backend = StubBackend::default();
        let task = with_timeout(&backend, Effect::Once)
            .submit_task(spec("distant"))
            .unwrap();
        idle().await;
        backend.beat(&Heartbeat::new(1));
        // A function that runs has its stop timeout to tidy up.
        sleep(secs(60) + Duration::from_millis(800)).await;
        backend.end(end, 1);
        let result = task.outcome().await;
        assert_eq!(result.outcome.error().map(ToolError::kind), expected, "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_does_not_outrun_the_deadline_that_travels_with_it() {
    let manager = AsyncToolManager::builder()
        .tool(tool("deaf", |_| std::future::pending()))
        .build()
        .unwrap();
    let spec = TaskSpec::new(session(), call("deaf", json!({}))).with_deadline(Timestamp::from_millis(1));
    let result = manager.submit_task(spec).unwrap().outcome().await;
    let kind = result.outcome.error().map(ToolError::kind);
    assert_eq!(kind, Some(ToolErrorKind::Timeout));
}
