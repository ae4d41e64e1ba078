//! Claims of tasks that wait, end, share or run below others.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{
    Effect, FunctionTool, SessionId, TaskHandle, TaskStatus, ToolContext, ToolDefinition, ToolErrorKind,
    policy::{Approval, CachePolicy, Dedupe, RetryPolicy},
    task::TaskSpec,
    tool::BoundCall,
};
use serde_json::{Value, json};
use tokio::{
    runtime,
    sync::mpsc,
    time::{sleep, timeout},
};

use super::files::{builder, millis, on, schema, seconds, tool_of, work};
use crate::stand::{after, call, idle, is_at_rest, kind, secs, start, start_with, unavailable};

#[tokio::test(start_paused = true)]
async fn a_waiting_task_holds_no_slot_can_be_cancelled_and_keeps_its_deadline() {
    let manager = builder().concurrency(2).build().unwrap();
    let first = start_with(&manager, "write", json!({"path": "a", "millis": 10_000}));
    let cancelled = start_with(&manager, "write", on("a"));
    let aborted = start_with(&manager, "write", on("a"));
    let late = TaskSpec::new(SessionId::new("s"), call("write", on("a"))).with_deadline(after(&first, secs(3)));
    let late = manager.submit_task(late).unwrap();
    let last = start_with(&manager, "write", on("a"));
    idle().await;
    assert_eq!((manager.stats().running, manager.stats().waiting), (1, 4));
    assert!(start(&manager, "quick").outcome().await.outcome.is_completed());
    cancelled.cancel("enough");
    aborted.abort("enough");
    assert_eq!(cancelled.outcome().await.status(), TaskStatus::Cancelled);
    assert_eq!(aborted.outcome().await.status(), TaskStatus::Cancelled);
    assert_eq!(kind(&*late.outcome().await), Some(ToolErrorKind::Timeout));
    let result = last.outcome().await;
    assert_eq!(
        result.timing.queued().as_secs(),
        10,
        "the one that holds it was left alone"
    );
    is_at_rest(&manager, "after those who waited").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
}

#[tokio::test(start_paused = true)]
async fn however_a_task_ends_the_next_one_goes_on() {
    type Way = (&'static str, FunctionTool, fn(&TaskHandle));
    let forever = || tool_of("first", |_, _| std::future::pending());
    let nothing: fn(&TaskHandle) = |_| {};
    let ways: [Way; 7] = [
        ("a value", work("first"), nothing),
        (
            "an error",
            tool_of("first", |_, _| async { Err(unavailable()) }),
            nothing,
        ),
        ("a panic", tool_of("first", |_, _| async { panic!("broken") }), nothing),
        ("a timeout", forever().timeout(secs(1)), nothing),
        ("a cancellation", forever(), |task| task.cancel("enough")),
        ("an abort", forever(), |task| task.abort("enough")),
        (
            "its last attempt",
            tool_of("first", |_, _| async { Err(unavailable()) })
                .effect(Effect::Read)
                .retry(RetryPolicy::new(3)),
            nothing,
        ),
    ];
    for (what, first, then) in ways {
        let manager = builder().tool(first.writes("path")).build().unwrap();
        let first = start_with(&manager, "first", on("a"));
        let next = start_with(&manager, "write", on("a"));
        idle().await;
        then(&first);
        let result = timeout(secs(60), next.outcome())
            .await
            .unwrap_or_else(|_| panic!("{what}"));
        assert!(result.outcome.is_completed(), "{what}");
        first.outcome().await;
        is_at_rest(&manager, what).await;
    }
}

#[test]
fn a_runtime_that_is_dropped_leaves_nothing_behind() {
    let manager = builder()
        .tool(tool_of("first", |_, _| std::future::pending()).writes("path"))
        .build()
        .unwrap();
    for _ in 0..2 {
        let one = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        one.block_on(async {
            start_with(&manager, "first", on("a"));
            start_with(&manager, "write", on("a"));
            idle().await;
            assert_eq!(manager.stats().waiting_for_resources, 1);
        });
        drop(one);
        assert_eq!(manager.stats().waiting_for_resources, 0);
        let other = runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        other.block_on(async {
            let task = start_with(&manager, "write", on("a"));
            assert!(timeout(secs(60), task.outcome()).await.unwrap().outcome.is_completed());
        });
    }
}

#[tokio::test]
async fn a_blocking_function_that_goes_on_after_its_cancellation_keeps_its_claims() {
    let (began, mut has_begun) = mpsc::unbounded_channel();
    let (go, stop) = std::sync::mpsc::channel::<()>();
    let stop = Arc::new(Mutex::new(stop));
    let definition = ToolDefinition::new("stubborn", "Goes on.", schema());
    let stubborn = FunctionTool::from_parts(definition, move |_| {
        let (began, stop) = (began.clone(), Arc::clone(&stop));
        Ok(BoundCall::blocking(move |_| {
            began.send(()).unwrap();
            stop.lock().unwrap().recv().unwrap();
            Ok(Value::Null)
        }))
    });
    let manager = builder().tool(stubborn.writes("path")).build().unwrap();
    let first = start_with(&manager, "stubborn", on("a"));
    has_begun.recv().await.unwrap();
    first.abort("enough");
    assert_eq!(first.outcome().await.status(), TaskStatus::Cancelled);
    let next = start_with(&manager, "write", json!({"path": "a", "millis": 0}));
    assert!(timeout(millis(50), next.outcome()).await.is_err());
    assert_eq!(
        (manager.stats().quarantined, manager.stats().waiting_for_resources),
        (1, 1)
    );
    go.send(()).unwrap();
    assert!(next.outcome().await.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_child_task_passes_the_claims_of_its_parent_and_no_others() {
    let family = |name: &str, child: &'static str| {
        tool_of(name, move |arguments, cx: ToolContext| async move {
            let below = || cx.call_tool::<Value>(child, &arguments);
            let (one, other) = tokio::join!(below(), below());
            one.and(other)
        })
    };
    let manager = builder()
        .tool(family("parent", "write").writes("path"))
        .tool(family("grandparent", "parent").writes("path"))
        .tool(family("reader", "read").reads("path"))
        .tool(family("unnamed", "write"))
        .tool(family("root", "unnamed").writes("path"))
        .build()
        .unwrap();
    for (tool, ends) in [
        ("parent", 2),
        ("grandparent", 4),
        ("reader", 1),
        ("unnamed", 2),
        ("root", 4),
    ] {
        let tasks = [
            start_with(&manager, tool, on("a")),
            start_with(&manager, "write", on("a")),
        ];
        let results = timeout(secs(60), seconds(&tasks)).await;
        let mut expected = [(0, ends), (ends, ends + 1)];
        if tool == "unnamed" {
            // It holds no claim itself: the stranger came before the tasks below it.
            expected = [(0, 3), (0, 1)];
        }
        assert_eq!(results.unwrap_or_else(|_| panic!("{tool}")), expected, "{tool}");
    }
    is_at_rest(&manager, "after families").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_of_a_task_that_only_reads_may_not_write() {
    let parent = tool_of("parent", |arguments, cx: ToolContext| async move {
        cx.call_tool::<Value>("write", arguments).await
    });
    let manager = builder().tool(parent.reads("path")).build().unwrap();
    let result = start_with(&manager, "parent", on("a")).outcome().await;
    let error = result.outcome.error().unwrap();
    assert_eq!(error.kind(), ToolErrorKind::Internal);
    assert_eq!(
        error.message(),
        "`write` writes the path `a`, which a task above it only reads: say `writes` at the tool above, which keeps others \
         away from the beginning"
    );
    is_at_rest(&manager, "after a refusal").await;
}

#[tokio::test(start_paused = true)]
async fn families_that_would_wait_for_each_other_do_not() {
    let cross = tool_of("cross", |arguments, cx: ToolContext| async move {
        sleep(secs(1)).await;
        cx.call_tool::<Value>("write", json!({"path": arguments["other"]}))
            .await
    });
    let manager = builder().tool(cross.writes("path")).build().unwrap();
    let one = start_with(&manager, "cross", json!({"path": "a", "other": "b"}));
    let other = start_with(&manager, "cross", json!({"path": "b", "other": "a"}));
    let (one, other) = timeout(secs(60), async { tokio::join!(one.outcome(), other.outcome()) })
        .await
        .unwrap();
    assert!(one.outcome.is_completed());
    let error = other.outcome.error().unwrap();
    assert_eq!(error.kind(), ToolErrorKind::Unavailable);
    assert!(error.retryable() && !error.not_started(), "the task above has begun");
    is_at_rest(&manager, "after a circle").await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_people_or_for_its_completion_keeps_its_claims() {
    let later = tool_of("later", |_, cx: ToolContext| async move { cx.defer().await });
    let ask = tool_of("ask", |_, cx: ToolContext| async move {
        cx.request_input("Well?", json!({})).await
    });
    let manager = builder()
        .tool(later.writes("path"))
        .tool(ask.writes("path"))
        .build()
        .unwrap();
    for tool in ["later", "ask"] {
        let first = start_with(&manager, tool, on("a"));
        let next = start_with(&manager, "write", on("a"));
        sleep(secs(100)).await;
        assert_eq!(
            (manager.stats().running, next.status()),
            (0, TaskStatus::Queued),
            "{tool}"
        );
        match tool {
            "later" => manager.resolve(first.id(), 1).unwrap(),
            _ => manager.answer(first.id(), 1).unwrap(),
        }
        assert!(next.outcome().await.outcome.is_completed(), "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_consent_takes_its_turn_when_it_has_it() {
    let manager = builder()
        .tool(work("asked").writes("path").approval(Approval::Always))
        .build()
        .unwrap();
    let asked = start_with(&manager, "asked", on("a"));
    idle().await;
    let next = start_with(&manager, "write", on("a"));
    assert!(
        next.outcome().await.outcome.is_completed(),
        "a task that waits for consent delays no other task"
    );
    manager.approve(asked.id()).unwrap();
    assert!(asked.outcome().await.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn cached_and_shared_calls_wait_for_no_claims() {
    let cached = work("cached")
        .effect(Effect::Read)
        .reads("path")
        .cache(CachePolicy::new(secs(600)));
    let shared = work("shared").effect(Effect::Read).reads("path").dedupe(Dedupe::Share);
    let manager = builder().tool(cached).tool(shared).build().unwrap();
    start_with(&manager, "cached", on("a")).outcome().await;
    let first = start_with(&manager, "shared", on("a"));
    idle().await;
    let writer = start_with(&manager, "write", on("a"));
    let tasks = [
        start_with(&manager, "cached", on("a")),
        start_with(&manager, "shared", on("a")),
        start_with(&manager, "read", on("a")),
    ];
    idle().await;
    assert_eq!(
        manager.stats().waiting_for_resources,
        2,
        "the writer, and the task that only reads"
    );
    let seconds = seconds(&tasks).await;
    assert_eq!(first.outcome().await.timing.running().as_secs(), 1);
    assert_eq!(writer.outcome().await.timing.queued().as_millis(), 999);
    assert_eq!((seconds[0].1, seconds[2].0), (0, 1), "{seconds:?}");
    assert!(tasks[1].result().unwrap().outcome.is_completed());
    is_at_rest(&manager, "after calls that shared").await;
    assert_eq!(manager.stats().waiting_for_resources, 0);
}
