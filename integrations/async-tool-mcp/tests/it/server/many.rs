//! Many tasks at once.

use std::time::Duration;

use async_tool_runtime::{async_tool, tool::Progress, tools};
use serde_json::json;
use tokio::time::sleep;

use super::stand::{Http, serve, with_tasks};

/// Reports after ten seconds.
#[async_tool(effect = "read")]
async fn reports(#[inject] progress: Progress) {
    sleep(Duration::from_secs(10)).await;
    progress.message("half");
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_poll_changes_nothing() {
    let client = Http::new(serve(tools![reports]), with_tasks());
    let id = client.start("reports", json!({})).await;
    sleep(Duration::from_millis(100)).await;
    let first = client.task(&id).await;
    for _ in 0..5 {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(client.task(&id).await, first);
    }
    sleep(Duration::from_secs(6)).await;
    let second = client.task(&id).await;
    assert!(second["lastUpdatedAt"].as_str().unwrap() > first["lastUpdatedAt"].as_str().unwrap());
    assert_eq!(second["createdAt"], first["createdAt"]);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(client.task(&id).await, second);
}

/// The fastest of many polls: what other programs do to this machine only slows some down.
#[tokio::test]
async fn a_poll_costs_no_more_with_500_live_tasks() {
    let client = Http::new(serve(tools![reports]), with_tasks());
    let id = client.start("reports", json!({})).await;
    let fastest = || async {
        let mut fastest = Duration::MAX;
        for _ in 0..60 {
            let begun = std::time::Instant::now();
            client.task(&id).await;
            fastest = fastest.min(begun.elapsed());
        }
        fastest
    };
    fastest().await;
    let alone = fastest().await;
    for _ in 0..499 {
        client.start("reports", json!({})).await;
    }
    let among = fastest().await;
    assert!(among < alone * 2, "{alone:?} with one task, {among:?} with 500");
}
