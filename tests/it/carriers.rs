//! The tokio tasks in which a manager's tasks run.

use std::{
    collections::HashSet,
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError, mpsc},
    task::{Poll, Waker},
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, SessionId, State, TaskHandle, TaskOutcome, ToolCall, ToolContext, ToolError, async_tool,
    testing::Gates, tools,
};
use serde_json::{Value, json};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Notify,
    time::timeout,
};

use crate::observability::Notes;

/// Says in which tokio task of which runtime it runs.
#[async_tool(effect = "read")]
async fn whereabouts() -> (String, String) {
    (tokio::task::id().to_string(), Handle::current().id().to_string())
}

/// Says where a task below it runs.
#[async_tool(effect = "read")]
async fn have_found(#[inject] cx: ToolContext) -> Result<Value, ToolError> {
    cx.call_tool("whereabouts", json!({})).await
}

/// Crashes.
#[async_tool]
async fn crash() {
    panic!("on purpose");
}

fn manager() -> (AsyncToolManager, Gates) {
    let gates = Gates::new();
    let builder = AsyncToolManager::builder().concurrency(100);
    let builder = builder.tools(tools![whereabouts, have_found, crash]);
    (builder.tool(gates.tool()).build().unwrap(), gates)
}

fn start(manager: &AsyncToolManager, tool: &str, arguments: Value) -> TaskHandle {
    let call = ToolCall::new("call_1", tool, arguments);
    manager.spawn(&SessionId::new("s"), call).unwrap()
}

/// The tokio task and the runtime that a call found.
async fn found(task: TaskHandle) -> (String, String) {
    let result = task.outcome().await;
    serde_json::from_value(result.outcome.value().unwrap().clone()).unwrap()
}

async fn place(manager: &AsyncToolManager) -> (String, String) {
    found(start(manager, "whereabouts", json!({}))).await
}

async fn tokio_task(manager: &AsyncToolManager) -> String {
    place(manager).await.0
}

/// Lets everything run that can.
async fn settle_down() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn a_task_runs_in_the_tokio_task_that_another_one_has_left() {
    let (manager, gates) = manager();
    let first = tokio_task(&manager).await;
    assert_eq!(tokio_task(&manager).await, first);
    // However that one ends.
    start(&manager, "crash", json!({})).outcome().await;
    assert_eq!(tokio_task(&manager).await, first);
    let held = start(&manager, "gate", json!({"name": "a"}));
    gates.arrived("a", 1).await;
    let second = tokio_task(&manager).await;
    assert_ne!(second, first);
    held.abort("enough");
    held.outcome().await;
    settle_down().await;
    assert_eq!(alive(), 2);
    assert!([first, second].contains(&tokio_task(&manager).await));
    assert_eq!(alive(), 2);
}

#[tokio::test]
async fn tasks_that_run_at_once_have_a_tokio_task_each() {
    let (manager, _) = manager();
    for _ in 0..2 {
        let tasks = [(); 8].map(|()| start(&manager, "whereabouts", json!({})));
        let mut places = HashSet::new();
        for task in tasks {
            places.insert(found(task).await);
        }
        assert_eq!(places.len(), 8);
    }
}

#[tokio::test]
async fn tasks_that_have_waited_take_turns_in_two() {
    let builder = AsyncToolManager::builder().concurrency(1);
    let manager = builder.tools(tools![whereabouts]).build().unwrap();
    let tasks = [(); 20].map(|()| start(&manager, "whereabouts", json!({})));
    let mut places = HashSet::new();
    for task in tasks {
        places.insert(found(task).await);
    }
    // The next one starts while the last one ends.
    assert_eq!(places.len(), 2);
}

#[tokio::test]
async fn a_task_below_another_takes_what_is_there_too() {
    let (manager, _) = manager();
    let both = [(); 2].map(|()| start(&manager, "whereabouts", json!({})));
    let mut places = HashSet::new();
    for task in both {
        places.insert(found(task).await);
    }
    let below = found(start(&manager, "have_found", json!({}))).await;
    assert!(places.contains(&below));
}

#[tokio::test]
async fn a_task_in_whose_span_somebody_looks_has_one_of_its_own() {
    let (manager, _) = manager();
    let first = tokio_task(&manager).await;
    let listening = Notes::listen();
    let second = tokio_task(&manager).await;
    assert_ne!(second, first);
    assert_ne!(tokio_task(&manager).await, second);
    settle_down().await;
    assert_eq!(alive(), 0);
    drop(listening);
    assert_eq!(tokio_task(&manager).await, tokio_task(&manager).await);
}

#[tokio::test]
async fn what_a_task_has_left_behind_does_nothing_to_the_next_one() {
    let (stash, gates) = (Stash::default(), Gates::new());
    let builder = AsyncToolManager::builder().state(stash.clone());
    let manager = builder.tools(tools![leave_waker]).tool(gates.tool()).build().unwrap();
    let first = start(&manager, "leave_waker", json!({}));
    first.outcome().await;
    stash.wake();
    settle_down().await;
    assert_eq!(alive(), 1);
    let second = start(&manager, "gate", json!({"name": "a"}));
    gates.arrived("a", 1).await;
    stash.wake();
    first.abort("too late");
    settle_down().await;
    assert_eq!(alive(), 1);
    assert!(!second.status().is_terminal());
    gates.open("a", 1);
    assert!(matches!(second.outcome().await.outcome, TaskOutcome::Completed(_)));
}

#[derive(Clone, Default)]
struct Stash(Arc<Mutex<Option<Waker>>>);

impl Stash {
    fn wake(&self) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        kept.unwrap().wake();
    }
}

/// Keeps its waker for others.
#[async_tool]
async fn leave_waker(#[inject] stash: State<Stash>) {
    poll_fn(|cx| {
        *stash.0.lock().unwrap() = Some(cx.waker().clone());
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn those_that_are_too_many_to_wait_end() {
    let (manager, gates) = manager();
    let names: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    let tasks: Vec<_> = names
        .iter()
        .map(|name| start(&manager, "gate", json!({"name": name})))
        .collect();
    for name in &names {
        gates.open(name, 1);
    }
    for task in tasks {
        task.outcome().await;
    }
    settle_down().await;
    assert_eq!(alive(), 64);
}

#[tokio::test]
async fn none_is_left_by_a_manager_that_is_gone() {
    let (manager, _) = manager();
    place(&manager).await;
    settle_down().await;
    assert_eq!(alive(), 1);
    drop(manager);
    settle_down().await;
    assert_eq!(alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn none_is_left_by_a_manager_that_was_shut_down() {
    let (manager, gates) = manager();
    let at_work = start(&manager, "gate", json!({"name": "a"}));
    gates.arrived("a", 1).await;
    place(&manager).await;
    settle_down().await;
    assert_eq!(alive(), 2);
    assert_eq!(manager.shutdown(Duration::ZERO).await.drained, 0);
    assert!(at_work.status().is_terminal());
    settle_down().await;
    assert_eq!(alive(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_comes_back_after_the_shutdown_is_not_kept() {
    let (release, released) = mpsc::channel();
    let begun = Arc::new(Notify::new());
    let blocked = Blocked(Arc::clone(&begun), Mutex::new(released));
    let builder = AsyncToolManager::builder().state(blocked);
    let builder = builder.cancel_grace(Duration::ZERO).tools(tools![block]);
    let manager = builder.build().unwrap();
    start(&manager, "block", json!({}));
    begun.notified().await;
    assert_eq!(manager.shutdown(Duration::ZERO).await.drained, 0);
    release.send(()).unwrap();
    let all_gone = async {
        while alive() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), all_gone).await.unwrap();
}

struct Blocked(Arc<Notify>, Mutex<mpsc::Receiver<()>>);

/// Holds up its thread.
#[async_tool]
async fn block(#[inject] blocked: State<Blocked>) {
    blocked.0.notify_one();
    blocked.1.lock().unwrap().recv().unwrap();
}

#[test]
fn a_task_runs_on_the_runtime_of_its_caller_whichever_has_tokio_tasks_that_wait() {
    let (manager, _) = manager();
    let runtimes = [runtime(), runtime()];
    for _ in 0..3 {
        for runtime in &runtimes {
            let (_, used) = runtime.block_on(place(&manager));
            assert_eq!(used, runtime.handle().id().to_string());
        }
    }
    // They wait on the first one only.
    assert_eq!(
        runtimes.each_ref().map(|runtime| runtime.metrics().num_alive_tasks()),
        [1, 0]
    );
}

#[test]
fn a_task_that_was_given_to_a_runtime_that_ends_is_settled() {
    let (manager, _gates) = manager();
    let gone = runtime();
    let task = gone.block_on(async {
        place(&manager).await;
        // It is given to the one that waits, which has no time to look.
        start(&manager, "gate", json!({"name": "a"}))
    });
    assert_eq!(gone.metrics().num_alive_tasks(), 1);
    let handle = gone.handle().clone();
    drop(gone);
    // Nobody is there to take this one.
    let late = {
        let _entered = handle.enter();
        start(&manager, "whereabouts", json!({}))
    };
    runtime().block_on(async {
        for task in [task, late] {
            let TaskOutcome::Cancelled(reason) = &task.outcome().await.outcome else {
                panic!("{task:?}");
            };
            assert_eq!(reason, "the runtime that ran the task was shut down");
        }
        place(&manager).await;
    });
    assert_eq!((manager.stats().running, manager.stats().open), (0, 0));
}
