//! Signs of life.

use std::time::Duration;

use async_tool_runtime::{async_tool, tool::Progress, tools};
use serde_json::json;
use tokio::time::sleep;

use super::stand::{Http, Stdio, serve, with_tasks};

/// Says nothing for 35 seconds.
#[async_tool(effect = "read")]
async fn silent() -> &'static str {
    sleep(Duration::from_secs(35)).await;
    "done"
}

/// Reports twice.
#[async_tool(effect = "read")]
async fn talks(#[inject] progress: Progress) -> &'static str {
    sleep(Duration::from_secs(25)).await;
    progress.report(0.25, "a quarter");
    sleep(Duration::from_secs(25)).await;
    progress.report(0.25, "still a quarter");
    sleep(Duration::from_secs(5)).await;
    "done"
}

#[tokio::test(start_paused = true)]
async fn a_silent_tool_shows_life_every_ten_seconds() {
    let client = Http::new(serve(tools![silent]), json!({}));
    let reply = client.token("p").call("silent", json!({})).await;
    assert_eq!(reply.text_of_result(), "done");
    let progress = reply.progress();
    assert_eq!(progress.len(), 3, "at 10, 20 and 30 s: {}", reply.text);
    assert!(progress.windows(2).all(|pair| pair[0] < pair[1]), "{progress:?}");
    assert!(
        reply
            .before
            .iter()
            .all(|message| message["params"]["progressToken"] == "p")
    );
}

#[tokio::test(start_paused = true)]
async fn the_pause_can_be_set() {
    let client = Http::new(serve(tools![silent]).heartbeat(Duration::from_secs(2)), json!({}));
    assert_eq!(client.token("p").call("silent", json!({})).await.progress().len(), 17);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_sent() {
    let client = Http::new(serve(tools![silent]), json!({}));
    let reply = client.call("silent", json!({})).await;
    assert!(reply.before.is_empty(), "{}", reply.text);
    // A task has no progress either, whatever token came with its call.
    let client = client.with(with_tasks()).token("p");
    assert!(client.call("silent", json!({})).await.before.is_empty());
}

#[tokio::test(start_paused = true)]
async fn reports_are_progress_and_heartbeats_lie_between_them() {
    let client = Http::new(serve(tools![talks]), json!({}));
    let reply = client.token("p").call("talks", json!({})).await;
    let progress = reply.progress();
    assert!(progress.windows(2).all(|pair| pair[0] < pair[1]), "{progress:?}");
    let messages: Vec<_> = reply
        .before
        .iter()
        .map(|message| message["params"]["message"].as_str().unwrap())
        .collect();
    assert!(
        messages.contains(&"a quarter") && messages.contains(&"still a quarter"),
        "{messages:?}"
    );
    assert!(progress.len() >= 6, "{messages:?}");
}

#[tokio::test(start_paused = true)]
async fn reports_are_the_message_of_a_task() {
    let client = Http::new(serve(tools![talks]), with_tasks());
    let id = client.start("talks", json!({})).await;
    sleep(Duration::from_secs(26)).await;
    let task = client.task(&id).await;
    assert_eq!(
        (&task["status"], &task["statusMessage"]),
        (&json!("working"), &json!("a quarter"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_legacy_caller_on_stdio_sees_life() {
    let mut client = Stdio::legacy(serve(tools![silent]), json!({})).await;
    let params = json!({"name": "silent", "arguments": {}, "_meta": {"progressToken": 5}});
    client.send(&super::stand::request(1, "tools/call", &params)).await;
    let mut seen = 0;
    loop {
        let message = client.receive().await;
        if message["id"] == 1 {
            break;
        }
        assert_eq!(
            (&message["method"], &message["params"]["progressToken"]),
            (&json!("notifications/progress"), &json!(5))
        );
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[tokio::test(start_paused = true)]
async fn a_response_begins_within_15_seconds_also_without_a_token() {
    let client = Http::new(serve(tools![silent]), json!({}));
    let call = tokio::time::timeout(Duration::from_secs(16), client.begin("silent", json!({}))).await;
    let (kind, text) = call.expect("the response has begun");
    assert_eq!(kind, "text/event-stream");
    let text = text.await;
    assert!(text.starts_with(": working\n\n"), "{text}");
    let data: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("data:")).collect();
    let message: serde_json::Value = serde_json::from_str(data.last().unwrap()).unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done", "{text}");
}
