//! Timeouts and deadlines.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{AsyncToolManager, ToolError, ToolErrorKind, testing::Gates};
use serde_json::json;
use tokio::sync::Notify;

use crate::stand::{call, gate, session, tool};

#[tokio::test(start_paused = true)]
async fn a_tool_that_runs_past_its_timeout_fails_and_hears_of_it() {
    let heard = Arc::new(Notify::new());
    let tell = Arc::clone(&heard);
    let slow = tool("slow", move |cx| {
        let tell = Arc::clone(&tell);
        async move {
            let token = cx.cancellation().clone();
            assert_eq!(cx.remaining(), Some(Duration::from_secs(2)));
            tokio::spawn(async move {
                token.cancelled().await;
                tell.notify_one();
            });
            std::future::pending().await
        }
    });
    let slow = slow.timeout(Duration::from_secs(2));
    let manager = AsyncToolManager::builder().tool(slow).build().unwrap();
    let task = manager.submit(&session(), call("slow", json!({}))).unwrap();
    let result = task.outcome().await;
    let error = result.outcome.error().expect("a timeout is a failure");
    assert_eq!(error.kind(), ToolErrorKind::Timeout);
    assert_eq!(error.model_message(), "timed out after 2s");
    assert_eq!(
        result.timing.running(),
        Duration::from_secs(3),
        "it listens, and is dropped after a stop timeout in which it could have tidied up"
    );
    heard.notified().await;
}

#[tokio::test(start_paused = true)]
async fn a_tool_tidies_up_after_its_timeout_if_it_listens_and_is_dropped_at_once_if_not() {
    for (listens, tidies, ends_after) in [(false, false, 2000), (true, true, 2100), (true, false, 3000)] {
        let tidied = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&tidied);
        let slow = tool("slow", move |cx| {
            let counts = Arc::clone(&counts);
            async move {
                if !listens {
                    return std::future::pending().await;
                }
                cx.cancellation().cancelled().await;
                if !tidies {
                    return std::future::pending().await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                counts.fetch_add(1, Ordering::SeqCst);
                Err(ToolError::failed("the half that was done is undone"))
            }
        });
        let manager = AsyncToolManager::builder()
            .tool(slow.timeout(Duration::from_secs(2)))
            .build()
            .unwrap();
        let task = manager.submit(&session(), call("slow", json!({}))).unwrap();
        let result = task.outcome().await;
        assert_eq!(
            result.outcome.error().map(ToolError::kind),
            Some(ToolErrorKind::Timeout)
        );
        assert_eq!(result.timing.running(), Duration::from_millis(ends_after));
        assert_eq!(tidied.load(Ordering::SeqCst), usize::from(tidies));
    }
}

#[tokio::test(start_paused = true)]
async fn durations_without_end_are_no_panic() {
    let gates = Gates::new();
    let manager = AsyncToolManager::builder()
        .tool(gates.tool().timeout(Duration::MAX))
        .stop_timeout(Duration::MAX)
        .build()
        .unwrap();
    let task = manager.submit(&session(), gate("a")).unwrap();
    gates.arrived("a", 1).await;
    manager.cancel(task.id(), "whenever you like");
    tokio::task::yield_now().await;
    assert!(task.result().is_none(), "it has all the time it wants");
    gates.open("a", json!("here"));
    let report = manager.shutdown(Duration::MAX).await;
    assert_eq!(report.drained, 1);
}
