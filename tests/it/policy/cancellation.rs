//! Cancelled tasks, and tasks that can't be stopped.

use std::sync::{Arc, Mutex, mpsc};

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, SessionId, TaskOutcome, ToolDefinition, ToolError,
    policy::{CachePolicy, Dedupe},
    task::{TaskSpec, TurnNo},
    testing::Gates,
    tool::BoundCall,
};
use serde_json::json;

use crate::stand::{blocking, call, idle, is_at_rest, quick, secs, session, start, start_in, tool};

fn hangs() -> FunctionTool {
    tool("hangs", |_| std::future::pending())
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_session_or_a_turn_reaches_only_its_own_tasks() {
    let calls = tool("calls", |cx| async move { cx.call_tool("hangs", json!({})).await });
    let manager = AsyncToolManager::builder()
        .tool(hangs())
        .tool(calls)
        .tool(quick())
        .concurrency(3)
        .build()
        .unwrap();
    let in_turn = |turn| {
        let spec = TaskSpec::new(session(), call("calls", json!({}))).with_turn(TurnNo::new(turn));
        manager.submit_task(spec).unwrap()
    };
    let (first, second) = (in_turn(1), in_turn(2));
    let other = start_in(&manager, "other", "hangs", json!({}));
    let waiting = start_in(&manager, "other", "hangs", json!({}));
    idle().await;
    assert_eq!(
        manager.cancel_turn(&session(), TurnNo::new(1), "a new question"),
        1,
        "its children aren't counted"
    );
    assert_eq!(
        first.outcome().await.outcome,
        TaskOutcome::Cancelled("a new question".to_owned())
    );
    assert!(second.result().is_none());
    idle().await;
    let open_of_session = || manager.stats().open - 2;
    assert_eq!(open_of_session(), 2, "the children of the first have ended with it");
    assert_eq!(manager.cancel_session(&session(), "closed"), 1);
    assert_eq!(
        second.outcome().await.outcome,
        TaskOutcome::Cancelled("closed".to_owned())
    );
    tokio::time::sleep(secs(10)).await;
    assert!(other.result().is_none());
    assert_eq!(manager.cancel_session(&SessionId::new("other"), "closed"), 2);
    assert_eq!(
        waiting.outcome().await.outcome,
        TaskOutcome::Cancelled("closed".to_owned())
    );
    other.outcome().await;
    idle().await;
    is_at_rest(&manager, "after all were cancelled").await;
}

#[tokio::test]
async fn a_blocking_function_that_does_not_stop_is_in_quarantine_until_it_returns() {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel();
    let blocks = blocking("blocks", move |_| {
        started.send(()).unwrap();
        let _until_the_test_is_over = released.lock().unwrap().recv();
        Ok(json!("late"))
    });
    let manager = AsyncToolManager::builder()
        .tool(blocks)
        .tool(quick())
        .concurrency(1)
        .stop_timeout(secs(0))
        .build()
        .unwrap();
    let task = start(&manager, "blocks");
    has_started.recv().await.unwrap();
    task.cancel("enough");
    assert_eq!(
        task.outcome().await.outcome,
        TaskOutcome::Cancelled("enough".to_owned())
    );
    assert_eq!(manager.stats().quarantined, 1);
    is_at_rest(&manager, "its slot is given to others").await;
    release.send(()).unwrap();
    while manager.stats().quarantined > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_async_function_that_blocks_its_thread_is_given_up_and_counted_and_its_slot_comes_back() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let (started, mut has_started) = tokio::sync::mpsc::unbounded_channel();
        let rude = tool("rude", move |_| {
            let (started, released) = (started.clone(), Arc::clone(&released));
            async move {
                started.send(()).unwrap();
                let _until_the_test_is_over = released.lock().unwrap().recv();
                Ok(json!("late"))
            }
        });
        let manager = AsyncToolManager::builder()
            .tool(rude.dedupe(dedupe))
            .tool(quick())
            .concurrency(1)
            .stop_timeout(secs(0))
            .build()
            .unwrap();
        let task = start(&manager, "rude");
        has_started.recv().await.unwrap();
        task.cancel("enough");
        assert_eq!(
            task.outcome().await.outcome,
            TaskOutcome::Cancelled("enough".to_owned())
        );
        let next = start(&manager, "quick");
        let next = tokio::time::timeout(secs(10), next.outcome()).await;
        assert!(next.is_ok(), "{dedupe:?}: the slot is not back");
        is_at_rest(&manager, "while the thread is blocked").await;
        assert_eq!(manager.stats().quarantined, 1, "{dedupe:?}");
        release.send(()).unwrap();
        while manager.stats().quarantined > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_timeout_without_end_is_waited_for() {
    let tidies = tool("tidies", |cx| async move {
        cx.cancellation().cancelled().await;
        tokio::time::sleep(secs(1_000_000)).await;
        Err(ToolError::failed("undone"))
    });
    let manager = AsyncToolManager::builder()
        .tool(tidies.clone())
        .tool(
            tidies
                .name("cached")
                .effect(Effect::Read)
                .cache(CachePolicy::new(secs(60))),
        )
        .stop_timeout(std::time::Duration::MAX)
        .build()
        .unwrap();
    for name in ["tidies", "cached"] {
        let task = start(&manager, name);
        idle().await;
        task.cancel("enough");
        let outcome = task.outcome().await.outcome.clone();
        assert!(matches!(outcome, TaskOutcome::Cancelled(_)), "{name}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_the_last_sharing_call_ends_the_run_without_a_stop_timeout() {
    let manager = AsyncToolManager::builder()
        .tool(hangs().dedupe(Dedupe::Share))
        .tool(quick())
        .concurrency(1)
        .stop_timeout(secs(1_000))
        .build()
        .unwrap();
    let tasks = [start(&manager, "hangs"), start(&manager, "hangs")];
    idle().await;
    tasks[0].abort("now");
    idle().await;
    assert!(
        tasks[1].result().is_none() && manager.stats().running == 1,
        "the other still wants it"
    );
    tasks[1].abort("now");
    idle().await;
    is_at_rest(&manager, "after both were aborted").await;
}

#[tokio::test(start_paused = true)]
async fn arguments_that_panic_when_they_are_dropped_harm_only_their_task() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let definition = ToolDefinition::new("armed", "Is armed.", json!({"type": "object"}));
    let armed = FunctionTool::from_parts(definition, |_| {
        let bomb = Bomb;
        Ok(BoundCall::future(move |_| async move {
            let _not_dropped_here = std::mem::ManuallyDrop::new(bomb);
            Ok(json!(null))
        }))
    });
    let manager = AsyncToolManager::builder()
        .tool(armed)
        .tool(hangs())
        .tool(quick())
        .concurrency(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    let hangs = start(&manager, "hangs");
    let waiting = start(&manager, "armed");
    let refusal = manager.submit(&session(), call("armed", json!({}))).unwrap_err();
    assert_eq!(refusal.kind(), async_tool_runtime::ToolErrorKind::Overloaded);
    waiting.cancel("enough");
    let result = waiting.result().expect("it has ended");
    assert_eq!(result.outcome, TaskOutcome::Cancelled("enough".to_owned()));
    hangs.abort("enough");
    idle().await;
    let has_slot = start(&manager, "armed");
    has_slot.cancel("enough");
    assert_eq!(
        has_slot.outcome().await.outcome,
        TaskOutcome::Cancelled("enough".to_owned())
    );
    is_at_rest(&manager, "after the bombs").await;
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_turn_leaves_a_run_alone_that_another_turn_shares() {
    let gates = Gates::new();
    let calls = tool(
        "calls",
        |cx| async move { cx.call_tool("gate", json!({"name": "a"})).await },
    );
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(calls.dedupe(Dedupe::Share))
        .build()
        .unwrap();
    let [first, second] = [1, 2].map(|turn| {
        let spec = TaskSpec::new(session(), call("calls", json!({}))).with_turn(TurnNo::new(turn));
        manager.submit_task(spec).unwrap()
    });
    idle().await;
    assert_eq!(manager.cancel_turn(&session(), TurnNo::new(1), "enough"), 1);
    assert_eq!(
        first.outcome().await.outcome,
        TaskOutcome::Cancelled("enough".to_owned())
    );
    gates.open("a", json!(7));
    assert_eq!(second.outcome().await.outcome, TaskOutcome::Completed(json!(7)));
}
