//! Calls that are equal.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_tool_runtime::{
    AsyncToolManager, Effect, FunctionTool, SessionId, TaskNo, TaskOutcome, TaskStatus, ToolError, ToolErrorKind,
    future::BoxFuture,
    manager::{ToolRequest, ToolService, WhenFull},
    policy::{Approval, CachePolicy, Dedupe, RateLimit, RetryPolicy, Scope},
    task::TaskSpec,
    testing::Gates,
    tool::InputRequest,
};
use serde_json::{Value, json};

use crate::stand::{
    Crowd, Log, after, call, idle, is_at_rest, kind, quick, secs, session, start, start_in, start_with, tool,
    unavailable, with_slots,
};

#[tokio::test(start_paused = true)]
async fn calls_that_are_the_same_run_once_and_each_gets_the_outcome() {
    let gates = Gates::new();
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().dedupe(Dedupe::Share))
        .tool(quick())
        .concurrency(1)
        .on_complete(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    let first: Vec<_> = (0..10)
        .map(|_| start_with(&manager, "gate", json!({"name": "a"})))
        .collect();
    gates.arrived("a", 1).await;
    idle().await;
    let late = start_with(&manager, "gate", json!({"name": "a"}));
    idle().await;
    let tasks: Vec<_> = first.into_iter().chain([late]).collect();
    assert!(tasks.iter().all(|task| task.status() == TaskStatus::Running));
    assert_eq!((manager.stats().running, manager.stats().shared), (1, 10));
    gates.open("a", json!("once"));
    for task in &tasks {
        let result = task.outcome().await;
        assert_eq!(result.outcome.value(), Some(&json!("once")));
        assert_eq!((result.attempts, result.timing.started.is_some()), (1, true));
    }
    idle().await;
    assert_eq!(heard.load(Ordering::SeqCst), 11, "each is delivered once");
    let next = start_with(&manager, "gate", json!({"name": "a"}));
    gates.arrived("a", 2).await;
    gates.open("a", json!("twice"));
    assert_eq!(
        next.outcome().await.outcome.value(),
        Some(&json!("twice")),
        "an ended run is not shared"
    );
    is_at_rest(&manager, "after sharing").await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_run_goes_on_while_one_of_its_calls_is_left_and_ends_with_the_last() {
    let crowd = Crowd::default();
    let inside = crowd.clone();
    let waits = tool("waits", move |_| {
        let inside = inside.enter();
        async move {
            let _inside = inside;
            tokio::time::sleep(secs(100)).await;
            Ok(json!("done"))
        }
    });
    let manager = with_slots(1, [waits.dedupe(Dedupe::Share)]);
    let (first, second) = (start(&manager, "waits"), start(&manager, "waits"));
    idle().await;
    first.cancel("changed my mind");
    let result = first.outcome().await;
    assert_eq!(result.outcome, TaskOutcome::Cancelled("changed my mind".to_owned()));
    assert_eq!(second.outcome().await.outcome.value(), Some(&json!("done")));
    assert_eq!(crowd.most(), 1);

    let all = [start(&manager, "waits"), start(&manager, "waits")];
    idle().await;
    assert_eq!(crowd.now(), 1);
    for task in &all {
        task.cancel("enough");
        task.outcome().await;
    }
    tokio::time::sleep(secs(2)).await;
    assert_eq!(crowd.now(), 0, "the run is cancelled");
    is_at_rest(&manager, "after all its calls were cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_run_that_waits_for_a_slot_goes_on_without_the_first_that_wanted_it() {
    for abort in [false, true] {
        let gates = Gates::new();
        let manager = with_slots(1, [gates.tool().dedupe(Dedupe::Share)]);
        let full = start_with(&manager, "gate", json!({"name": "full"}));
        gates.arrived("full", 1).await;
        let [first, second, third] = [(); 3].map(|()| start_with(&manager, "gate", json!({"name": "a"})));
        idle().await;
        match abort {
            true => first.abort("changed my mind"),
            false => first.cancel("changed my mind"),
        }
        let result = first.outcome().await;
        assert_eq!(result.outcome, TaskOutcome::Cancelled("changed my mind".to_owned()));
        assert_eq!((result.attempts, result.timing.started), (0, None));
        gates.open("full", json!(1));
        full.outcome().await;
        gates.open("a", json!("once"));
        for task in [second, third] {
            let result = task.outcome().await;
            assert_eq!((result.outcome.value(), result.attempts), (Some(&json!("once")), 1));
        }
        is_at_rest(&manager, "after the first had gone").await;
    }
}

#[test]
fn calls_of_another_runtime_are_told_when_the_runtime_of_their_shared_run_ends() {
    let gates = Gates::new();
    let manager = with_slots(1, [gates.tool().dedupe(Dedupe::Share)]);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let gate = || start_with(&manager, "gate", json!({"name": "a"}));
    let (one, other) = (runtime(), runtime());
    let first = one.block_on(async {
        let first = gate();
        gates.arrived("a", 1).await;
        first
    });
    let second = other.block_on(async {
        let second = gate();
        tokio::task::yield_now().await;
        second
    });
    assert_eq!(manager.stats().shared, 1);
    drop(one);
    other.block_on(async {
        assert!(matches!(first.outcome().await.outcome, TaskOutcome::Cancelled(_)));
        let result = second.outcome().await;
        assert!(matches!(result.outcome, TaskOutcome::Unknown(_)), "{result:?}");
        is_at_rest(&manager, "after the runtime had gone").await;
    });
}

#[tokio::test(start_paused = true)]
async fn a_shared_run_does_not_end_with_the_deadline_of_the_first() {
    let gates = Gates::new();
    let manager = with_slots(1, [gates.tool().dedupe(Dedupe::Share)]);
    let reference = start(&manager, "quick");
    let gate = || TaskSpec::new(session(), call("gate", json!({"name": "a"})));
    let hurried = manager
        .submit_task(gate().with_deadline(after(&reference, secs(5))))
        .unwrap();
    let patient = manager.submit_task(gate()).unwrap();
    assert_eq!(kind(&*hurried.outcome().await), Some(ToolErrorKind::Timeout));
    idle().await;
    gates.open("a", json!("patience"));
    assert_eq!(patient.outcome().await.outcome.value(), Some(&json!("patience")));
    is_at_rest(&manager, "after a deadline").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_failure_is_the_outcome_of_all_sharing_calls_and_the_next_call_runs_anew() {
    let runs = Log::new();
    let noted = runs.clone();
    let panics = tool("panics", move |_| {
        noted.note(());
        async {
            tokio::task::yield_now().await;
            panic!("a defect")
        }
    });
    let manager = with_slots(1, [panics.dedupe(Dedupe::Share)]);
    for round in 1..=2 {
        let tasks = [start(&manager, "panics"), start(&manager, "panics")];
        for task in &tasks {
            assert_eq!(kind(&*task.outcome().await), Some(ToolErrorKind::Panicked));
        }
        assert_eq!(runs.len(), round);
    }
    is_at_rest(&manager, "after a panic").await;
}

#[tokio::test(start_paused = true)]
async fn retries_of_a_shared_run_are_shared_too() {
    let flaky = tool("flaky", |cx| async move {
        if cx.attempt() < 3 {
            Err(unavailable())
        } else {
            Ok(json!(1))
        }
    });
    let manager = with_slots(
        1,
        [flaky
            .effect(Effect::Read)
            .retry(RetryPolicy::new(3))
            .dedupe(Dedupe::Share)],
    );
    let tasks = [start(&manager, "flaky"), start(&manager, "flaky")];
    for task in &tasks {
        assert_eq!(task.outcome().await.attempts, 3);
    }
    assert_eq!(manager.stats().retries, 2);
}

#[tokio::test(start_paused = true)]
async fn sessions_share_only_where_the_tool_says_so() {
    for (scope, runs) in [(Scope::Session, 2), (Scope::Shared, 1)] {
        let crowd = Crowd::default();
        let inside = crowd.clone();
        let waits = tool("waits", move |_| {
            let inside = inside.enter();
            async move {
                let _inside = inside;
                tokio::time::sleep(secs(1)).await;
                Ok(json!(1))
            }
        });
        let manager = AsyncToolManager::builder()
            .tool(waits.dedupe(Dedupe::Share).scope(scope))
            .build()
            .unwrap();
        let tasks = ["one", "other"].map(|session| start_in(&manager, session, "waits", json!({})));
        for (task, session) in tasks.iter().zip(["one", "other"]) {
            assert_eq!(task.outcome().await.session.as_str(), session);
        }
        assert_eq!(crowd.most(), runs, "{scope:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_open_is_refused_by_name_and_may_come_again_later() {
    let gates = Gates::new();
    let manager = with_slots(1, [gates.tool().dedupe(Dedupe::Reject)]);
    let numbered = TaskSpec::new(session(), call("gate", json!({"name": "a", "n": 1})));
    let first = manager.submit_task(numbered.with_number(TaskNo::new(7))).unwrap();
    let again = call("gate", json!({"n": 1.0, "name": "a"}));
    let refusal = manager.submit(&session(), again.clone()).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Duplicate);
    let message = refusal.error().model_message();
    assert!(message.contains("t7"), "{message}");
    assert_eq!(refusal.call(), &again);
    let other = start_with(&manager, "gate", json!({"name": "a", "n": 2}));
    other.cancel("not this one");
    gates.open("a", json!(1));
    first.outcome().await;
    let again = manager.submit(&session(), again).unwrap();
    gates.open("a", json!(1));
    again.outcome().await;
    is_at_rest(&manager, "after a refusal").await;
}

#[tokio::test(start_paused = true)]
async fn a_model_is_never_told_the_name_of_a_task_that_it_does_not_know() {
    let gates = Gates::new();
    let twice = tool("twice", |cx| async move {
        cx.call_tool("gate", json!({"name": "below"})).await
    });
    let manager = with_slots(3, [gates.tool().dedupe(Dedupe::Reject).scope(Scope::Shared), twice]);
    let in_session = |name: &str, gate: &str, number| {
        let spec = TaskSpec::new(SessionId::new(name), call("gate", json!({"name": gate})));
        manager.submit_task(spec.with_number(TaskNo::new(number)))
    };
    let open = in_session("other", "a", 3).unwrap();
    start(&manager, "twice");
    idle().await;
    for gate in ["a", "below"] {
        let refusal = in_session("s", gate, 4).unwrap_err();
        let message = refusal.error().model_message();
        let expected = "the same call is already running elsewhere; try again when it has ended";
        assert_eq!(message, expected, "{gate}");
    }
    let refusal = in_session("s", "a", 5).unwrap_err();
    let id = open.id().to_string();
    assert!(
        refusal.error().message().contains(&id),
        "operators are told which: {refusal}"
    );
    let refusal = in_session("other", "a", 4).unwrap_err();
    assert!(
        refusal.error().model_message().contains("already running as t3;"),
        "{refusal}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_again_takes_the_place_of_the_earlier() {
    let gates = Gates::new();
    let manager = with_slots(1, [gates.tool().dedupe(Dedupe::Replace)]);
    let tasks: Vec<_> = (0..3)
        .map(|_| start_with(&manager, "gate", json!({"name": "a"})))
        .collect();
    for earlier in &tasks[..2] {
        let outcome = earlier.outcome().await.outcome.clone();
        let TaskOutcome::Cancelled(reason) = outcome else {
            panic!("it is cancelled: {outcome:?}")
        };
        assert!(reason.contains("made again"), "{reason}");
    }
    gates.open("a", json!("the last"));
    assert_eq!(tasks[2].outcome().await.outcome.value(), Some(&json!("the last")));
    is_at_rest(&manager, "after replacements").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_finds_no_room_replaces_nothing() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().dedupe(Dedupe::Replace))
        .tool(quick())
        .concurrency(1)
        .queue_capacity(0)
        .build()
        .unwrap();
    let first = start_with(&manager, "gate", json!({"name": "a"}));
    for _ in 0..2 {
        let refusal = manager
            .submit(&session(), call("gate", json!({"name": "a"})))
            .unwrap_err();
        assert_eq!(refusal.kind(), ToolErrorKind::Overloaded);
    }
    gates.open("a", json!("still here"));
    assert_eq!(first.outcome().await.outcome.value(), Some(&json!("still here")));
    is_at_rest(&manager, "after a refusal").await;
}

#[tokio::test(start_paused = true)]
async fn in_a_full_queue_a_call_that_comes_again_has_the_place_of_the_earlier() {
    let gates = Gates::new();
    let limited = gates.tool().name("limited").rate(RateLimit::new(1, secs(60)));
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().dedupe(Dedupe::Replace))
        .tool(limited.dedupe(Dedupe::Replace))
        .tool(quick())
        .concurrency(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    for (round, name) in ["gate", "limited"].into_iter().enumerate() {
        let running = start_with(&manager, "gate", json!({"name": round.to_string()}));
        let tasks: Vec<_> = (0..3)
            .map(|_| start_with(&manager, name, json!({"name": "a"})))
            .collect();
        for earlier in &tasks[..2] {
            let result = earlier.result().expect("it has ended at once");
            assert!(matches!(&result.outcome, TaskOutcome::Cancelled(reason) if reason.contains("made again")));
        }
        assert_eq!((manager.stats().waiting, manager.stats().open), (1, 2));
        gates.open(&round.to_string(), json!(1));
        running.outcome().await;
        gates.open("a", json!("the last"));
        assert_eq!(tasks[2].outcome().await.outcome.value(), Some(&json!("the last")));
        is_at_rest(&manager, name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_full_queue_it_has_that_place_also_where_the_earlier_is_on_its_way_to_a_slot() {
    let gates = Gates::new();
    let cached = gates.tool().name("cached").effect(Effect::Read);
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(cached.cache(CachePolicy::new(secs(60))).dedupe(Dedupe::Replace))
        .tool(quick())
        .concurrency(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    let running = start_with(&manager, "gate", json!({"name": "first"}));
    let earlier = start_with(&manager, "cached", json!({"name": "a"}));
    idle().await;
    let later = start_with(&manager, "cached", json!({"name": "a"}));
    let result = earlier.outcome().await;
    assert!(matches!(&result.outcome, TaskOutcome::Cancelled(reason) if reason.contains("made again")));
    assert_eq!((manager.stats().waiting, manager.stats().open), (1, 2));
    gates.open("first", json!(1));
    running.outcome().await;
    gates.open("a", json!("the last"));
    assert_eq!(later.outcome().await.outcome.value(), Some(&json!("the last")));
    is_at_rest(&manager, "after a replaced call").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_leaves_the_earlier_one_that_waits() {
    let gates = Gates::new();
    let calls = tool("calls", |cx| async move {
        let child = cx.submit_tool("gate", json!({"name": "a"}))?;
        tokio::time::sleep(secs(1)).await;
        child.value().await
    });
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().dedupe(Dedupe::Replace))
        .tool(calls)
        .tool(quick())
        .concurrency(1)
        .when_full(WhenFull::Reject { retry_after: secs(5) })
        .build()
        .unwrap();
    let calls = start(&manager, "calls");
    idle().await;
    let refusal = manager
        .submit(&session(), call("gate", json!({"name": "a"})))
        .unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Overloaded);
    gates.open("a", json!("still here"));
    assert_eq!(calls.outcome().await.outcome.value(), Some(&json!("still here")));
    is_at_rest(&manager, "after a refusal").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_replace_each_other_concurrently_leave_exactly_one() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().dedupe(Dedupe::Replace))
        .tool(quick())
        .concurrency(1)
        .queue_capacity(1)
        .build()
        .unwrap();
    let running = start_with(&manager, "gate", json!({"name": "a"}));
    let racing: Vec<_> = (0..4)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move {
                for _ in 0..500 {
                    let _refused_or_not = manager.submit(&session(), call("gate", json!({"name": "b"})));
                }
            })
        })
        .collect();
    for racer in racing {
        racer.await.unwrap();
    }
    assert_eq!((manager.stats().waiting, manager.stats().open), (1, 2));
    gates.open("a", json!(1));
    running.outcome().await;
    gates.open("b", json!(1));
    is_at_rest(&manager, "after a race").await;
}

#[tokio::test(start_paused = true)]
async fn the_same_id_is_the_same_task_and_no_duplicate() {
    let gates = Gates::new();
    let manager = with_slots(1, [gates.tool().dedupe(Dedupe::Reject)]);
    let spec = TaskSpec::new(session(), call("gate", json!({"name": "a"})));
    let first = manager.submit_task(spec.clone()).unwrap();
    assert_eq!(manager.submit_task(spec).unwrap().id(), first.id());
    first.cancel("enough");
    first.outcome().await;
}

/// A layer that retries every failed call once.
#[derive(Clone)]
struct Again(ToolService);

impl tower::Service<ToolRequest> for Again {
    type Response = Value;
    type Error = ToolError;
    type Future = BoxFuture<'static, Result<Value, ToolError>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), ToolError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ToolRequest) -> Self::Future {
        let mut inner = self.0.clone();
        Box::pin(async move {
            match inner.call(request.clone()).await {
                Ok(value) => Ok(value),
                Err(_) => inner.call(request).await,
            }
        })
    }
}

/// A manager whose equal calls of `tool` share a run, with a layer outside that retries.
fn tried_again(tool: FunctionTool) -> AsyncToolManager {
    AsyncToolManager::builder()
        .tool(tool.dedupe(Dedupe::Share))
        .tool(quick())
        .layer(tower::layer::layer_fn(Again))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_layer_tries_again_asks_and_is_answered_in_its_second_run() {
    let runs = Log::new();
    let noted = runs.clone();
    let asks = tool("asks", move |cx| {
        noted.note(());
        let run = noted.len();
        async move {
            let answer = cx.request_input(format!("question {run}"), json!({})).await?;
            if run == 1 {
                return Err(unavailable());
            }
            Ok(answer)
        }
    });
    let manager = tried_again(asks);
    let task = start(&manager, "asks");
    for run in 1..=2 {
        idle().await;
        assert_eq!(task.status(), TaskStatus::InputRequired, "{run}");
        let Some(InputRequest::Input { prompt, .. }) = task.snapshot().request else {
            panic!("it asks")
        };
        assert_eq!(prompt, format!("question {run}"));
        manager.answer(task.id(), json!(run)).unwrap();
    }
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!(2)));
    is_at_rest(&manager, "after two questions").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_layer_tries_again_is_not_refused_for_want_of_a_slot_when_it_has_run() {
    let runs = Log::new();
    let noted = runs.clone();
    let flaky = tool("flaky", move |_| {
        noted.note(());
        let run = noted.len();
        async move {
            tokio::time::sleep(secs(5)).await;
            if run == 1 { Err(unavailable()) } else { Ok(json!(run)) }
        }
    });
    let asks = tool("asks", |cx| async move {
        cx.request_input("when?", json!({})).await?;
        tokio::time::sleep(secs(10)).await;
        Ok(json!("done"))
    });
    let flaky = flaky.effect(Effect::Read).cache(CachePolicy::new(secs(60)));
    let manager = AsyncToolManager::builder()
        .tool(flaky)
        .tool(asks)
        .tool(quick())
        .layer(tower::layer::layer_fn(Again))
        .concurrency(1)
        .when_full(WhenFull::Reject { retry_after: secs(5) })
        .build()
        .unwrap();
    let asks = start(&manager, "asks");
    idle().await;
    let flaky = start(&manager, "flaky");
    idle().await;
    assert_eq!(flaky.status(), TaskStatus::Running);
    // It waits for the slot, and holds it while the other task resumes.
    manager.answer(asks.id(), json!("now")).unwrap();
    assert_eq!(flaky.outcome().await.outcome.value(), Some(&json!(2)));
    assert!(asks.outcome().await.outcome.is_completed());
    is_at_rest(&manager, "after the second run").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_layer_tries_again_is_resolved_and_told_things_in_its_second_run() {
    let runs = Log::new();
    let noted = runs.clone();
    let defers = tool("defers", move |cx| {
        noted.note(());
        let run = noted.len();
        async move {
            if run == 1 {
                return Err(unavailable());
            }
            let mut messages = cx.messages();
            messages.recv().await;
            cx.defer().await
        }
    });
    let manager = tried_again(defers);
    let task = start(&manager, "defers");
    idle().await;
    assert!(!task.snapshot().deferred);
    task.send("go on").unwrap();
    idle().await;
    assert!(task.snapshot().deferred);
    manager.resolve(task.id(), json!("from outside")).unwrap();
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!("from outside")));
    is_at_rest(&manager, "after a resolve").await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_tries_again_does_not_undo_an_end_from_outside() {
    let runs = Log::new();
    let noted = runs.clone();
    let defers = tool("defers", move |cx| {
        noted.note(());
        async move { cx.defer().await }
    });
    let manager = tried_again(defers);
    let task = start(&manager, "defers");
    idle().await;
    manager.resolve_error(task.id(), unavailable()).unwrap();
    let result = tokio::time::timeout(secs(60), task.outcome())
        .await
        .expect("it has ended");
    assert_eq!((kind(&result), runs.len()), (Some(ToolErrorKind::Unavailable), 1));
    is_at_rest(&manager, "after an error from outside").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_layer_tries_again_can_need_consent_again() {
    let runs = Log::new();
    let noted = runs.clone();
    let flaky = tool("flaky", move |_| {
        noted.note(());
        let run = noted.len();
        async move {
            if run == 1 {
                return Err(unavailable());
            }
            Ok(json!(run))
        }
    });
    let manager = tried_again(flaky.approval(Approval::Always));
    let task = start(&manager, "flaky");
    for run in 1..=2 {
        idle().await;
        assert_eq!(task.status(), TaskStatus::InputRequired, "{run}");
        manager.approve(task.id()).unwrap();
    }
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!(2)));
    is_at_rest(&manager, "after two consents").await;
}
