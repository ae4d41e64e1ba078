//! State of a manager for a display: slots, queue, rates, breakers, caches.

use async_tool_runtime::{
    AsyncToolManager,
    manager::{BreakerState, ManagerSnapshot, RateSnapshot},
    policy::{BreakerPolicy, CachePolicy, Dedupe, Priority, RateLimit},
    testing::Gates,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{blocking, gate, idle, quick, secs, start, start_in, start_with, tool, tool_of, unavailable};

fn rate(snapshot: &ManagerSnapshot, tool: &str) -> RateSnapshot {
    let tool = snapshot.tools.iter().find(|known| &*known.tool == tool);
    tool.and_then(|tool| tool.rate.clone()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn slots_and_the_queue_are_counted_by_session_and_priority() {
    let endless = || tool("endless", |_| async { std::future::pending().await }).dedupe(Dedupe::Allow);
    let manager = AsyncToolManager::builder()
        .tool(endless())
        .tool(endless().name("urgent").priority(Priority::High))
        .tool(endless().name("single").concurrency(1))
        .concurrency(3)
        .build()
        .unwrap();
    for (session, tool, count) in [("ann", "endless", 4), ("bob", "urgent", 2), ("ann", "single", 1)] {
        for _ in 0..count {
            start_in(&manager, session, tool, json!({}));
        }
    }
    idle().await;
    let snapshot = manager.snapshot();
    assert_eq!((snapshot.slots.slots.limit, snapshot.slots.slots.running), (Some(3), 3));
    let queue = &snapshot.queue;
    assert_eq!((queue.waiting, queue.positions), (4, 4));
    assert_eq!(
        (queue.by_priority.high, queue.by_priority.normal, queue.by_priority.low),
        (2, 2, 0)
    );
    let rows: Vec<_> = queue
        .sessions
        .iter()
        .map(|row| (row.session.as_str(), row.running, row.waiting.high, row.waiting.normal))
        .collect();
    assert_eq!(rows, [("ann", 3, 0, 2), ("bob", 0, 2, 0)]);
    let single = snapshot.tools.iter().find(|tool| &*tool.tool == "single").unwrap();
    assert_eq!(
        single.concurrency.map(|slots| (slots.limit, slots.running)),
        Some((Some(1), 0))
    );
    assert!(
        snapshot.tools.iter().all(|tool| &*tool.tool != "endless"),
        "it has no limit of its own"
    );

    manager.cancel_session(&"ann".into(), "enough");
    // Past the stop timeout, after which functions that don't stop are dropped.
    sleep(secs(60)).await;
    let snapshot = manager.snapshot();
    assert_eq!((snapshot.slots.slots.running, snapshot.queue.waiting), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rate_says_how_much_is_used_and_when_a_start_is_free() {
    let manager = AsyncToolManager::builder()
        .tool(quick().rate(RateLimit::new(2, secs(60))))
        .build()
        .unwrap();
    start(&manager, "quick").outcome().await;
    let used = rate(&manager.snapshot(), "quick");
    assert_eq!(
        (used.calls, used.per, used.used, used.waiting, used.free_at),
        (2, secs(60), 1, 0, None)
    );

    sleep(secs(10)).await;
    start(&manager, "quick").outcome().await;
    let waiting = start(&manager, "quick");
    let more = start(&manager, "quick");
    idle().await;
    let used = rate(&manager.snapshot(), "quick");
    assert_eq!((used.used, used.waiting), (2, 2));
    let free = used.free_at.unwrap();
    assert!(
        free.since(waiting.snapshot().accepted).abs_diff(secs(50)) < secs(1),
        "{used:?}"
    );
    waiting.outcome().await;
    let used = rate(&manager.snapshot(), "quick");
    assert_eq!((used.used, used.waiting), (2, 1));
    more.outcome().await;
    sleep(secs(61)).await;
    let used = rate(&manager.snapshot(), "quick");
    assert_eq!((used.used, used.waiting, used.free_at), (0, 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_says_its_state_and_the_time_of_its_next_probe() {
    let gates = Gates::new();
    let flaky = tool_of("flaky", |arguments, cx| async move {
        match arguments["is_good"] {
            Value::Bool(true) => cx.call_tool("gate", json!({"name": "a"})).await,
            _ => Err(unavailable()),
        }
    });
    let manager = AsyncToolManager::builder()
        .tool(flaky.breaker(BreakerPolicy::new(2, secs(30))))
        .tool(gates.tool())
        .build()
        .unwrap();
    let state = || {
        let snapshot = manager.snapshot();
        let breaker = snapshot.tools[0].breaker.clone().unwrap();
        (breaker.state, breaker.failures, breaker.until)
    };
    assert_eq!(state(), (BreakerState::Closed, 0, None));
    start(&manager, "flaky").outcome().await;
    assert_eq!(state(), (BreakerState::Closed, 1, None));
    let last = start(&manager, "flaky");
    last.outcome().await;
    let (open, failures, until) = state();
    assert_eq!((open, failures), (BreakerState::Open, 2));
    assert!(until.unwrap().since(last.snapshot().accepted).abs_diff(secs(30)) < secs(1));

    sleep(secs(31)).await;
    let probe = start_with(&manager, "flaky", json!({"is_good": true}));
    gates.arrived("a", 1).await;
    assert_eq!(state().0, BreakerState::HalfOpen);
    gates.open("a", json!("up"));
    probe.outcome().await;
    assert_eq!(state(), (BreakerState::Closed, 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_cache_says_how_many_values_it_has() {
    let cached = tool_of("cached", |arguments, _| async move { Ok(arguments) });
    let cached = cached
        .effect(async_tool_runtime::tool::Effect::Read)
        .cache(CachePolicy::new(secs(60)).with_capacity(8));
    let manager = AsyncToolManager::builder().tool(cached).build().unwrap();
    for number in [1, 2, 2] {
        start_with(&manager, "cached", json!({"number": number}))
            .outcome()
            .await;
    }
    let snapshot = manager.snapshot();
    let cache = snapshot.tools[0].cache.unwrap();
    assert_eq!((cache.values, cache.capacity, cache.ttl), (2, 8, secs(60)));
    assert_eq!((snapshot.stats.cache_hits, snapshot.stats.cache_misses), (1, 2));
    assert_eq!(
        serde_json::to_value(&snapshot).unwrap()["tools"][0]["cache"],
        json!({"values": 2, "capacity": 8, "ttl": 60_000})
    );
}

#[tokio::test]
async fn slots_of_blocking_calls_are_counted() {
    let gates = Gates::new();
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = std::sync::Arc::new(std::sync::Mutex::new(receiver));
    let held = blocking("held", move |_| {
        let _end = receiver.lock().unwrap().recv();
        Ok(json!(null))
    });
    let manager = AsyncToolManager::builder()
        .tool(held)
        .tool(gates.tool())
        .blocking_concurrency(2)
        .build()
        .unwrap();
    let task = start(&manager, "held");
    manager.submit(&"s".into(), gate("a")).unwrap();
    gates.arrived("a", 1).await;
    while task.snapshot().started.is_none() {
        tokio::task::yield_now().await;
    }
    let slots = manager.snapshot().slots;
    assert_eq!((slots.slots.limit, slots.slots.running), (None, 2));
    assert_eq!((slots.blocking.limit, slots.blocking.running), (Some(2), 1));
    drop(sender);
    gates.open("a", json!(null));
    task.outcome().await;
}
