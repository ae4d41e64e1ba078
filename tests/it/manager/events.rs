//! Events of tasks, and the callback at their end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{AsyncToolManager, TaskEvent, TaskStatus, testing::Gates};
use serde_json::json;

use crate::stand::{gate, session};

#[tokio::test]
async fn on_complete_is_called_once_for_every_task_and_its_panic_does_no_harm() {
    let heard = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&heard);
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .on_complete(|_| panic!("a callback that is broken"))
        .on_complete(move |result| {
            assert!(result.status().is_terminal());
            counter.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    for _ in 0..3 {
        manager.submit(&session(), gate("a")).unwrap();
        gates.open("a", json!(1));
    }
    let report = manager.shutdown(Duration::from_secs(60)).await;
    assert_eq!((report.drained, report.cancelled, report.aborted), (3, 0, 0));
    assert_eq!(heard.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn events_begin_with_a_snapshot_of_what_is_open() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let first = manager.submit(&session(), gate("a")).unwrap();
    gates.arrived("a", 1).await;
    let mut events = manager.events();
    let Some(TaskEvent::Snapshot { tasks: open }) = events.next().await else {
        panic!("the snapshot comes first")
    };
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].task, open[0].status), (first.id(), TaskStatus::Running));
    gates.open("a", json!("done"));
    let Some(TaskEvent::Settled(result)) = events.next().await else {
        panic!("the task ends")
    };
    assert_eq!(result.task, first.id());
}

#[tokio::test]
async fn a_reader_that_is_too_slow_gets_a_new_snapshot() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let mut events = manager.events();
    assert_eq!(events.next().await, Some(TaskEvent::Snapshot { tasks: Vec::new() }));
    for _ in 0..1_000 {
        let task = manager.submit(&session(), gate("a")).unwrap();
        gates.open("a", json!(null));
        task.outcome().await;
    }
    let open = manager.submit(&session(), gate("b")).unwrap();
    let Some(TaskEvent::Snapshot { tasks }) = events.next().await else {
        panic!("a snapshot makes up for the missed events")
    };
    assert_eq!(tasks.iter().map(|task| task.task).collect::<Vec<_>>(), [open.id()]);
}
