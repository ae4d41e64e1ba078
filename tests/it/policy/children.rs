//! Tasks that submit tasks.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, TaskHandle, TaskOutcome, ToolError, ToolErrorKind,
    manager::{AsyncToolManagerBuilder, ChildTask},
    policy::{BreakerPolicy, Priority, RetryPolicy},
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::stand::{
    Crowd, Log, idle, is_at_rest, kind, quick, secs, spec, start, start_with, tool, tool_of, unavailable,
};

/// `depth` levels of calls, two at once on each. Every function is counted while it computes.
fn tree(crowd: &Crowd) -> FunctionTool {
    let crowd = crowd.clone();
    tool_of("tree", move |arguments, cx| {
        let crowd = crowd.clone();
        async move {
            let compute = async || {
                let _inside = crowd.enter();
                tokio::task::yield_now().await;
            };
            compute().await;
            let depth = arguments["depth"].as_u64().unwrap();
            if depth == 0 {
                return Ok(json!(1));
            }
            let below = json!({"depth": depth - 1});
            let (one, other) = tokio::join!(
                cx.call_tool::<u64>("tree", below.clone()),
                cx.call_tool::<u64>("tree", below.clone())
            );
            compute().await;
            Ok(json!(1 + one? + other?))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn many_trees_of_tasks_run_in_few_slots_and_never_in_more() {
    for slots in [1, 2] {
        let crowd = Crowd::default();
        let manager = AsyncToolManager::builder()
            .tool(tree(&crowd))
            .tool(quick())
            .concurrency(slots)
            .build()
            .unwrap();
        let tasks: Vec<_> = (0..50)
            .map(|_| start_with(&manager, "tree", json!({"depth": 2})))
            .collect();
        for task in tasks {
            let result = tokio::time::timeout(secs(600), task.outcome()).await;
            let result = result.expect("tasks that wait for each other do not stand still");
            assert_eq!(result.outcome.value(), Some(&json!(7)), "1 + 2 + 4");
        }
        assert_eq!(crowd.most(), slots, "{slots} slots");
        is_at_rest(&manager, "after the trees").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_below_another_has_the_higher_priority_of_the_two() {
    let log = Log::new();
    let noting = |name: &'static str, priority| {
        let log = log.clone();
        let noting = tool(name, move |_| {
            log.note(name);
            async { Ok(json!(null)) }
        });
        noting.priority(priority)
    };
    let urgent = tool("urgent", |cx| async move { cx.call_tool("low", json!({})).await });
    let manager = AsyncToolManager::builder()
        .tool(urgent.priority(Priority::High))
        .tool(noting("low", Priority::Low))
        .tool(noting("normal", Priority::Normal))
        .tool(quick())
        .concurrency(1)
        .build()
        .unwrap();
    let tasks = ["normal", "low", "normal", "urgent"].map(|tool| start(&manager, tool));
    for task in tasks {
        task.outcome().await;
    }
    // The first task has the slot, then the urgent task and the tasks it waits for.
    assert_eq!(log.all(), ["normal", "low", "normal", "low"]);
    is_at_rest(&manager, "after the urgent one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trees_of_tasks_on_two_threads_keep_to_the_limits_of_tool_and_session() {
    let crowd = Crowd::default();
    let manager = AsyncToolManager::builder()
        .tool(tree(&crowd).concurrency(2))
        .tool(quick())
        .session_concurrency(2)
        .concurrency(3)
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|_| start_with(&manager, "tree", json!({"depth": 2})))
        .collect();
    for task in tasks {
        let result = tokio::time::timeout(secs(60), task.outcome()).await.expect("it ends");
        assert_eq!(result.outcome.value(), Some(&json!(7)));
    }
    assert!(crowd.most() <= 2, "{}", crowd.most());
    is_at_rest(&manager, "after the trees").await;
}

/// A parent that runs `then` after it has submitted its child, the child, and a grandchild. Each notes its end.
struct Family {
    manager: AsyncToolManager,
    ends: Log<&'static str>,
}

/// Notes when it is dropped.
struct End(Log<&'static str>, &'static str);

impl Drop for End {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

impl Family {
    fn new<F, Fut>(then: F) -> Self
    where
        F: Fn(ChildTask) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, async_tool_runtime::ToolError>> + Send + 'static,
    {
        let ends = Log::new();
        let (of_parent, of_child, of_grandchild) = (ends.clone(), ends.clone(), ends.clone());
        let parent = tool("parent", move |cx| {
            let (then, end) = (then.clone(), End(of_parent.clone(), "parent"));
            async move {
                let _end = end;
                let child = cx.submit_tool("child", json!({}))?;
                tokio::time::sleep(secs(1)).await;
                then(child).await
            }
        });
        let child = tool("child", move |cx| {
            let end = End(of_child.clone(), "child");
            async move {
                let _end = end;
                cx.call_tool("grandchild", json!({})).await
            }
        });
        let grandchild = tool("grandchild", move |_| {
            let end = End(of_grandchild.clone(), "grandchild");
            async move {
                let _end = end;
                std::future::pending().await
            }
        });
        let manager = AsyncToolManager::builder()
            .tool(parent.timeout(secs(5)))
            .tool(child)
            .tool(grandchild)
            .tool(quick())
            .stop_timeout(secs(2))
            .build()
            .unwrap();
        Self { manager, ends }
    }

    async fn begin(&self) -> TaskHandle {
        let parent = start(&self.manager, "parent");
        tokio::time::sleep(secs(2)).await;
        parent
    }

    async fn all_have_ended(&self, what: &str) {
        tokio::time::sleep(secs(10)).await;
        let mut ends = self.ends.all();
        ends.sort_unstable();
        assert_eq!(ends, ["child", "grandchild", "parent"], "{what}");
        is_at_rest(&self.manager, what).await;
    }
}

#[tokio::test(start_paused = true)]
async fn children_end_when_their_parent_returns() {
    let family = Family::new(|child| async move {
        let _given_away = tokio::spawn(async move { child.outcome().await });
        Ok(json!("enough"))
    });
    let parent = family.begin().await;
    assert!(parent.outcome().await.outcome.is_completed());
    family.all_have_ended("returned").await;
}

#[tokio::test(start_paused = true)]
async fn children_end_when_their_parent_panics() {
    let family = Family::new(|child| async move {
        let _child = child;
        panic!("a defect")
    });
    let parent = family.begin().await;
    assert_eq!(kind(&*parent.outcome().await), Some(ToolErrorKind::Panicked));
    family.all_have_ended("panicked").await;
}

#[tokio::test(start_paused = true)]
async fn children_end_when_their_parent_times_out() {
    let family = Family::new(|child| async move { child.value().await });
    let parent = family.begin().await;
    assert_eq!(kind(&*parent.outcome().await), Some(ToolErrorKind::Timeout));
    family.all_have_ended("timed out").await;
}

#[tokio::test(start_paused = true)]
async fn children_end_when_their_parent_is_aborted() {
    let family = Family::new(|child| async move { child.value().await });
    let parent = family.begin().await;
    parent.abort("now");
    assert_eq!(parent.outcome().await.outcome, TaskOutcome::Cancelled("now".to_owned()));
    family.all_have_ended("aborted").await;
}

#[tokio::test(start_paused = true)]
async fn children_end_when_their_parent_has_forgotten_them() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeper = Arc::clone(&kept);
    let family = Family::new(move |child| {
        keeper.lock().unwrap().push(child);
        async { Ok(json!("elsewhere")) }
    });
    family.begin().await;
    family.all_have_ended("forgotten").await;
    assert_eq!(kept.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn all_below_a_task_are_told_to_stop_at_once_and_end_within_one_stop_timeout() {
    let family = Family::new(|child| async move { child.value().await });
    let parent = family.begin().await;
    parent.cancel("enough");
    tokio::time::sleep(secs(2) + std::time::Duration::from_millis(200)).await;
    assert_eq!(
        parent.result().unwrap().outcome,
        TaskOutcome::Cancelled("enough".to_owned())
    );
    assert_eq!(family.ends.len(), 3, "{:?}", family.ends.all());
    family.all_have_ended("cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_detached_outlives_its_parent() {
    let family = Family::new(|child| async move { Ok(json!(child.detach().id())) });
    let parent = family.begin().await;
    assert!(parent.outcome().await.outcome.is_completed());
    tokio::time::sleep(secs(1_000)).await;
    assert_eq!(family.ends.all(), ["parent"]);
    assert_eq!(family.manager.stats().open, 2);
    family.manager.shutdown(secs(1)).await;
    assert_eq!(family.manager.stats().open, 0);
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_outlives_its_task_takes_no_slot_with_it() {
    let go_on = Arc::new(Notify::new());
    let until = Arc::clone(&go_on);
    let leaves = tool("leaves", move |cx| {
        let until = Arc::clone(&until);
        async move {
            let child = cx.submit_tool("quick", json!({}))?;
            // Releases the slot of its task, then waits for it.
            tokio::spawn(async move { child.outcome().await });
            until.notified().await;
            Ok(json!("left"))
        }
    });
    let hog = tool("hog", |_| async {
        tokio::time::sleep(secs(60)).await;
        Ok(json!(null))
    });
    let manager = AsyncToolManager::builder()
        .tool(leaves)
        .tool(hog)
        .tool(quick())
        .concurrency(1)
        .build()
        .unwrap();
    let leaves = start(&manager, "leaves");
    let hogs = [start(&manager, "hog"), start(&manager, "hog")];
    idle().await;
    go_on.notify_one();
    leaves.outcome().await;
    for hog in hogs {
        hog.outcome().await;
    }
    idle().await;
    is_at_rest(&manager, "after the helper").await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_on_its_way_to_a_slot_leaves_it_to_those_the_task_still_waits_for() {
    let go_on = Arc::new(Notify::new());
    let first_wait = Arc::new(Mutex::new(None));
    let (until, waits) = (Arc::clone(&go_on), Arc::clone(&first_wait));
    let parent = tool("parent", move |cx| {
        let (until, waits) = (Arc::clone(&until), Arc::clone(&waits));
        async move {
            let child = cx.submit_tool("quick", json!({}))?;
            let wait = tokio::spawn(async move { child.outcome().await });
            *waits.lock().unwrap() = Some(wait.abort_handle());
            until.notified().await;
            let child = cx.submit_tool("quick", json!({}))?;
            tokio::spawn(async move { child.value().await }).await.unwrap()
        }
    });
    let manager = AsyncToolManager::builder()
        .tool(parent)
        .tool(tool("hog", |_| std::future::pending()))
        .tool(quick())
        .concurrency(1)
        .build()
        .unwrap();
    let parent = start(&manager, "parent");
    let hog = start(&manager, "hog");
    idle().await;
    go_on.notify_one();
    idle().await;
    // The first wait gets the slot and is dropped before it is polled.
    hog.abort("enough");
    first_wait.lock().unwrap().take().unwrap().abort();
    let result = tokio::time::timeout(secs(60), parent.outcome()).await;
    let result = result.expect("the awaited task gets a slot");
    assert_eq!(result.outcome.value(), Some(&json!("done")));
    is_at_rest(&manager, "after a wait was dropped").await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_ended_submits_nothing_more_also_when_the_manager_shuts_down() {
    let kept = Arc::new(Mutex::new(None));
    let keeper = Arc::clone(&kept);
    let leaks = tool("leaks", move |cx| {
        *keeper.lock().unwrap() = Some(cx);
        async { Ok(json!(null)) }
    });
    let runs = Log::new();
    let noted = runs.clone();
    let below = tool("below", move |_| {
        noted.note(());
        async { Ok(json!(1)) }
    });
    for shared in [false, true] {
        let leaks = if shared {
            leaks.clone().dedupe(async_tool_runtime::policy::Dedupe::Share)
        } else {
            leaks.clone()
        };
        let manager = AsyncToolManager::builder()
            .tool(leaks)
            .tool(below.clone())
            .tool(quick())
            .build()
            .unwrap();
        let owner = start(&manager, "leaks");
        owner.outcome().await;
        let cx = kept.lock().unwrap().take().unwrap();
        let refusal = cx.submit_tool("below", json!({})).unwrap_err();
        assert_eq!(refusal.kind(), ToolErrorKind::Cancelled);
        assert!(refusal.not_started() && !refusal.retryable());
        is_at_rest(&manager, "after a late child").await;

        manager.shutdown(secs(1)).await;
        let refusal = cx.submit_tool("below", json!({})).unwrap_err();
        assert_eq!(refusal.kind(), ToolErrorKind::Cancelled);
        // A host that names the task doesn't either.
        let mut named = spec("below");
        named.parent = Some(owner.id());
        let refusal = manager.submit_task(named).unwrap_err();
        assert_eq!(refusal.kind(), ToolErrorKind::Unavailable);
        let stats = manager.stats();
        assert_eq!((stats.accepted, stats.rejected, stats.open), (2, 3, 0));
    }
    assert_eq!(runs.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_child_has_the_policies_of_its_tool_and_its_error_is_its_parents_to_handle() {
    let calls = tool("calls", |cx| async move {
        let unknown = cx.call_tool::<Value>("nothing", json!({})).await.unwrap_err();
        assert_eq!(unknown.kind(), ToolErrorKind::UnknownTool);
        let slow = cx.call_tool::<Value>("slow", json!({})).await.unwrap_err();
        assert_eq!(slow.kind(), ToolErrorKind::Timeout);
        cx.call_tool("quick", json!({})).await
    });
    let slow = tool("slow", |_| std::future::pending()).timeout(secs(1));
    let manager = AsyncToolManager::builder()
        .tool(calls)
        .tool(slow)
        .tool(quick())
        .build()
        .unwrap();
    let task = start(&manager, "calls");
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!("done")));
}

#[tokio::test(start_paused = true)]
async fn a_call_below_has_the_same_idempotency_key_whenever_its_parent_is_tried_again() {
    let keys = Log::new();
    let charge = {
        let keys = keys.clone();
        tool_of("charge", move |arguments, cx| {
            let keys = keys.clone();
            async move {
                keys.note(format!("{arguments} {}", cx.idempotency_key()));
                Ok(json!(null))
            }
        })
    };
    let order = tool("order", |cx| async move {
        // Two equal calls mean two charges.
        for amount in [5, 5, 7] {
            let () = cx.call_tool("charge", json!({"amount": amount})).await?;
        }
        match cx.attempt() {
            3 => Ok(json!("done")),
            _ => Err(ToolError::new(ToolErrorKind::Unavailable, "not yet")),
        }
    });
    let order = order.effect(Effect::Idempotent).retry(RetryPolicy::new(3));
    let manager = AsyncToolManager::builder().tool(order).tool(charge).build().unwrap();
    for _ in 0..2 {
        assert!(start(&manager, "order").outcome().await.outcome.is_completed());
    }

    let keys = keys.all();
    let (one, other) = keys.split_at(9);
    for attempts in [one, other] {
        assert_eq!(attempts[..3], attempts[3..6], "the second attempt");
        assert_eq!(attempts[..3], attempts[6..], "the third attempt");
        let distinct: std::collections::HashSet<_> = attempts.iter().collect();
        assert_eq!(distinct.len(), 3, "one key for each charge: {attempts:?}");
    }
    assert!(
        one.iter().all(|key| !other.contains(key)),
        "another order has other keys"
    );
}

/// Charges a card, and has it shipped.
fn places_order(effect: Effect, charged: &Log<()>) -> FunctionTool {
    let charged = charged.clone();
    let places_order = tool("places_order", move |cx| {
        charged.note(());
        async move { cx.call_tool("ship", json!({})).await }
    });
    places_order.effect(effect).retry(RetryPolicy::new(3))
}

/// A manager whose `ship` can't start, with an error that says when to retry.
async fn with_an_open_breaker(order: FunctionTool) -> AsyncToolManager {
    let ship = tool("ship", |_| async { Err(unavailable()) });
    let manager = AsyncToolManager::builder()
        .tool(ship.breaker(BreakerPolicy::new(1, secs(60))))
        .tool(order)
        .build()
        .unwrap();
    start(&manager, "ship").outcome().await;
    manager
}

fn with_a_full_queue(order: FunctionTool) -> AsyncToolManager {
    let full: AsyncToolManagerBuilder = AsyncToolManager::builder().concurrency(1).queue_capacity(0);
    full.tool(order)
        .tool(tool("ship", |_| async { Ok(json!("shipped")) }))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_child_call_that_did_not_start_does_not_make_its_parent_run_twice() {
    let charged = Log::new();
    let order = || places_order(Effect::Once, &charged);
    let managers = [with_an_open_breaker(order()).await, with_a_full_queue(order())];
    for (manager, retry_after) in managers.iter().zip([Some(secs(60)), None]) {
        let before = charged.len();
        let result = start(manager, "places_order").outcome().await;
        let error = result.outcome.error().unwrap();
        assert_eq!(charged.len() - before, 1, "{error:?}");
        assert_eq!(result.attempts, 1);
        assert!(!error.not_started(), "the card is charged");
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ToolErrorKind::Unavailable, retry_after)
        );
        assert!(error.model_message().contains("`ship`"), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeatable_call_is_retried_if_its_child_did_not_start() {
    let charged = Log::new();
    let manager = with_a_full_queue(places_order(Effect::Idempotent, &charged));
    let result = start(&manager, "places_order").outcome().await;
    assert_eq!((charged.len(), result.attempts), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_refused_below_is_no_refusal_of_what_is_above_it() {
    let returns = tool("returns", |cx| async move { cx.call_tool("absent", json!({})).await });
    let copies = tool("copies", |cx| async move {
        let result = cx.submit_tool("says_no", json!({}))?.outcome().await;
        Err(result.outcome.error().unwrap().clone())
    });
    let says_no = tool("says_no", |_| async {
        Err(ToolError::new(ToolErrorKind::InvalidArguments, "no such column").with_not_started())
    });
    let manager = AsyncToolManager::builder()
        .tool(returns)
        .tool(copies)
        .tool(says_no)
        .build()
        .unwrap();
    for (name, said) in [("returns", "there is no tool named"), ("copies", "no such column")] {
        let result = start(&manager, name).outcome().await;
        let error = result.outcome.error().unwrap();
        assert_eq!((error.kind(), result.attempts), (ToolErrorKind::Failed, 1), "{name}");
        assert!(!error.not_started(), "{name}");
        assert!(error.model_message().contains(said), "{error:?}");
    }
}
