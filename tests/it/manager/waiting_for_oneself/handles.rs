//! Functions that wait for tasks by their handles.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use async_tool_runtime::{
    AsyncToolManager, FunctionTool, TaskHandle, TaskOutcome, ToolContext, ToolDefinition, ToolError, ToolErrorKind,
    policy::Dedupe,
    testing::{Explore, Sim},
    tool::BoundCall,
};
use serde_json::{Value, json};
use tokio::{runtime::Handle, time::timeout};

use crate::stand::{
    Log, blocking, is_at_rest, kind, sample_of, secs, start, start_with, timed, tool, tool_of, with_slots,
};

/// Steps of each node: `wait` for the host's task of a node, or a call of a tool.
type Steps = BTreeMap<&'static str, Vec<(&'static str, &'static str)>>;
/// Tasks of the host by their nodes.
type Tasks = Arc<OnceLock<BTreeMap<&'static str, TaskHandle>>>;

/// A tool whose calls take the steps of their node. `refused` notes the circles.
fn walker(name: &str, steps: &Arc<Steps>, tasks: &Tasks, refused: &Log<String>) -> FunctionTool {
    let (steps, tasks, refused) = (Arc::clone(steps), Arc::clone(tasks), refused.clone());
    let schema = json!({"type": "object", "properties": {"of": {"type": "string"}, "path": {"type": "string"}}});
    FunctionTool::from_parts(ToolDefinition::new(name, "Takes steps.", schema), move |arguments| {
        let (steps, tasks, refused) = (Arc::clone(&steps), Arc::clone(&tasks), refused.clone());
        let arguments = arguments.value().clone();
        Ok(BoundCall::future(move |cx: ToolContext| async move {
            let node = arguments["of"].as_str().unwrap();
            for (how, node) in steps.get(node).into_iter().flatten() {
                tokio::time::sleep(secs(1)).await;
                let error = match *how {
                    "wait" => {
                        let result = tasks.get().unwrap()[node].outcome().await;
                        result.outcome.error().cloned()
                    }
                    tool => cx.call_tool::<Value>(tool, of(node)).await.err(),
                };
                if let Some(error) = error {
                    if error.message().contains(" → ") && !error.message().contains("failed") {
                        refused.note(error.message().to_owned());
                    }
                    return Err(error);
                }
            }
            Ok(json!(node))
        }))
    })
}

fn of(node: &str) -> Value {
    json!({"of": node, "path": "the file"})
}

/// Outcomes of the host's tasks, and the circles that were refused.
async fn walk(what: &str, slots: usize, steps: Steps, first: &[(&str, &'static str)]) -> (Vec<bool>, Vec<String>) {
    let (steps, tasks, refused) = (Arc::new(steps), Tasks::default(), Log::new());
    let walker = |name| walker(name, &steps, &tasks, &refused);
    let manager = with_slots(
        slots,
        [
            walker("plain"),
            walker("share").dedupe(Dedupe::Share),
            walker("write").writes("path"),
        ],
    );
    let started: Vec<_> = first
        .iter()
        .map(|(tool, node)| (*node, start_with(&manager, tool, of(node))))
        .collect();
    tasks.set(started.iter().cloned().collect()).unwrap();
    let mut ended = Vec::new();
    for (_, task) in &started {
        let result = timeout(secs(600), task.outcome()).await;
        let result = result.unwrap_or_else(|_| panic!("{what}: a task waits for itself"));
        ended.push(result.outcome.is_completed());
    }
    is_at_rest(&manager, what).await;
    // A caller may return the refusal of the call below it as its own.
    let mut refused = refused.all();
    refused.dedup();
    (ended, refused)
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_handle_that_closes_a_circle_is_refused_at_once() {
    let cases: [(&str, Steps, &[(&str, &str)], &str); 9] = [
        (
            "itself",
            Steps::from([("a", vec![("wait", "a")])]),
            &[("plain", "a")],
            "`plain`",
        ),
        (
            "a call below its caller",
            Steps::from([("a", vec![("plain", "b")]), ("b", vec![("wait", "a")])]),
            &[("plain", "a")],
            "`plain`",
        ),
        (
            "two tasks of the host",
            Steps::from([("a", vec![("wait", "b")]), ("b", vec![("wait", "a")])]),
            &[("plain", "a"), ("share", "b")],
            "`share`",
        ),
        (
            "three tasks of the host",
            Steps::from([
                ("a", vec![("wait", "b")]),
                ("b", vec![("wait", "c")]),
                ("c", vec![("share", "a")]),
            ]),
            &[("share", "a"), ("plain", "b"), ("plain", "c")],
            "`share`",
        ),
        (
            "a shared run and a task that would share it",
            Steps::from([("a", vec![("wait", "b")]), ("b", vec![("share", "a")])]),
            &[("share", "a"), ("plain", "b")],
            "`share`",
        ),
        (
            "a task that joins, and a wait behind it",
            Steps::from([("a", vec![("plain", "x"), ("wait", "b")]), ("b", vec![("share", "a")])]),
            &[("share", "a"), ("plain", "b")],
            "`share`",
        ),
        (
            "a task that waits for the caller's file",
            Steps::from([("a", vec![("wait", "b")])]),
            &[("write", "a"), ("write", "b")],
            "`write`",
        ),
        (
            "a task that waits for the file of one above the caller",
            Steps::from([("a", vec![("plain", "c")]), ("c", vec![("wait", "b")])]),
            &[("write", "a"), ("write", "b")],
            "`write`",
        ),
        (
            "a call that needs the file of a task which waits for its caller",
            Steps::from([("a", vec![("wait", "b")]), ("b", vec![("plain", "x"), ("write", "c")])]),
            &[("write", "a"), ("plain", "b")],
            "`write`",
        ),
    ];
    for (what, steps, first, named) in cases {
        for slots in [1, 8] {
            let began = tokio::time::Instant::now();
            let (ended, refused) = walk(what, slots, steps.clone(), first).await;
            assert_eq!(refused.len(), 1, "{what}: {refused:?}");
            assert!(refused[0].contains(named), "{what}: {refused:?}");
            assert!(began.elapsed() < secs(10), "{what}");
            assert!(!ended[0], "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waits_for_handles_without_a_circle_need_no_slot_of_their_own() {
    let cases: [(&str, Steps, &[(&str, &str)]); 4] = [
        (
            "a line",
            Steps::from([("a", vec![("wait", "b")]), ("b", vec![("wait", "c")])]),
            &[("plain", "a"), ("plain", "b"), ("share", "c")],
        ),
        (
            "a diamond",
            Steps::from([
                ("a", vec![("wait", "b"), ("wait", "c")]),
                ("b", vec![("wait", "d")]),
                ("c", vec![("wait", "d"), ("wait", "b")]),
            ]),
            &[("plain", "a"), ("share", "b"), ("plain", "c"), ("write", "d")],
        ),
        (
            "a file that is free again",
            Steps::from([("b", vec![("wait", "a")]), ("c", vec![("wait", "a")])]),
            &[("write", "a"), ("write", "b"), ("write", "c")],
        ),
        (
            "calls below a task that is awaited",
            Steps::from([
                ("a", vec![("wait", "b")]),
                ("b", vec![("share", "c"), ("write", "d")]),
                ("c", vec![("plain", "x")]),
            ]),
            &[("plain", "a"), ("plain", "b"), ("share", "c")],
        ),
    ];
    for (what, steps, first) in cases {
        let (ended, refused) = walk(what, 1, steps, first).await;
        assert_eq!(refused, [""; 0], "{what}");
        assert!(ended.iter().all(|is_completed| *is_completed), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_wait_is_no_end_of_the_awaited_task() {
    let hold: Arc<OnceLock<TaskHandle>> = Arc::default();
    let own = Arc::clone(&hold);
    let careful = tool("careful", move |_| {
        let own = Arc::clone(&own);
        async move {
            let task = own.get().unwrap();
            let refused = task.outcome().await;
            assert_eq!(kind(&refused), Some(ToolErrorKind::Duplicate));
            assert!(task.result().is_none());
            Ok(json!("did without"))
        }
    });
    let manager = with_slots(1, [careful]);
    let task = start(&manager, "careful");
    hold.set(task.clone()).unwrap();
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!("did without")));
    is_at_rest(&manager, "after a refusal").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_blocks_its_thread_is_seen_too() {
    let hold: Arc<OnceLock<TaskHandle>> = Arc::default();
    let own = Arc::clone(&hold);
    let blocks = blocking("blocks", move |_| {
        let task = own.wait().clone();
        match &Handle::current().block_on(task.outcome()).outcome {
            TaskOutcome::Failed(error) => Err(error.clone()),
            other => Err(ToolError::failed(format!("{other:?}"))),
        }
    });
    let manager = with_slots(1, [blocks]);
    let task = start(&manager, "blocks");
    hold.set(task.clone()).unwrap();
    let result = timeout(secs(60), task.outcome()).await.expect("it is refused at once");
    assert_eq!(kind(&result), Some(ToolErrorKind::Duplicate));
    is_at_rest(&manager, "after a blocking function").await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_is_no_part_of_a_circle() {
    let tasks: Arc<OnceLock<[TaskHandle; 2]>> = Arc::default();
    let known = Arc::clone(&tasks);
    // The first gives up after a second, and ends after four. The second waits for it from the second second on.
    let waits = tool_of("waits", move |arguments, _| {
        let known = Arc::clone(&known);
        async move {
            let [first, second] = known.get().unwrap();
            if arguments["of"] == "a" {
                let given_up = timeout(secs(1), second.outcome()).await;
                assert!(given_up.is_err());
                tokio::time::sleep(secs(3)).await;
                return Ok(json!(1));
            }
            tokio::time::sleep(secs(2)).await;
            let first = first.outcome().await;
            Ok(first.outcome.value().cloned().unwrap_or_default())
        }
    });
    let manager = with_slots(2, [waits]);
    let both = ["a", "b"].map(|node| start_with(&manager, "waits", of(node)));
    tasks.set(both.clone()).unwrap();
    for task in &both {
        assert_eq!(task.outcome().await.outcome.value(), Some(&json!(1)));
    }
    is_at_rest(&manager, "after waits").await;
}

#[tokio::test(start_paused = true)]
async fn waits_side_by_side_hold_no_slot() {
    let hold: Arc<OnceLock<AsyncToolManager>> = Arc::default();
    let known = Arc::clone(&hold);
    let both = tool("both", move |_| {
        let manager = known.get().unwrap().clone();
        async move {
            let tasks = [1_000, 2_000].map(|ms| start_with(&manager, "timed", json!({"ms": ms, "value": ms})));
            let (one, other) = tokio::join!(tasks[0].outcome(), tasks[1].outcome());
            Ok(json!([one.outcome.value(), other.outcome.value()]))
        }
    });
    let manager = with_slots(1, [both, timed("timed")]);
    assert!(hold.set(manager.clone()).is_ok());
    let result = timeout(secs(60), start(&manager, "both").outcome()).await;
    let result = result.expect("the tasks get the slot");
    assert_eq!(result.outcome.value(), Some(&json!([1_000, 2_000])));
    is_at_rest(&manager, "after waits side by side").await;
}

/// Random steps of random tasks.
async fn random_waits(sim: Sim) {
    const NODES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let nodes = &NODES[..2 + sim.pick(NODES.len() - 1)];
    let tool = |sim: &Sim| ["plain", "share", "write"][sim.pick(3)];
    let mut steps = Steps::new();
    for (from, node) in nodes.iter().enumerate() {
        let below = (0..sim.pick(3)).map(|_| {
            let to = sim.pick(nodes.len());
            match sim.chance(0.6) {
                true => ("wait", nodes[to]),
                // Calls that share nothing could go down for ever.
                false if to > from => (tool(&sim), nodes[to]),
                false => ("share", nodes[to]),
            }
        });
        steps.insert(node, below.collect());
    }
    let first: Vec<_> = nodes.iter().map(|node| (tool(&sim), *node)).collect();
    walk(&format!("{steps:?} {first:?}"), 1 + sim.pick(3), steps.clone(), &first).await;
}

#[test]
fn with_random_waits_for_handles_every_task_ends() {
    Explore::new().seeds(0..sample_of(1_800)).run(random_waits);
}
