//! Retries.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, TaskEvent, TaskHandle, TaskOutcome, ToolError, ToolErrorKind,
    policy::{Dedupe, RetryPolicy},
    task::Timestamp,
    testing::Gates,
    tool::IdempotencyKey,
};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};
use tower::limit::GlobalConcurrencyLimitLayer;

use crate::stand::{
    Log, after, idle, is_at_rest, kind, quick, secs, spec, start, start_with, tool, unavailable, with_slots,
};

type Attempts = Log<(u32, IdempotencyKey)>;

/// A tool that fails with `error` before attempt number `succeeds`.
fn flaky(succeeds: u32, error: ToolError) -> (FunctionTool, Attempts) {
    let attempts = Log::new();
    let noted = attempts.clone();
    let flaky = tool("flaky", move |cx| {
        noted.note((cx.attempt(), cx.idempotency_key()));
        let error = error.clone();
        async move {
            if cx.attempt() < succeeds {
                return Err(error);
            }
            Ok(json!(cx.attempt()))
        }
    });
    (flaky, attempts)
}

async fn attempts_of(task: &TaskHandle) -> u32 {
    task.outcome().await.attempts
}

#[tokio::test(start_paused = true)]
async fn attempts_count_up_and_have_the_same_key() {
    let (flaky, attempts) = flaky(3, unavailable());
    let manager = with_slots(1, [flaky.effect(Effect::Idempotent).retry(RetryPolicy::new(5))]);
    let task = start(&manager, "flaky");
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!(3)));
    assert_eq!(result.attempts, 3);
    let attempts = attempts.all();
    assert_eq!(
        attempts.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(attempts.iter().all(|(_, key)| *key == attempts[0].1));
    assert_eq!(manager.stats().retries, 2);
    is_at_rest(&manager, "after retries").await;
}

/// Numbers, times in milliseconds since the acceptance, and errors of a task's attempts.
fn shown(task: &TaskHandle) -> Vec<(u32, u128, Option<u128>, Option<ToolErrorKind>)> {
    let snapshot = task.snapshot();
    let since = |time: Timestamp| time.since(snapshot.accepted).as_millis();
    let attempts = snapshot.latest_attempts.iter().map(|attempt| {
        let error = attempt.error.as_ref().map(ToolError::kind);
        (attempt.number, since(attempt.started), attempt.ended.map(since), error)
    });
    attempts.collect()
}

#[tokio::test(start_paused = true)]
async fn earlier_attempts_are_seen_with_their_errors_while_a_task_goes_on_and_after_its_end() {
    let slow = tool("slow", |cx| async move {
        sleep(secs(10)).await;
        match cx.attempt() {
            1 | 2 => Err(unavailable().with_retry_after(secs(5))),
            _ => Ok(json!("there")),
        }
    });
    // Both calls share one run.
    let slow = slow.effect(Effect::Read).dedupe(Dedupe::Share);
    let slow = slow.retry(RetryPolicy::new(3).with_backoff(secs(1), secs(1)));
    let manager = AsyncToolManager::builder().tool(slow).build().unwrap();
    let mut events = manager.events();
    let (begin, tasks) = (Instant::now(), [start(&manager, "slow"), start(&manager, "slow")]);
    let unavailable = Some(ToolErrorKind::Unavailable);
    let (first, second) = (
        (1, 0, Some(10_000), unavailable),
        (2, 15_000, Some(25_000), unavailable),
    );
    for (time, expected) in [
        (5, vec![(1, 0, None, None)]),
        (12, vec![first]),
        (20, vec![first, (2, 15_000, None, None)]),
        (27, vec![first, second]),
        (35, vec![first, second, (3, 30_000, None, None)]),
        (45, vec![first, second, (3, 30_000, Some(40_000), None)]),
    ] {
        sleep_until(begin + secs(time)).await;
        for task in &tasks {
            assert_eq!(shown(task), expected, "after {time} s");
        }
    }
    // A reader of the events sees them too.
    let mut seen = 0;
    loop {
        match events.next().await.unwrap() {
            TaskEvent::Waits(task) => seen = seen.max(task.latest_attempts.len()),
            TaskEvent::Settled(_) => break,
            _ => {}
        }
    }
    assert!(seen >= 2, "{seen}");
}

#[tokio::test(start_paused = true)]
async fn pauses_stay_within_the_backoff_and_attempts_within_their_number() {
    for _ in 0..20 {
        let (flaky, attempts) = flaky(u32::MAX, unavailable());
        let retry = RetryPolicy::new(6).with_backoff(secs(1), secs(4));
        let manager = with_slots(1, [flaky.effect(Effect::Read).retry(retry)]);
        let result = start(&manager, "flaky").outcome().await;
        assert_eq!(kind(&result), Some(ToolErrorKind::Unavailable));
        assert_eq!((result.attempts, attempts.len()), (6, 6));
        let times = attempts.times();
        for (pair, longest) in times.windows(2).zip([1, 2, 4, 4, 4]) {
            let pause = pair[1] - pair[0];
            // Timers have a resolution of one millisecond.
            assert!(
                pause <= secs(longest) + Duration::from_millis(1),
                "{pause:?} of {longest}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_attempt_comes_before_the_error_allows_it() {
    let (flaky, attempts) = flaky(2, unavailable().with_retry_after(secs(30)));
    let manager = with_slots(1, [flaky.effect(Effect::Read).retry(RetryPolicy::new(2))]);
    start(&manager, "flaky").outcome().await;
    let times = attempts.times();
    assert!(times[1] - times[0] >= secs(30));
}

#[tokio::test(start_paused = true)]
async fn an_unrepeatable_call_is_retried_only_if_it_has_not_begun() {
    for (error, expected) in [
        (unavailable(), 1),
        (unavailable().with_not_started(), 3),
        (ToolError::failed("no such city").with_not_started(), 3),
    ] {
        let (flaky, _) = flaky(3, error.clone());
        let manager = with_slots(1, [flaky.retry(RetryPolicy::new(5))]);
        assert_eq!(attempts_of(&start(&manager, "flaky")).await, expected, "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_that_no_retry_can_mend_are_not_retried() {
    for error in [
        ToolError::failed("no such city"),
        unavailable().with_retryable(false),
        ToolError::new(ToolErrorKind::Refused, "no"),
    ] {
        let (flaky, _) = flaky(3, error.clone());
        let manager = with_slots(1, [flaky.effect(Effect::Read).retry(RetryPolicy::new(5))]);
        assert_eq!(attempts_of(&start(&manager, "flaky")).await, 1, "{error:?}");
    }
    let panics = tool("flaky", |_| async { panic!("a defect") });
    let manager = with_slots(1, [panics.effect(Effect::Read).retry(RetryPolicy::new(5))]);
    assert_eq!(attempts_of(&start(&manager, "flaky")).await, 1, "a panic");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_times_out_is_followed_by_the_next_with_all_its_time() {
    let times = Log::new();
    let noted = times.clone();
    let slow = tool("slow", move |cx| {
        noted.note(cx.remaining().unwrap());
        async move {
            if cx.attempt() < 3 {
                std::future::pending::<()>().await;
            }
            Ok(json!(cx.attempt()))
        }
    });
    let retry = RetryPolicy::new(3).with_backoff(secs(1), secs(1));
    let manager = with_slots(1, [slow.timeout(secs(2)).effect(Effect::Read).retry(retry)]);
    let result = start(&manager, "slow").outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!(3)));
    assert_eq!(times.all(), [secs(2), secs(2), secs(2)]);
}

#[tokio::test(start_paused = true)]
async fn the_total_bounds_all_attempts_and_their_pauses() {
    let slow = tool("slow", |_| std::future::pending());
    let retry = RetryPolicy::new(100).with_backoff(secs(0), secs(0)).with_total(secs(5));
    let slow = slow.timeout(secs(2)).effect(Effect::Read).retry(retry);
    let manager = with_slots(1, [slow]);
    let begin = Instant::now();
    let result = start(&manager, "slow").outcome().await;
    assert_eq!(kind(&result), Some(ToolErrorKind::Timeout));
    assert_eq!((begin.elapsed(), result.attempts), (secs(5), 3));
    let message = result.outcome.error().unwrap().message();
    assert_eq!(message, "timed out after 5s, with all attempts");
    let early = spec("slow").with_deadline(after(&start(&manager, "quick"), secs(3)));
    let result = manager.submit_task(early).unwrap().outcome().await;
    assert_eq!(
        result.outcome.error().unwrap().message(),
        "the task's deadline has passed"
    );
}

#[tokio::test(start_paused = true)]
async fn the_total_time_of_retries_bounds_the_wait_in_a_layer_of_the_host() {
    let gates = Gates::new();
    let retry = RetryPolicy::new(100).with_total(secs(5));
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().effect(Effect::Read).retry(retry))
        .inner_layer(GlobalConcurrencyLimitLayer::new(1))
        .tool(quick())
        .build()
        .unwrap();
    let begin = Instant::now();
    let tasks = ["a", "b"].map(|name| start_with(&manager, "gate", json!({"name": name})));
    for (task, attempts) in tasks.iter().zip([1, 0]) {
        let result = task.outcome().await;
        assert_eq!(
            (kind(&result), result.attempts),
            (Some(ToolErrorKind::Timeout), attempts)
        );
        assert_eq!(begin.elapsed(), secs(5));
    }
    is_at_rest(&manager, "after the total").await;
}

#[tokio::test(start_paused = true)]
async fn the_error_there_is_comes_at_once_where_the_next_attempt_would_be_too_late() {
    let (flaky, _) = flaky(5, unavailable().with_retry_after(secs(60)));
    let retry = RetryPolicy::new(5).with_total(secs(30));
    let manager = with_slots(1, [flaky.effect(Effect::Read).retry(retry)]);
    let begin = Instant::now();
    let first = start(&manager, "flaky");
    let result = first.outcome().await;
    assert_eq!((kind(&result), result.attempts), (Some(ToolErrorKind::Unavailable), 1));
    let deadline = spec("flaky").with_deadline(after(&first, secs(20)));
    let result = manager.submit_task(deadline).unwrap().outcome().await;
    assert_eq!((kind(&result), result.attempts), (Some(ToolErrorKind::Unavailable), 1));
    assert_eq!(begin.elapsed(), secs(0));
}

#[tokio::test(start_paused = true)]
async fn the_slot_is_free_in_the_pause_and_the_cancellation_ends_it_at_once() {
    let (flaky, attempts) = flaky(5, unavailable().with_retry_after(secs(60)));
    let manager = with_slots(1, [flaky.effect(Effect::Read).retry(RetryPolicy::new(5))]);
    let task = start(&manager, "flaky");
    idle().await;
    let begin = Instant::now();
    assert_eq!(manager.stats().running, 0);
    assert!(start(&manager, "quick").outcome().await.outcome.is_completed());
    task.cancel("enough");
    let result = task.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Cancelled("enough".to_owned()));
    assert_eq!((begin.elapsed(), result.attempts, attempts.len()), (secs(0), 1, 1));
    is_at_rest(&manager, "after a pause was cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_waits_for_a_slot_again_after_its_pause() {
    let (flaky, attempts) = flaky(2, unavailable().with_retry_after(secs(10)));
    let hog = tool("hog", |_| async {
        tokio::time::sleep(secs(60)).await;
        Ok(json!(null))
    });
    let manager = AsyncToolManager::builder()
        .tool(flaky.effect(Effect::Read).retry(RetryPolicy::new(2)))
        .tool(hog)
        .tool(quick())
        .concurrency(1)
        .build()
        .unwrap();
    let task = start(&manager, "flaky");
    idle().await;
    start(&manager, "hog");
    assert!(task.outcome().await.outcome.is_completed());
    let times = attempts.times();
    assert!(times[1] - times[0] >= secs(60), "{:?}", times[1] - times[0]);
    is_at_rest(&manager, "after a retry").await;
}
