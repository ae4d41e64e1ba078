//! Tasks that would wait for themselves.

mod exploration;
mod handles;
mod resources;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, Effect, FunctionTool, SessionId, TaskHandle, TaskNo, TaskOutcome, ToolContext,
    ToolErrorKind,
    policy::{CachePolicy, Dedupe, Scope},
    task::TaskSpec,
};
use serde_json::{Value, json};
use tokio::{
    sync::Barrier,
    time::{sleep, timeout},
};

use crate::stand::{Log, call, is_at_rest, kind, secs, session, start_in, start_with, tool_of, with_slots};

/// Calls of each node, as tool and node. A node is the argument of a call.
type Graph = BTreeMap<&'static str, Vec<(&'static str, &'static str)>>;

/// A tool whose calls make the calls that the graph has for their node, one after the other.
fn walker(name: &str, graph: &Arc<Graph>) -> FunctionTool {
    let graph = Arc::clone(graph);
    tool_of(name, move |arguments, cx| {
        let graph = Arc::clone(&graph);
        async move {
            let node = arguments["of"].as_str().unwrap();
            for (tool, node) in graph.get(node).into_iter().flatten() {
                cx.call_tool::<Value>(tool, of(node)).await?;
            }
            Ok(json!(node))
        }
    })
}

fn of(node: &str) -> Value {
    json!({ "of": node })
}

/// Submits the first task of an agent's session.
fn first(manager: &AsyncToolManager, tool: &str, arguments: Value) -> TaskHandle {
    let spec = TaskSpec::new(session(), call(tool, arguments)).with_number(TaskNo::new(1));
    manager.submit_task(spec).unwrap()
}

/// Text with a letter for each id of a task, in order of appearance.
fn lettered(text: &str) -> String {
    let (mut ids, mut out) = (Vec::new(), String::new());
    for piece in text.split_inclusive(['(', ')']) {
        let word = piece.trim_end_matches(['(', ')']);
        if word.len() == 36 && word.matches('-').count() == 4 {
            let known = ids.iter().position(|id| *id == word);
            let at = known.unwrap_or_else(|| {
                ids.push(word);
                ids.len() - 1
            });
            out.push(char::from(b'A' + u8::try_from(at).unwrap()));
            out.push_str(&piece[word.len()..]);
        } else {
            out.push_str(piece);
        }
    }
    out
}

async fn ended(task: &TaskHandle) -> Arc<AsyncTaskResult> {
    timeout(secs(600), task.outcome())
        .await
        .expect("no task waits for itself")
}

async fn failure(task: &TaskHandle) -> String {
    let result = ended(task).await;
    let error = result
        .outcome
        .error()
        .unwrap_or_else(|| panic!("it is refused: {result:?}"));
    assert!(!error.retryable(), "a retry would find the same circle");
    assert_eq!(error.message(), error.model_message());
    lettered(error.message())
}

#[tokio::test(start_paused = true)]
async fn a_call_that_would_wait_for_itself_is_refused_with_the_circle() {
    let circles: [(&str, Graph, &str); 6] = [
        (
            "itself",
            Graph::from([("a", vec![("share", "a")])]),
            "its call of `share` failed: `share` would wait for itself: \
             `share` (t1) → `share` (A) → `share` (t1); do without this call",
        ),
        (
            "through another call of the tool",
            Graph::from([("a", vec![("share", "b")]), ("b", vec![("share", "a")])]),
            "its call of `share` failed: `share` would wait for itself: \
             `share` (t1) → `share` (A) → `share` (B) → `share` (t1); do without this call",
        ),
        (
            "through a tool that shares nothing",
            Graph::from([("a", vec![("plain", "b")]), ("b", vec![("share", "a")])]),
            "its call of `share` failed: `share` would wait for itself: \
             `share` (t1) → `plain` (A) → `share` (B) → `share` (t1); do without this call",
        ),
        (
            "through another tool that shares",
            Graph::from([
                ("a", vec![("other", "b")]),
                ("b", vec![("plain", "c")]),
                ("c", vec![("share", "a")]),
            ]),
            "its call of `share` failed: `share` would wait for itself: \
             `share` (t1) → `other` (A) → `plain` (B) → `share` (C) → `share` (t1); do without this call",
        ),
        (
            "through a tool with a cache",
            Graph::from([("a", vec![("cached", "b")]), ("b", vec![("share", "a")])]),
            "its call of `share` failed: `share` would wait for itself: \
             `share` (t1) → `cached` (A) → `share` (B) → `share` (t1); do without this call",
        ),
        (
            "not through the first call",
            Graph::from([
                ("a", vec![("share", "b")]),
                ("b", vec![("share", "c")]),
                ("c", vec![("share", "b")]),
            ]),
            "its call of `share` failed: `share` would wait for itself: \
             `share` (A) → `share` (B) → `share` (C) → `share` (A); do without this call",
        ),
    ];
    for (what, graph, expected) in circles {
        let manager = everything(1, graph);
        let task = first(&manager, "share", of("a"));
        assert_eq!(failure(&task).await, expected, "{what}");
        assert_eq!(manager.stats().open, 0, "{what}");
        is_at_rest(&manager, what).await;
    }
}

/// Tools of a graph: `share`, `other` and `cached` share their runs, `plain` doesn't.
fn everything(slots: usize, graph: Graph) -> AsyncToolManager {
    let graph = Arc::new(graph);
    let cached = walker("cached", &graph)
        .effect(Effect::Read)
        .cache(CachePolicy::new(secs(60)));
    with_slots(
        slots,
        [
            walker("share", &graph).dedupe(Dedupe::Share),
            walker("other", &graph).dedupe(Dedupe::Share).scope(Scope::Shared),
            cached.dedupe(Dedupe::Share),
            walker("plain", &graph),
        ],
    )
}

#[tokio::test(start_paused = true)]
async fn a_long_circle_is_named_by_its_ends() {
    let deep = tool_of("deep", |arguments, cx| async move {
        let depth = arguments["depth"].as_u64().unwrap();
        let below = json!({"depth": (depth + 1) % 40});
        cx.call_tool::<Value>("deep", below).await
    });
    let manager = with_slots(1, [deep.dedupe(Dedupe::Share)]);
    let message = failure(&first(&manager, "deep", json!({"depth": 0}))).await;
    assert!(message.contains("itself: `deep` (t1) → `deep` (A) →"), "{message}");
    assert!(message.contains(" → 25 more → `deep` ("), "{message}");
    assert!(message.ends_with(" → `deep` (t1); do without this call"), "{message}");
    is_at_rest(&manager, "after a long circle").await;
}

#[tokio::test(start_paused = true)]
async fn a_circle_has_no_numbers_of_other_sessions() {
    let both = Arc::new(Barrier::new(2));
    let shared = tool_of("shared", move |arguments, cx| {
        let both = Arc::clone(&both);
        async move {
            both.wait().await;
            cx.call_tool::<Value>("shared", json!({"to": arguments["then"], "then": arguments["to"]}))
                .await
        }
    });
    let manager = with_slots(2, [shared.dedupe(Dedupe::Share).scope(Scope::Shared)]);
    let submit = |session: &str, number, to: &str, then: &str| {
        let call = call("shared", json!({"to": to, "then": then}));
        let spec = TaskSpec::new(SessionId::new(session), call).with_number(TaskNo::new(number));
        manager.submit_task(spec).unwrap()
    };
    let tasks = [submit("one", 3, "a", "b"), submit("other", 7, "b", "a")];
    let mut refusals = 0;
    for task in &tasks {
        let result = ended(task).await;
        let message = result.outcome.error().unwrap().model_message();
        refusals += usize::from(message.contains(" → "));
        // Both sessions share the runs, and so their errors.
        assert!(!message.contains("(t"), "{message}");
    }
    assert!(refusals > 0, "one of them closes the circle");
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_circle_is_kept_in_a_cache() {
    let manager = everything(
        1,
        Graph::from([("a", vec![("cached", "b")]), ("b", vec![("cached", "a")])]),
    );
    for _ in 0..2 {
        let message = failure(&first(&manager, "cached", of("a"))).await;
        assert!(
            message.contains("`cached` (t1) → `cached` (A) → `cached` (B) → `cached` (t1)"),
            "{message}"
        );
    }
    assert_eq!(manager.stats().cache_hits, 0);
    is_at_rest(&manager, "after a circle").await;
}

/// A tool that waits a second, calls the tool of this name with the node `to`, and goes on if that call is refused. `refused` notes the
/// refusals.
fn crosser(name: &str, refused: &Log<String>) -> FunctionTool {
    let refused = refused.clone();
    tool_of(name, move |arguments, cx| {
        let refused = refused.clone();
        async move {
            sleep(secs(1)).await;
            let (tool, to) = (arguments["tool"].as_str().unwrap(), arguments["to"].clone());
            let below = json!({"tool": arguments["own"], "own": tool, "of": to, "to": arguments["of"]});
            match cx.call_tool::<Value>(tool, below).await {
                Err(error) if error.kind() == ToolErrorKind::Duplicate => {
                    assert!(error.not_started());
                    refused.note(error.message().to_owned());
                    Ok(json!("did without"))
                }
                ended => ended,
            }
        }
    })
}

/// Two calls of which each makes the other.
fn crossing(one: &'static str, other: &'static str) -> [(&'static str, Value); 2] {
    [
        (one, json!({"own": one, "tool": other, "of": "a", "to": "b"})),
        (other, json!({"own": other, "tool": one, "of": "b", "to": "a"})),
    ]
}

#[tokio::test(start_paused = true)]
async fn of_two_calls_that_close_a_circle_at_once_exactly_one_is_refused() {
    for (one, other) in [("share", "share"), ("share", "other"), ("other", "share")] {
        let refused = Log::new();
        let tools = ["share", "other"].map(|name| crosser(name, &refused).dedupe(Dedupe::Share));
        let manager = with_slots(1, tools);
        let tasks = crossing(one, other).map(|(tool, arguments)| start_with(&manager, tool, arguments));
        for task in &tasks {
            assert_eq!(ended(task).await.outcome.value(), Some(&json!("did without")));
        }
        let refused = refused.all();
        assert_eq!(refused.len(), 1, "{refused:?}");
        let ids = tasks.each_ref().map(|task| format!("({})", task.id()));
        assert!(
            ids.iter().all(|id| refused[0].contains(id)),
            "it names both: {refused:?}"
        );
        is_at_rest(&manager, "after a crossing").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_threads_that_close_a_circle_at_once_exactly_one_is_refused() {
    let refused = Log::new();
    let barrier = Arc::new(Barrier::new(2));
    let crosses = |name: &'static str, other: &'static str| {
        let (refused, barrier) = (refused.clone(), Arc::clone(&barrier));
        let crosses = tool_of(name, move |arguments, cx| {
            let (refused, barrier) = (refused.clone(), Arc::clone(&barrier));
            async move {
                barrier.wait().await;
                let ended = cx.call_tool::<Value>(other, arguments).await;
                if let Err(error) = &ended {
                    refused.note(error.message().to_owned());
                }
                Ok(json!(1))
            }
        });
        crosses.dedupe(Dedupe::Share)
    };
    let manager = with_slots(4, [crosses("one", "other"), crosses("other", "one")]);
    for round in 1..=500 {
        let tasks = ["one", "other"].map(|tool| start_with(&manager, tool, json!({"round": round})));
        for task in &tasks {
            assert!(ended(task).await.outcome.is_completed());
        }
        assert_eq!(refused.len(), round, "{:?}", refused.all().last());
    }
    is_at_rest(&manager, "after the rounds").await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_meet_in_a_run_without_a_circle_are_shared() {
    // A diamond: the same node is needed twice, and by calls from outside.
    let graph = Graph::from([
        ("a", vec![("plain", "b"), ("share", "c")]),
        ("b", vec![("share", "c")]),
        ("c", vec![("share", "d")]),
    ]);
    let manager = everything(1, graph);
    let tasks = ["a", "b", "c", "d", "a"].map(|node| start_with(&manager, "share", of(node)));
    for task in &tasks {
        assert!(ended(task).await.outcome.is_completed());
    }
    is_at_rest(&manager, "after a diamond").await;
}

/// A tool that calls itself for `b` and then for `a` again, does without the refused call, and then never ends.
fn endless() -> FunctionTool {
    let endless = tool_of("endless", |arguments, cx| async move {
        let below = if arguments["of"] == "a" { "b" } else { "a" };
        let error = cx.call_tool::<Value>("endless", of(below)).await.unwrap_err();
        assert_eq!(error.kind(), ToolErrorKind::Duplicate);
        std::future::pending().await
    });
    endless.dedupe(Dedupe::Share)
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_with_the_last_call_from_outside_and_nothing_is_open_then() {
    for abort in [false, true] {
        let manager = with_slots(1, [endless()]);
        let tasks = [(); 2].map(|()| start_with(&manager, "endless", of("a")));
        sleep(secs(1)).await;
        assert_eq!(manager.stats().open, 3, "two calls, and the one below");
        tasks[0].cancel("enough");
        ended(&tasks[0]).await;
        sleep(secs(10)).await;
        assert_eq!(manager.stats().open, 2, "the second call still wants it");
        match abort {
            true => tasks[1].abort("enough"),
            false => tasks[1].cancel("enough"),
        }
        let result = ended(&tasks[1]).await;
        assert_eq!(result.outcome, TaskOutcome::Cancelled("enough".to_owned()));
        if abort {
            sleep(secs(2)).await;
        }
        assert_eq!(manager.stats().open, 0, "abort: {abort}");
        is_at_rest(&manager, "after the last call").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_ends_after_the_tasks_below_it() {
    // It ends as soon as it is told to stop, and the task below takes a while.
    let hasty = |name| {
        tool_of(name, |_, cx: ToolContext| async move {
            let below = cx.submit_tool("slow", json!({}))?;
            cx.cancellation().cancelled().await;
            drop(below);
            Ok(json!("stopped"))
        })
    };
    let slow = tool_of("slow", |_, cx| async move {
        cx.cancellation().cancelled().await;
        sleep(Duration::from_millis(500)).await;
        Ok(json!("stopped"))
    });
    let tools = [hasty("plain"), hasty("share").dedupe(Dedupe::Share), slow];
    let manager = with_slots(2, tools);
    for tool in ["plain", "share"] {
        let task = start_with(&manager, tool, json!({}));
        sleep(secs(1)).await;
        assert_eq!((manager.stats().open, manager.stats().running), (2, 2), "{tool}");
        task.cancel("enough");
        ended(&task).await;
        assert_eq!((manager.stats().open, manager.stats().running), (0, 0), "{tool}");
    }
    is_at_rest(&manager, "after the tasks below").await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_leaves_nothing_open() {
    let manager = with_slots(1, [endless()]);
    let task = start_with(&manager, "endless", of("a"));
    sleep(secs(1)).await;
    let report = manager.shutdown(secs(1)).await;
    assert_eq!((report.cancelled, report.aborted), (2, 0));
    assert!(matches!(ended(&task).await.outcome, TaskOutcome::Cancelled(_)));
    assert_eq!((manager.stats().open, manager.stats().running), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_detached_task_may_wait_for_the_run_that_submitted_it() {
    let seen = Log::new();
    let inside = seen.clone();
    let starts = tool_of("starts", move |arguments, cx| {
        let seen = inside.clone();
        async move {
            if arguments["of"] == "a" {
                let _goes_on = cx.submit_tool("starts", of("b"))?.detach();
            } else {
                seen.note(cx.call_tool::<Value>("starts", of("a")).await?);
            }
            sleep(secs(1)).await;
            Ok(json!("done"))
        }
    });
    let manager = with_slots(1, [starts.dedupe(Dedupe::Share)]);
    let task = start_with(&manager, "starts", of("a"));
    assert!(ended(&task).await.outcome.is_completed());
    sleep(secs(5)).await;
    assert_eq!(seen.all(), [json!("done")]);
    is_at_rest(&manager, "after a detached task").await;
}

#[tokio::test(start_paused = true)]
async fn a_call_does_not_wait_for_or_replace_an_equal_call_above_it() {
    for (dedupe, expected) in [
        (
            Dedupe::Reject,
            "its call of `tool` failed: `tool` would wait for itself: `tool` (t1) → `plain` (A) → `tool` (B) → `tool` (t1); \
             do without this call",
        ),
        (
            Dedupe::Replace,
            "its call of `tool` failed: `tool` would replace a call that waits for it: `tool` (t1) → `plain` (A) → `tool` (B) → \
             `tool` (t1); do without this call",
        ),
    ] {
        let graph = Arc::new(Graph::from([("a", vec![("plain", "b")]), ("b", vec![("tool", "a")])]));
        let tools = [walker("tool", &graph).dedupe(dedupe), walker("plain", &graph)];
        let manager = with_slots(1, tools);
        assert_eq!(failure(&first(&manager, "tool", of("a"))).await, expected);
        is_at_rest(&manager, "after a refusal").await;
        // The key is free again.
        assert_eq!(failure(&first(&manager, "tool", of("a"))).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_other_sessions_share_circles_only_where_they_share_runs() {
    let manager = everything(
        1,
        Graph::from([("a", vec![("other", "b")]), ("b", vec![("other", "a")])]),
    );
    let tasks = ["one", "two"].map(|session| start_in(&manager, session, "other", of("a")));
    for task in &tasks {
        assert_eq!(kind(&*ended(task).await), Some(ToolErrorKind::Failed));
    }
    is_at_rest(&manager, "after two sessions").await;
}
