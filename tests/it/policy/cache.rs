//! Cached values.

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, ToolError,
    policy::{CachePolicy, Dedupe, Scope},
};
use serde_json::{Value, json};

use crate::stand::{Log, idle, is_at_rest, secs, start, start_in, start_with, tool, tool_of, with_slots};

/// A tool that returns the number of its runs; `{"fails": true}` fails.
fn counts() -> (FunctionTool, Log<Value>) {
    let runs = Log::new();
    let noted = runs.clone();
    let counts = tool_of("counts", move |arguments, _| {
        noted.note(arguments.clone());
        let run = noted.len();
        async move {
            if arguments["fails"] == true {
                return Err(ToolError::failed("as told"));
            }
            Ok(json!(run))
        }
    });
    (counts.effect(Effect::Read), runs)
}

async fn value(manager: &AsyncToolManager, arguments: Value) -> Value {
    let result = start_with(manager, "counts", arguments).outcome().await;
    result.outcome.value().cloned().unwrap_or(json!("failed"))
}

#[tokio::test(start_paused = true)]
async fn a_value_is_given_again_to_the_same_arguments_until_its_time_is_over() {
    let (counts, runs) = counts();
    let manager = with_slots(1, [counts.cache(CachePolicy::new(secs(60)))]);
    assert_eq!(value(&manager, json!({"a": 1, "b": [2]})).await, 1);
    tokio::time::sleep(secs(59)).await;
    let again = start_with(&manager, "counts", json!({"b": [2.0], "a": 1}))
        .outcome()
        .await;
    assert_eq!(again.outcome.value(), Some(&json!(1)));
    assert_eq!((again.attempts, again.timing.started), (0, None), "it has not run");
    assert_eq!(value(&manager, json!({"a": 2, "b": [2]})).await, 2);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(value(&manager, json!({"a": 1, "b": [2]})).await, 3, "too old");
    assert_eq!(runs.len(), 3);
    let stats = manager.stats();
    assert_eq!((stats.cache_hits, stats.cache_misses), (1, 3));
    is_at_rest(&manager, "after a cache").await;
}

#[tokio::test(start_paused = true)]
async fn errors_are_not_kept() {
    let (counts, runs) = counts();
    let manager = with_slots(1, [counts.cache(CachePolicy::new(secs(60)))]);
    for _ in 0..3 {
        assert_eq!(value(&manager, json!({"fails": true})).await, "failed");
    }
    assert_eq!(runs.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn no_more_values_are_kept_than_there_is_room_for() {
    let (counts, runs) = counts();
    let manager = with_slots(1, [counts.cache(CachePolicy::new(secs(60)).with_capacity(3))]);
    for round in 0..2 {
        for number in 0..20 {
            value(&manager, json!({"round": round, "number": number})).await;
        }
    }
    for number in 0..20 {
        value(&manager, json!({"round": 1, "number": number})).await;
    }
    assert!(runs.len() >= 57, "3 of 20 at most are given again: {} runs", runs.len());
}

#[tokio::test(start_paused = true)]
async fn sessions_share_values_only_where_the_tool_says_so() {
    for (scope, expected) in [(Scope::Session, [1, 2, 1]), (Scope::Shared, [1, 1, 1])] {
        let (counts, _) = counts();
        let manager = with_slots(1, [counts.cache(CachePolicy::new(secs(60))).scope(scope)]);
        let mut values = Vec::new();
        for session in ["one", "other", "one"] {
            let result = start_in(&manager, session, "counts", json!({})).outcome().await;
            values.push(result.outcome.value().unwrap().as_u64().unwrap());
        }
        assert_eq!(values, expected, "{scope:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_share_a_run_fill_the_cache_once() {
    let (counts, runs) = counts();
    let manager = with_slots(1, [counts.cache(CachePolicy::new(secs(60))).dedupe(Dedupe::Share)]);
    let tasks = [1, 2, 3].map(|_| start_with(&manager, "counts", json!({})));
    for task in &tasks {
        assert_eq!(task.outcome().await.outcome.value(), Some(&json!(1)));
    }
    assert_eq!(value(&manager, json!({})).await, 1);
    assert_eq!(runs.len(), 1);
}

#[test]
fn only_tools_that_read_can_have_a_cache() {
    for effect in [Effect::Once, Effect::Idempotent] {
        let (counts, _) = counts();
        let error = AsyncToolManager::builder()
            .tool(counts.effect(effect).cache(CachePolicy::new(secs(60))))
            .build()
            .unwrap_err()
            .to_string();
        assert!(error.contains("`counts`") && error.contains("`cache`"), "{error}");
    }
    let (counts, _) = counts();
    let without_room = counts.cache(CachePolicy::new(secs(60)).with_capacity(0));
    assert!(AsyncToolManager::builder().tool(without_room).build().is_err());
}

/// A tool that returns a part at its timeout or cancellation, and the whole from the third run on.
fn searches() -> (FunctionTool, Log<()>) {
    let runs = Log::new();
    let noted = runs.clone();
    let searches = tool("searches", move |cx| {
        noted.note(());
        let run = noted.len();
        async move {
            if run < 3 {
                cx.cancellation().cancelled().await;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                return Ok(json!("a part"));
            }
            // A tool that cancels its own token still ends regularly.
            cx.cancellation().cancel();
            Ok(json!("all"))
        }
    });
    (searches.effect(Effect::Read).timeout(secs(5)), runs)
}

#[tokio::test(start_paused = true)]
async fn a_partial_value_of_a_cancelled_call_is_not_cached() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let (searches, runs) = searches();
        let manager = with_slots(1, [searches.cache(CachePolicy::new(secs(60))).dedupe(dedupe)]);
        let timed_out = start(&manager, "searches").outcome().await;
        assert_eq!(timed_out.outcome.value(), Some(&json!("a part")));
        let cancelled = start(&manager, "searches");
        idle().await;
        cancelled.cancel("that will do");
        cancelled.outcome().await;
        for _ in 0..2 {
            let whole = start(&manager, "searches").outcome().await;
            assert_eq!(whole.outcome.value(), Some(&json!("all")), "{dedupe:?}");
        }
        assert_eq!(runs.len(), 3, "{dedupe:?}");
        is_at_rest(&manager, "after parts").await;
    }
}
