//! Shutdown of a manager.

use std::{
    mem::ManuallyDrop,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncToolManager, FunctionTool, TaskOutcome, TaskStatus, ToolContext, ToolDefinition, ToolErrorKind,
    future::BoxFuture, task::TaskSpec, testing::Gates, tool::BoundCall,
};
use serde_json::json;
use tower::util::MapFutureLayer;

use crate::stand::{Output, call, gate, idle, session, tool};

#[tokio::test(start_paused = true)]
async fn shutdown_drains_then_cancels_and_takes_nothing_new() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool())
        .tool(tool("deaf", |_| std::future::pending()))
        .build()
        .unwrap();
    let quick = manager.submit(&session(), gate("a")).unwrap();
    let deaf = manager.submit(&session(), call("deaf", json!({}))).unwrap();
    let opener = async {
        gates.arrived("a", 1).await;
        gates.open("a", json!("in time"));
    };
    let (report, ()) = tokio::join!(manager.shutdown(Duration::from_secs(10)), opener);
    assert_eq!((report.drained, report.cancelled, report.aborted), (1, 1, 0));
    let outcome = |task| manager.task(task).unwrap().result().unwrap().outcome.clone();
    assert_eq!(outcome(quick.id()).value(), Some(&json!("in time")));
    assert_eq!(
        outcome(deaf.id()),
        TaskOutcome::Cancelled("the manager was shut down".to_owned())
    );
    let refusal = manager.submit(&session(), gate("a")).unwrap_err();
    assert_eq!(refusal.kind(), ToolErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submit_that_races_with_a_shutdown_is_refused_or_drained() {
    let (entered, has_entered) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let definition = ToolDefinition::new("slow_to_bind", "Binds slowly.", json!({"type": "object"}));
    let slow = FunctionTool::from_parts(definition, move |_| {
        entered.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        Ok(BoundCall::future(|_| std::future::pending()))
    });
    let manager = AsyncToolManager::builder().tool(slow).build().unwrap();
    let submitter = manager.clone();
    let submitted =
        tokio::task::spawn_blocking(move || submitter.submit(&session(), call("slow_to_bind", json!({}))).map(drop));
    tokio::task::block_in_place(|| has_entered.recv().unwrap());
    manager.shutdown(Duration::ZERO).await;
    release.send(()).unwrap();
    let refusal = submitted.await.unwrap().unwrap_err();
    assert_eq!(
        refusal.kind(),
        ToolErrorKind::Unavailable,
        "nothing is accepted after the end"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_settles_a_task_that_blocks_its_thread() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let rude = tool("rude", move |_| {
        let released = Arc::clone(&released);
        async move {
            let _until_the_test_is_over = released.lock().unwrap().recv();
            Ok(json!("late"))
        }
    });
    let manager = AsyncToolManager::builder()
        .tool(rude)
        .stop_timeout(Duration::ZERO)
        .build()
        .unwrap();
    let task = manager
        .submit_task(TaskSpec::new(session(), call("rude", json!({}))))
        .unwrap();
    while task.status() == TaskStatus::Queued {
        tokio::task::yield_now().await;
    }
    let report = manager.shutdown(Duration::ZERO).await;
    assert_eq!(report.aborted, 1);
    assert_eq!(task.status(), TaskStatus::Cancelled);
    release.send(()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn shutdown_leaves_no_task_open_that_is_submitted_while_the_others_are_aborted() {
    let kept = Arc::new(Mutex::new(None));
    let (keeper, submitter) = (Arc::clone(&kept), Arc::clone(&kept));
    let children = Arc::new(AtomicUsize::new(0));
    let submitted = Arc::clone(&children);
    let parent = tool("parent", move |cx| {
        *keeper.lock().unwrap() = Some(cx);
        std::future::pending()
    });
    // The layer keeps all tasks open beyond their stop timeout.
    let hangs = MapFutureLayer::new(|rest: BoxFuture<'static, Output>| async move {
        let _result = rest.await;
        std::future::pending::<Output>().await
    });
    let manager = AsyncToolManager::builder()
        .tool(tool("first", |_| std::future::pending()))
        .tool(parent)
        .tool(tool("child", |_| std::future::pending()))
        .inner_layer(hangs)
        .on_complete(move |result| {
            if &*result.tool == "first" {
                let parent: Option<ToolContext> = submitter.lock().unwrap().take();
                let child = parent.unwrap().submit_tool("child", json!({}));
                let _leaked = ManuallyDrop::new(child.unwrap());
                submitted.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap();
    for name in ["first", "parent"] {
        manager.submit(&session(), call(name, json!({}))).unwrap();
        idle().await;
    }
    let report = manager.shutdown(Duration::ZERO).await;
    assert_eq!(children.load(Ordering::SeqCst), 1);
    assert_eq!((manager.stats().open, report.aborted), (0, 3));
}
