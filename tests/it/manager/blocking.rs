//! Functions that block their thread.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{AsyncToolManager, FunctionTool, TaskOutcome, ToolDefinition, tool::BoundCall};
use serde_json::{Value, json};

use crate::stand::{call, session};

#[tokio::test]
async fn a_blocking_function_does_not_block_the_async_threads() {
    // There is one async thread: if the function ran on it, the test could not send what it waits for.
    let (sender, receiver) = std::sync::mpsc::channel::<u32>();
    let receiver = Arc::new(Mutex::new(receiver));
    let definition = ToolDefinition::new("blocks", "Blocks.", json!({"type": "object"}));
    let blocks = FunctionTool::from_parts(definition, move |_| {
        let receiver = Arc::clone(&receiver);
        Ok(BoundCall::blocking(move |_| {
            Ok(json!(receiver.lock().unwrap().recv().unwrap()))
        }))
    });
    let manager = AsyncToolManager::builder().tool(blocks).build().unwrap();
    let task = manager.submit(&session(), call("blocks", json!({}))).unwrap();
    tokio::task::yield_now().await;
    sender.send(7).unwrap();
    let result = task.outcome().await;
    assert_eq!(result.outcome.value(), Some(&json!(7)));
}

fn blocks(name: &str, run: impl Fn() -> Value + Clone + Send + Sync + 'static) -> FunctionTool {
    let definition = ToolDefinition::new(name, "Blocks.", json!({"type": "object"}));
    FunctionTool::from_parts(definition, move |_| {
        let run = run.clone();
        Ok(BoundCall::blocking(move |_| Ok(run())))
    })
}

#[test]
fn a_blocking_function_that_still_waits_for_a_thread_is_not_called_once_its_task_has_ended() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (started, has_started) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ran);
    let manager = AsyncToolManager::builder()
        .tool(blocks("hog", move || {
            started.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            json!(null)
        }))
        .tool(blocks("pay", move || json!(counter.fetch_add(1, Ordering::SeqCst))))
        .stop_timeout(Duration::ZERO)
        .build()
        .unwrap();
    runtime.block_on(async {
        manager.submit(&session(), call("hog", json!({}))).unwrap();
        tokio::task::block_in_place(|| has_started.recv().unwrap());
        let pay = manager.submit(&session(), call("pay", json!({}))).unwrap();
        pay.cancel("too dear");
        assert_eq!(
            pay.outcome().await.outcome,
            TaskOutcome::Cancelled("too dear".to_owned())
        );
        release.send(()).unwrap();
        // The one blocking thread works in order: `pay` would have run before this.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    });
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}
