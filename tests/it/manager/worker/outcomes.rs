//! Ends of tasks on a worker.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, CancellationToken, TaskOutcome, ToolContext, ToolError, ToolErrorKind,
    backend::{HandBackReason, Settlement},
    policy::RetryPolicy,
    task::Timestamp,
    tool::Effect,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{reason, run, work, worker};
use crate::stand::{Log, blocking, secs, tool, unavailable};

#[tokio::test(start_paused = true)]
async fn a_worker_without_the_tool_hands_the_task_back() {
    for starts in [0, 1, 9] {
        let ended = run(&worker([]), "work", starts).await;
        assert_eq!(reason(&ended), Some(HandBackReason::UnknownTool));
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_fit_the_tool_of_the_worker_are_an_end() {
    let worker = worker([async_tool_runtime::testing::Gates::new().tool()]);
    let end = run(&worker, "gate", 0).await.unwrap();
    assert_eq!(
        end.outcome.error().map(ToolError::kind),
        Some(ToolErrorKind::InvalidArguments)
    );
    assert_eq!(end.attempts, 0);
}

#[tokio::test(start_paused = true)]
async fn retries_on_a_worker_count_as_attempts() {
    let starts = Log::new();
    let tool = tool("work", {
        let starts = starts.clone();
        move |cx: ToolContext| {
            starts.note(cx.attempt());
            let attempt = cx.attempt();
            async move {
                if attempt < 5 {
                    return Err(unavailable());
                }
                Ok(json!(attempt))
            }
        }
    });
    let tool = tool.effect(Effect::Read).retry(RetryPolicy::new(3));
    let worker = worker([tool]);
    let end = run(&worker, "work", 2).await.unwrap();
    assert_eq!(end, Settlement::new(TaskOutcome::Completed(json!(5)), 5));
    assert_eq!(starts.all(), [3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn ends_travel_as_json() {
    let table = [
        TaskOutcome::Completed(json!({"a": [1, 2.0, null, "é\u{0}"]})),
        TaskOutcome::Failed(
            ToolError::new(ToolErrorKind::Unavailable, "no")
                .with_model_message("later")
                .with_retry_after(secs(3)),
        ),
        TaskOutcome::Cancelled("enough".to_owned()),
        TaskOutcome::Unknown("lost".to_owned()),
    ];
    for outcome in table {
        let end = Settlement::new(outcome, 3);
        let wire = serde_json::to_string(&end).unwrap();
        assert_eq!(serde_json::from_str::<Settlement>(&wire).unwrap(), end);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_engine_can_not_carry_becomes_an_error_after_one_run() {
    let most = 10_000;
    let long = "é\"\u{1}".repeat(10_000);
    let table: [(Result<Value, ToolError>, ToolErrorKind); 3] = [
        (Ok(json!(long)), ToolErrorKind::Internal),
        (Err(ToolError::failed(long.clone())), ToolErrorKind::Failed),
        (
            Err(ToolError::new(ToolErrorKind::Unavailable, long.clone()).with_model_message(long)),
            ToolErrorKind::Unavailable,
        ),
    ];
    for (returned, kind) in table {
        let is_value = returned.is_ok();
        let starts = Log::new();
        let tool = tool("work", {
            let starts = starts.clone();
            move |_| {
                starts.note(());
                let returned = returned.clone();
                async move { returned }
            }
        });
        let worker = worker([tool]).max_payload(most);
        let end = run(&worker, "work", 0).await.unwrap();
        let error = end.outcome.error().unwrap();
        assert_eq!((error.kind(), end.attempts, starts.len()), (kind, 1, 1));
        assert!(serde_json::to_string(&end).unwrap().len() <= most);
        if is_value {
            let said = error.model_message();
            assert!(said.contains("10000 bytes") && said.contains("result_limit"), "{said}");
            assert!(!error.retryable());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_of_just_the_size_that_the_engine_carries_travels_whole() {
    let end = |text: &str| Settlement::new(TaskOutcome::Completed(json!(text)), 1);
    let rest = serde_json::to_string(&end("")).unwrap().len();
    for (bytes, fits) in [(5000, true), (5001, false)] {
        let text = "x".repeat(bytes - rest);
        let tool = tool("work", {
            let text = text.clone();
            move |_| {
                let value = json!(text);
                async move { Ok(value) }
            }
        });
        let found = run(&worker([tool]).max_payload(5000), "work", 0).await.unwrap();
        assert_eq!(found == end(&text), fits);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_on_a_worker_that_needs_a_manager_fails_at_once() {
    let defer = tool("defer", |cx: ToolContext| async move { cx.defer().await });
    let defer_within = tool("defer_within", |cx: ToolContext| async move {
        cx.defer_within(secs(9)).await
    });
    let deferred = blocking("deferred", |cx: ToolContext| Err(cx.deferred()));
    let ask = tool("ask", |cx: ToolContext| async move {
        cx.request_input("Which?", json!({"type": "string"})).await
    });
    let child = tool("child", |cx: ToolContext| async move {
        cx.call_tool("ask", json!({})).await
    });
    let save = tool("save", |cx: ToolContext| async move {
        cx.save_checkpoint(1).await.map(|()| Value::Null)
    });
    let tools = [defer, defer_within, deferred, ask, child, save];
    let worker = worker(tools.map(|tool| tool.retry(RetryPolicy::new(3))));
    for tool in ["defer", "defer_within", "deferred", "ask", "child", "save"] {
        let end = timeout(secs(1), run(&worker, tool, 0)).await;
        let end = end.unwrap_or_else(|_| panic!("`{tool}` hangs")).unwrap();
        let error = end.outcome.error().unwrap_or_else(|| panic!("{tool}: {end:?}"));
        assert_eq!(error.kind(), ToolErrorKind::Internal, "{tool}");
        assert!(error.message().contains("worker"), "{tool}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_and_a_deadline_end_a_task_on_a_worker() {
    let worker = AsyncToolManager::builder()
        .tool(tool("deaf", |_| std::future::pending()))
        .stop_timeout(secs(2))
        .build()
        .unwrap()
        .executor()
        .clone();
    let token = CancellationToken::new();
    let task = work("deaf");
    let begin = tokio::time::Instant::now();
    let (end, ()) = tokio::join!(worker.execute(&task, 0, token.clone()), async { token.cancel() });
    assert!(matches!(end.unwrap().outcome, TaskOutcome::Cancelled(_)));
    assert!(begin.elapsed() < secs(2) + Duration::from_millis(200));

    let late = task.with_deadline(Timestamp::from_millis(1));
    let end = worker.execute(&late, 0, CancellationToken::new()).await.unwrap();
    assert_eq!(end.outcome.error().map(ToolError::kind), Some(ToolErrorKind::Timeout));
}
