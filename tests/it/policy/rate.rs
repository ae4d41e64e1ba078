//! Rate limits.

use std::time::Duration;

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, TaskOutcome, ToolError, ToolErrorKind,
    policy::{RateLimit, RetryPolicy},
};
use serde_json::json;
use tokio::time::Instant;

use crate::stand::{
    Log, after, idle, is_at_rest, kind, quick, secs, spec, start, start_in, start_with, tool, tool_of, with_slots,
};

fn notes(name: &'static str, log: &Log<&'static str>) -> FunctionTool {
    let log = log.clone();
    tool(name, move |_| {
        log.note(name);
        async { Ok(json!(1)) }
    })
}

fn after_begin(begin: Instant, log: &Log<&'static str>) -> Vec<u64> {
    log.times().iter().map(|at| (*at - begin).as_secs()).collect()
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_rate_wait_in_order_and_without_a_slot() {
    let log = Log::new();
    let manager = AsyncToolManager::builder()
        .tool(notes("limited", &log).rate(RateLimit::new(2, secs(60))))
        .tool(quick())
        .concurrency(1)
        .build()
        .unwrap();
    let begin = Instant::now();
    let tasks: Vec<_> = (0..5).map(|_| start(&manager, "limited")).collect();
    tokio::time::sleep(secs(1)).await;
    assert_eq!((manager.stats().running, manager.stats().waiting), (0, 3));
    assert!(start(&manager, "quick").outcome().await.outcome.is_completed());
    for task in &tasks {
        task.outcome().await;
    }
    assert_eq!(after_begin(begin, &log), [0, 0, 60, 60, 120]);
    is_at_rest(&manager, "after a rate").await;
}

#[tokio::test(start_paused = true)]
async fn tools_share_the_rate_of_a_key() {
    let log = Log::new();
    let rate = RateLimit::new(1, secs(10)).shared("api");
    let manager = AsyncToolManager::builder()
        .tool(notes("one", &log).rate(rate.clone()))
        .tool(notes("other", &log).rate(rate))
        .build()
        .unwrap();
    let begin = Instant::now();
    let tasks = ["one", "other", "one"].map(|name| start(&manager, name));
    for task in &tasks {
        task.outcome().await;
    }
    assert_eq!(log.all(), ["one", "other", "one"]);
    assert_eq!(after_begin(begin, &log), [0, 10, 20]);
}

#[test]
fn tools_that_disagree_about_a_shared_rate_are_both_named() {
    let log = Log::new();
    let error = AsyncToolManager::builder()
        .tool(notes("one", &log).rate(RateLimit::new(1, secs(10)).shared("api")))
        .tool(notes("other", &log).rate(RateLimit::new(2, secs(10)).shared("api")))
        .build()
        .unwrap_err()
        .to_string();
    assert!(
        ["`one`", "`other`", "`api`"].iter().all(|name| error.contains(name)),
        "{error}"
    );
    let zero = AsyncToolManager::builder()
        .tool(notes("one", &log).rate(RateLimit::new(0, secs(10))))
        .build();
    assert!(zero.unwrap_err().to_string().contains("`rate`"));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_its_rate_can_be_cancelled_and_has_a_deadline() {
    let log = Log::new();
    let manager = AsyncToolManager::builder()
        .tool(notes("limited", &log).rate(RateLimit::new(1, secs(60))))
        .tool(quick())
        .build()
        .unwrap();
    let begin = Instant::now();
    let first = start(&manager, "limited");
    let late = manager
        .submit_task(spec("limited").with_deadline(after(&first, secs(5))))
        .unwrap();
    let cancelled = start(&manager, "limited");
    let last = start(&manager, "limited");
    idle().await;
    cancelled.cancel("enough");
    assert_eq!(
        cancelled.outcome().await.outcome,
        TaskOutcome::Cancelled("enough".to_owned())
    );
    let result = late.outcome().await;
    assert_eq!((kind(&result), result.attempts), (Some(ToolErrorKind::Timeout), 0));
    assert_eq!(begin.elapsed(), secs(5));
    last.outcome().await;
    assert_eq!(
        after_begin(begin, &log),
        [0, 60],
        "tasks that gave up have used up none of the rate"
    );
    is_at_rest(&manager, "after a rate").await;
}

#[tokio::test(start_paused = true)]
async fn every_attempt_counts() {
    let log = Log::new();
    let flaky = {
        let log = log.clone();
        tool("flaky", move |cx| {
            log.note("flaky");
            async move {
                match cx.attempt() {
                    4 => Ok(json!(1)),
                    _ => Err(ToolError::new(ToolErrorKind::Unavailable, "busy")),
                }
            }
        })
    };
    let flaky = flaky
        .effect(Effect::Read)
        .retry(RetryPolicy::new(4).with_backoff(Duration::ZERO, Duration::ZERO))
        .rate(RateLimit::new(2, secs(10)));
    let manager = AsyncToolManager::builder().tool(flaky).build().unwrap();
    let begin = Instant::now();
    for task in [start(&manager, "flaky"), start(&manager, "flaky")] {
        assert_eq!(task.outcome().await.attempts, 4);
    }
    assert_eq!(after_begin(begin, &log), [0, 0, 10, 10, 20, 20, 30, 30]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_had_to_wait_for_a_slot_do_not_start_all_at_once() {
    let log = Log::new();
    let blocker = tool("blocker", |_| async {
        tokio::time::sleep(secs(35)).await;
        Ok(json!(1))
    });
    let manager = AsyncToolManager::builder()
        .tool(notes("limited", &log).rate(RateLimit::new(2, secs(10))))
        .tool(blocker)
        .concurrency(1)
        .build()
        .unwrap();
    let begin = Instant::now();
    let blocker = start(&manager, "blocker");
    let tasks: Vec<_> = (0..6).map(|_| start(&manager, "limited")).collect();
    blocker.outcome().await;
    for task in &tasks {
        task.outcome().await;
    }
    assert_eq!(after_begin(begin, &log), [35, 35, 45, 45, 55, 55]);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_a_session_at_its_limit_does_not_use_up_the_rate() {
    let log = Log::new();
    let long = tool("long", |_| async {
        tokio::time::sleep(secs(3600)).await;
        Ok(json!(1))
    });
    let manager = AsyncToolManager::builder()
        .tool(notes("limited", &log).rate(RateLimit::new(1, secs(1))))
        .tool(long)
        .session_concurrency(1)
        .build()
        .unwrap();
    let begin = Instant::now();
    start_in(&manager, "one", "limited", json!({})).outcome().await;
    let held_up = start_in(&manager, "one", "limited", json!({}));
    idle().await;
    let long = start_in(&manager, "one", "long", json!({}));
    idle().await;
    start_in(&manager, "other", "limited", json!({})).outcome().await;
    assert!(begin.elapsed() < secs(5), "{:?}", begin.elapsed());
    long.abort("enough");
    assert!(held_up.outcome().await.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn calls_start_in_the_order_in_which_they_came_also_if_they_wait_for_slots() {
    let log = Log::new();
    let noted = log.clone();
    let search = tool_of("search", move |arguments, _| {
        noted.note(arguments["n"].as_u64().unwrap());
        async {
            tokio::time::sleep(secs(3)).await;
            Ok(json!(1))
        }
    });
    let limit = RateLimit::new(10, secs(1));
    let manager = with_slots(20, [search.rate(limit.clone())]);
    let tasks: Vec<_> = (0..50)
        .map(|n| start_with(&manager, "search", json!({"n": n})))
        .collect();
    for task in &tasks {
        task.outcome().await;
    }
    assert_eq!(log.all(), (0..50).collect::<Vec<_>>());
    for window in log.times().windows(11) {
        assert!(window[10] - window[0] >= limit.per);
    }
    let took = *log.times().last().unwrap() - log.times()[0];
    assert!(took <= secs(8), "the limit and the slots are used up: {took:?}");
    is_at_rest(&manager, "after a crowd").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_had_to_wait_for_a_slot_has_its_old_place_in_the_order() {
    let log = Log::new();
    let limited = |name: &'static str| notes(name, &log).rate(RateLimit::new(1, secs(10)).shared("api"));
    let long = tool("long", |_| async {
        tokio::time::sleep(secs(25)).await;
        Ok(json!(1))
    });
    let manager = AsyncToolManager::builder()
        .tools(["first", "held_up", "others"].map(limited).map(Into::into))
        .tool(long)
        .session_concurrency(1)
        .build()
        .unwrap();
    let begin = Instant::now();
    start_in(&manager, "one", "first", json!({})).outcome().await;
    let held_up = start_in(&manager, "one", "held_up", json!({}));
    idle().await;
    start_in(&manager, "one", "long", json!({}));
    let others = ["a", "b", "c", "d"].map(|session| start_in(&manager, session, "others", json!({})));
    held_up.outcome().await;
    for task in &others {
        task.outcome().await;
    }
    // Its turn comes at 10, its slot at 25, in the middle of a window.
    assert_eq!(log.all(), ["first", "others", "others", "held_up", "others", "others"]);
    assert_eq!(after_begin(begin, &log), [0, 10, 20, 30, 40, 50]);
}
