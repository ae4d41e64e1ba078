//! Admission of tasks, and their order in the queue.

use async_tool_runtime::{
    AsyncToolManager, Effect, TaskStatus, ToolError, ToolErrorKind,
    manager::{BuildError, WhenFull},
    policy::{Approval, CachePolicy, Dedupe, Priority, RateLimit, RetryPolicy},
    task::TaskSpec,
    testing::Gates,
};
use serde_json::json;
use tokio::time::Instant;

use crate::stand::{
    Crowd, Log, after, call, idle, is_at_rest, kind, quick, secs, session, spec, start, start_in, start_with, tool,
    tool_of,
};

fn gate() -> serde_json::Value {
    json!({"name": "a"})
}

#[tokio::test(start_paused = true)]
async fn tasks_that_wait_for_a_rate_count_in_the_queue() {
    let manager = AsyncToolManager::builder()
        .tool(quick().name("limited").rate(RateLimit::new(1, secs(60))))
        .tool(quick())
        .queue_capacity(2)
        .build()
        .unwrap();
    start(&manager, "limited").outcome().await;
    let waiting = [start(&manager, "limited"), start(&manager, "limited")];
    idle().await;
    assert_eq!(manager.stats().waiting, 2);
    let refusal = manager.submit(&session(), call("limited", json!({}))).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Overloaded);
    assert!(refusal.error().retryable() && refusal.error().not_started());
    assert_eq!(manager.stats().rejected, 1);
    waiting[0].cancel("make room");
    waiting[0].outcome().await;
    start(&manager, "limited").abort("enough");
    waiting[1].outcome().await;
    idle().await;
    is_at_rest(&manager, "after a full queue").await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_consent_hold_no_place_and_are_admitted_again_afterwards() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(quick())
        .tool(quick().name("fires").approval(Approval::Always))
        .concurrency(1)
        .queue_capacity(2)
        .build()
        .unwrap();
    let running = start_with(&manager, "gate", gate());
    let mut asking = Vec::new();
    for _ in 0..5 {
        asking.push(start(&manager, "fires"));
        idle().await;
    }
    assert!(asking.iter().all(|task| task.status() == TaskStatus::InputRequired));
    assert_eq!(manager.stats().waiting, 0);
    let waiting = [start(&manager, "quick"), start(&manager, "quick")];
    assert_eq!(manager.stats().waiting, 2);

    // Admitted tasks go on, and new ones wait for a place.
    for task in &asking[..3] {
        manager.approve(task.id()).unwrap();
    }
    manager.refuse(asking[3].id(), "not that one").unwrap();
    asking[4].cancel("enough");
    idle().await;
    assert_eq!((manager.stats().waiting, manager.stats().open), (5, 6));
    let refusal = manager.submit(&session(), call("quick", json!({}))).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Overloaded);
    asking[0].abort("enough");
    assert_eq!(manager.stats().waiting, 4);

    gates.open("a", json!(1));
    running.outcome().await;
    for task in asking[1..3].iter().chain(&waiting) {
        assert_eq!(task.outcome().await.outcome.value(), Some(&json!("done")));
    }
    is_at_rest(&manager, "after the answers").await;
}

#[tokio::test(start_paused = true)]
async fn the_highest_priority_goes_first_and_within_it_the_earliest_task() {
    let log = Log::new();
    let noting = |name: &'static str, priority| {
        let log = log.clone();
        tool(name, move |_| {
            log.note(name);
            async { Ok(json!(1)) }
        })
        .priority(priority)
    };
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(noting("low", Priority::Low))
        .tool(noting("normal", Priority::Normal))
        .tool(noting("high", Priority::High))
        .concurrency(1)
        .build()
        .unwrap();
    let first = start_with(&manager, "gate", gate());
    let tasks = ["low", "normal", "high", "low", "high"].map(|name| start(&manager, name));
    gates.open("a", json!(1));
    first.outcome().await;
    for task in tasks {
        task.outcome().await;
    }
    assert_eq!(log.all(), ["high", "high", "normal", "low", "low"]);
}

#[tokio::test(start_paused = true)]
async fn the_limits_of_tools_and_sessions_hold_and_delay_no_other_task() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().concurrency(2))
        .tool(quick())
        .session_concurrency(1)
        .concurrency(10)
        .build()
        .unwrap();
    let tasks = ["one", "one", "two", "three"].map(|session| start_in(&manager, session, "gate", gate()));
    idle().await;
    use TaskStatus::{Queued, Running};
    assert_eq!(
        tasks.each_ref().map(|task| task.status()),
        [Running, Queued, Running, Queued]
    );
    assert!(
        start_in(&manager, "three", "quick", json!({}))
            .outcome()
            .await
            .outcome
            .is_completed()
    );
    let held_up = start_in(&manager, "one", "quick", json!({}));
    idle().await;
    assert_eq!(held_up.status(), Queued, "its session is at its limit");
    for _ in 0..4 {
        gates.open("a", json!(1));
    }
    for task in &tasks {
        task.outcome().await;
    }
    held_up.outcome().await;
    is_at_rest(&manager, "after limits").await;
}

#[tokio::test(start_paused = true)]
async fn when_it_rejects_a_full_manager_says_when_to_come_back_and_lets_children_wait() {
    let gates = Gates::new();
    let parent = tool("parent", |cx| async move {
        cx.call_tool("gate", json!({"name": "a"})).await
    });
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(parent)
        .tool(quick())
        .concurrency(2)
        .when_full(WhenFull::Reject { retry_after: secs(7) })
        .build()
        .unwrap();
    let tasks = [start(&manager, "parent"), start(&manager, "parent")];
    idle().await;
    let refusal = manager.submit(&session(), call("quick", json!({}))).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Overloaded);
    assert_eq!(refusal.error().retry_after(), Some(secs(7)));
    gates.open("a", json!(1));
    gates.open("a", json!(1));
    for task in &tasks {
        assert!(task.outcome().await.outcome.is_completed());
    }
    is_at_rest(&manager, "after rejections").await;
}

#[tokio::test(start_paused = true)]
async fn when_it_runs_inline_every_session_has_one_task_beyond_the_limit() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(quick())
        .concurrency(1)
        .when_full(WhenFull::RunInline)
        .build()
        .unwrap();
    let tasks = ["one", "one", "one", "two", "two"].map(|session| start_in(&manager, session, "gate", gate()));
    idle().await;
    use TaskStatus::{Queued, Running};
    let statuses = tasks.each_ref().map(|task| task.status());
    assert_eq!(statuses, [Running, Running, Queued, Running, Queued]);
    for _ in 0..5 {
        gates.open("a", json!(1));
    }
    for task in &tasks {
        task.outcome().await;
    }
    is_at_rest(&manager, "after tasks beyond the limit").await;
}

#[tokio::test(start_paused = true)]
async fn when_it_runs_inline_a_session_goes_on_however_full_the_manager_is() {
    let gates = Gates::new();
    let log = Log::new();
    let notes = {
        let log = log.clone();
        tool_of("notes", move |arguments, _| {
            log.note(arguments["number"].as_u64().unwrap());
            async {
                tokio::time::sleep(secs(1)).await;
                Ok(json!(null))
            }
        })
    };
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(notes)
        .tool(quick())
        .concurrency(1)
        .when_full(WhenFull::RunInline)
        .build()
        .unwrap();
    let full = start_in(&manager, "other", "gate", gate());
    let begin = Instant::now();
    let tasks = [1, 2, 3].map(|number| start_with(&manager, "notes", json!({"number": number})));
    tasks[0].outcome().await;
    // A new task comes behind those that wait.
    let last = start_with(&manager, "notes", json!({"number": 4}));
    for task in tasks.iter().chain([&last]) {
        let result = tokio::time::timeout(secs(60), task.outcome()).await;
        assert!(result.is_ok(), "the session stands still");
    }
    assert_eq!(begin.elapsed(), secs(4), "one at a time");
    assert_eq!(log.all(), [1, 2, 3, 4]);
    gates.open("a", json!(1));
    full.outcome().await;
    is_at_rest(&manager, "after tasks beyond the limit, one after the other").await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_task_that_waits_for_a_slot() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(quick())
        .concurrency(1)
        .build()
        .unwrap();
    let first = start_with(&manager, "gate", gate());
    let begin = Instant::now();
    let late = manager
        .submit_task(spec("quick").with_deadline(after(&first, secs(5))))
        .unwrap();
    let result = late.outcome().await;
    assert_eq!((kind(&result), result.attempts), (Some(ToolErrorKind::Timeout), 0));
    assert_eq!(begin.elapsed(), secs(5));
    gates.open("a", json!(1));
    first.outcome().await;
    let past = manager
        .submit_task(spec("quick").with_deadline(after(&first, secs(1))))
        .unwrap();
    let result = past.outcome().await;
    assert_eq!(
        (kind(&result), result.attempts),
        (Some(ToolErrorKind::Timeout), 0),
        "it never ran"
    );
    is_at_rest(&manager, "after deadlines").await;
}

#[tokio::test(start_paused = true)]
async fn no_tokio_task_that_watches_a_task_outlives_it() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .stop_timeout(secs(1_000))
        .concurrency(1)
        .build()
        .unwrap();
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let first = start_with(&manager, "gate", gate());
    idle().await;
    // The slot of the first task.
    assert_eq!(alive(), 1);
    for _ in 0..100 {
        let spec = TaskSpec::new(session(), call("gate", gate())).with_deadline(after(&first, secs(1_000_000)));
        manager.submit_task(spec).unwrap().cancel("enough");
    }
    idle().await;
    first.cancel("enough");
    gates.open("a", json!(1));
    first.outcome().await;
    idle().await;
    assert_eq!(alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_a_tool_sees_is_the_nearer_of_timeout_and_task() {
    let looks = tool("looks", |cx| async move {
        assert_eq!(cx.deadline().map(|at| at - Instant::now()), cx.remaining());
        Ok(json!(cx.remaining().map(|left| left.as_secs())))
    });
    let manager = AsyncToolManager::builder()
        .tool(looks.clone())
        .tool(looks.name("timed").timeout(secs(10)))
        .tool(quick())
        .build()
        .unwrap();
    let reference = start(&manager, "quick");
    for (tool, deadline, expected) in [
        ("looks", None, json!(null)),
        ("looks", Some(20), json!(20)),
        ("timed", None, json!(10)),
        ("timed", Some(5), json!(5)),
        ("timed", Some(20), json!(10)),
    ] {
        let mut spec = spec(tool);
        spec.deadline = deadline.map(|deadline| after(&reference, secs(deadline)));
        let result = manager.submit_task(spec).unwrap().outcome().await;
        assert_eq!(result.outcome.value(), Some(&expected), "{tool} {deadline:?}");
    }
}

#[test]
fn a_session_without_slots_can_not_be_built() {
    let error = AsyncToolManager::builder().session_concurrency(0).build().unwrap_err();
    assert_eq!(error, BuildError::NoSlots);
}

#[tokio::test(start_paused = true)]
async fn a_weight_that_can_not_be_said_is_one() {
    let crowd = Crowd::default();
    let inside = crowd.clone();
    let counting = tool("counting", move |_| {
        let inside = inside.enter();
        async move {
            let _inside = inside;
            Ok(json!(1))
        }
    });
    let manager = AsyncToolManager::builder()
        .tool(counting)
        .tool(quick())
        .concurrency(1)
        .session_weight(|_| panic!("no idea"))
        .build()
        .unwrap();
    for task in [start(&manager, "counting"), start(&manager, "counting")] {
        assert!(task.outcome().await.outcome.is_completed());
    }
    assert_eq!(crowd.most(), 1);
    is_at_rest(&manager, "after a weight that panics").await;
}

#[tokio::test(start_paused = true)]
async fn many_sessions_each_get_their_own_results() {
    use std::{
        collections::HashMap,
        sync::{Arc, Mutex},
    };
    let heard = Arc::new(Mutex::new(HashMap::<String, u32>::new()));
    let counter = Arc::clone(&heard);
    let echo = tool_of("echo", |arguments, cx| async move {
        tokio::task::yield_now().await;
        assert_eq!(arguments["session"], cx.session().as_str());
        Ok(arguments["session"].clone())
    });
    let manager = AsyncToolManager::builder()
        .tool(echo)
        .tool(quick())
        .retained_tasks(0)
        .on_complete(move |result| {
            assert_eq!(
                result.outcome.value().and_then(|value| value.as_str()),
                Some(result.session.as_str())
            );
            *counter
                .lock()
                .unwrap()
                .entry(result.session.as_str().to_owned())
                .or_default() += 1;
        })
        .build()
        .unwrap();
    let mut tasks = Vec::new();
    for _ in 0..10 {
        for number in 0..1_000 {
            let session = format!("s{number}");
            let arguments = json!({"session": session});
            tasks.push((session.clone(), start_in(&manager, &session, "echo", arguments)));
        }
    }
    for (session, task) in &tasks {
        let result = task.outcome().await;
        assert_eq!(
            (result.session.as_str(), result.outcome.value()),
            (&**session, Some(&json!(session)))
        );
    }
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 1_000);
    assert!(heard.values().all(|of_session| *of_session == 10));
    assert_eq!((manager.stats().completed, manager.stats().open), (10_000, 0));
}

#[tokio::test(start_paused = true)]
async fn the_managers_limit_to_a_task_covers_its_waiting_and_all_its_attempts() {
    let never = tool("never", |_| async {
        Err(ToolError::new(ToolErrorKind::Unavailable, "down"))
    });
    let never = never
        .effect(Effect::Read)
        .retry(RetryPolicy::new(100).with_backoff(secs(1), secs(1)));
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(never)
        .tool(gates.tool())
        .tool(quick())
        .concurrency(1)
        .task_timeout(secs(10))
        .build()
        .unwrap();
    let retried = start(&manager, "never").outcome().await;
    assert!(
        retried.attempts > 5 && retried.timing.elapsed() <= secs(10),
        "{retried:?}"
    );

    let working = start_with(&manager, "gate", gate());
    idle().await;
    let waiting = start_with(&manager, "gate", gate());
    for task in [working, waiting] {
        let result = task.outcome().await;
        assert_eq!(
            (kind(&result), result.timing.elapsed()),
            (Some(ToolErrorKind::Timeout), secs(10))
        );
    }
    is_at_rest(&manager, "after the limit").await;
}

/// A manager with one slot that refuses when it is full, with a cached tool and `gate`.
fn refusing(gates: &Gates, dedupe: Dedupe) -> AsyncToolManager {
    let counts = Log::new();
    let counts = tool_of("counts", move |_, _| {
        counts.note(());
        let run = counts.len();
        async move { Ok(json!(run)) }
    });
    let kept = counts.effect(Effect::Read).cache(CachePolicy::new(secs(60)));
    AsyncToolManager::builder()
        .tool(kept.dedupe(dedupe))
        .tool(gates.tool().dedupe(Dedupe::Share))
        .tool(quick())
        .concurrency(1)
        .when_full(WhenFull::Reject { retry_after: secs(7) })
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_full_manager_that_rejects_accepts_calls_that_need_no_slot() {
    let gates = Gates::new();
    let manager = refusing(&gates, Dedupe::Allow);
    let kept = start(&manager, "counts").outcome().await;
    let full = start_with(&manager, "gate", gate());
    gates.arrived("a", 1).await;
    let again = start(&manager, "counts").outcome().await;
    assert_eq!(again.outcome.value(), kept.outcome.value(), "a value that is kept");
    let shares = start_with(&manager, "gate", gate());
    idle().await;
    assert_eq!(shares.status(), TaskStatus::Running, "a run that others have begun");
    gates.open("a", json!(1));
    for task in [full, shares] {
        assert_eq!(task.outcome().await.outcome.value(), Some(&json!(1)));
    }
    is_at_rest(&manager, "after calls without a slot").await;
}

#[tokio::test(start_paused = true)]
async fn a_full_manager_that_rejects_fails_calls_that_turn_out_to_need_a_slot() {
    let gates = Gates::new();
    let manager = refusing(&gates, Dedupe::Allow);
    let full = start_with(&manager, "gate", gate());
    gates.arrived("a", 1).await;
    let others = [
        start(&manager, "counts"),
        start_with(&manager, "gate", json!({"name": "b"})),
    ];
    for task in others {
        let result = tokio::time::timeout(secs(60), task.outcome())
            .await
            .expect("it does not wait");
        let error = result.outcome.error().unwrap();
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ToolErrorKind::Overloaded, Some(secs(7)))
        );
        assert!(error.not_started() && result.timing.started.is_none());
        assert_eq!(result.attempts, 0);
    }
    assert_eq!(manager.stats().rejected, 2);
    gates.open("a", json!(1));
    full.outcome().await;
    assert_eq!(
        start(&manager, "counts").outcome().await.outcome.value(),
        Some(&json!(1)),
        "it had not run"
    );
    is_at_rest(&manager, "after late refusals").await;
}

#[tokio::test(start_paused = true)]
async fn a_manager_that_rejects_queues_none_of_many_simultaneous_calls() {
    let gates = Gates::new();
    let manager = refusing(&gates, Dedupe::Allow);
    // No task has the slot yet when they are submitted.
    let tasks = ["a", "b", "c"].map(|name| start_with(&manager, "gate", json!({"name": name})));
    gates.arrived("a", 1).await;
    idle().await;
    assert_eq!(
        tasks.each_ref().map(|task| task.status()),
        [TaskStatus::Running, TaskStatus::Failed, TaskStatus::Failed]
    );
    assert_eq!(manager.stats().rejected, 2);
    gates.open("a", json!(1));
    tasks[0].outcome().await;
    is_at_rest(&manager, "after calls that came at once").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_take_the_place_of_another_is_refused_before_it_does() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(
            gates
                .tool()
                .effect(Effect::Read)
                .cache(CachePolicy::new(secs(60)))
                .dedupe(Dedupe::Replace),
        )
        .tool(quick())
        .concurrency(1)
        .when_full(WhenFull::Reject { retry_after: secs(7) })
        .build()
        .unwrap();
    let first = start_with(&manager, "gate", gate());
    gates.arrived("a", 1).await;
    let refusal = manager.submit(&session(), call("gate", gate())).unwrap_err();
    assert_eq!(refusal.error().retry_after(), Some(secs(7)));
    gates.open("a", json!(1));
    assert_eq!(first.outcome().await.outcome.value(), Some(&json!(1)), "it goes on");
    is_at_rest(&manager, "after a refusal").await;
}
