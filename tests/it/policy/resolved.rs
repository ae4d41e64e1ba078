//! Tasks with a result from outside, whose function or layers don't end.

use std::sync::{Arc, Mutex, mpsc};

use async_tool_runtime::{AsyncToolManager, FunctionTool, TaskHandle, future::BoxFuture, policy::Dedupe};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::util::MapFutureLayer;

use crate::stand::{Output, idle, is_at_rest, quick, secs, start, tool};

async fn value(task: &TaskHandle) -> Option<Value> {
    let result = timeout(secs(20), task.outcome()).await.expect("the task ends");
    result.outcome.value().cloned()
}

/// A layer that keeps the result of a call for ever, except of [`quick`].
fn keeps(rest: BoxFuture<'static, Output>) -> BoxFuture<'static, Output> {
    Box::pin(async move {
        match rest.await {
            Ok(done) if done == "done" => Ok(done),
            _ => std::future::pending().await,
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_waits_for_ever_does_not_keep_a_result_from_outside() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        for is_inner in [true, false] {
            let builder = AsyncToolManager::builder()
                .tool(quick())
                .tool(tool("order", |cx| async move { cx.defer().await }).dedupe(dedupe))
                .concurrency(1);
            let manager = match is_inner {
                true => builder.inner_layer(MapFutureLayer::new(keeps)),
                false => builder.layer(MapFutureLayer::new(keeps)),
            };
            let manager = manager.build().unwrap();
            let tasks = [start(&manager, "order"), start(&manager, "order")];
            idle().await;
            for task in &tasks {
                let _the_run_has_its_end = manager.resolve(task.id(), json!("parcel"));
            }
            for task in &tasks {
                assert_eq!(
                    value(task).await,
                    Some(json!("parcel")),
                    "{dedupe:?}, inner: {is_inner}"
                );
            }
            is_at_rest(&manager, "after the results").await;
        }
    }
}

/// An async tool that blocks its thread until the sender is used or dropped; it tells when it begins.
fn rude() -> (FunctionTool, mpsc::Sender<()>, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (started, has_started) = tokio::sync::mpsc::unbounded_channel();
    let rude = tool("rude", move |_| {
        let (started, released) = (started.clone(), Arc::clone(&released));
        async move {
            started.send(()).unwrap();
            let _until_the_test_is_over = released.lock().unwrap().recv();
            Ok(json!("late"))
        }
    });
    (rude, release, has_started)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_function_that_blocks_its_thread_does_not_hold_up_a_result_from_outside() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let (rude, release, mut has_started) = rude();
        let manager = AsyncToolManager::builder()
            .tool(rude.dedupe(dedupe))
            .tool(quick())
            .concurrency(1)
            .stop_timeout(secs(0))
            .build()
            .unwrap();
        let task = start(&manager, "rude");
        has_started.recv().await.unwrap();
        let sharing = (dedupe == Dedupe::Share).then(|| start(&manager, "rude"));
        while sharing.as_ref().is_some_and(|_| manager.stats().shared == 0) {
            tokio::task::yield_now().await;
        }
        manager.resolve(task.id(), json!("from outside")).unwrap();
        for task in [Some(&task), sharing.as_ref()].into_iter().flatten() {
            assert_eq!(value(task).await, Some(json!("from outside")), "{dedupe:?}");
        }
        is_at_rest(&manager, "while the thread is blocked").await;
        assert_eq!(manager.stats().quarantined, 1, "{dedupe:?}");
        // A new call is a new run, and none of the one that can't end.
        let next = start(&manager, "rude");
        has_started.recv().await.unwrap();
        drop(release);
        assert_eq!(value(&next).await, Some(json!("late")), "{dedupe:?}");
        while manager.stats().quarantined > 0 {
            tokio::task::yield_now().await;
        }
    }
}
