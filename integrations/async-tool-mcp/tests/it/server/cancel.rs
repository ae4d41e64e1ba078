//! Cancellation, and streams that are closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_tool_mcp::McpServer;
use async_tool_runtime::{
    AsyncToolManager, async_tool,
    tool::{CancellationToken, State},
    tools,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::stand::{Http, MODERN, Stdio, meta, request, serve, with_tasks};

#[derive(Clone, Default)]
struct Seen(Arc<AtomicU32>);

/// Sees its cancellation.
#[async_tool(effect = "read")]
async fn watches(#[inject] cancellation: CancellationToken, #[inject] seen: State<Seen>) -> &'static str {
    tokio::select! {
        () = cancellation.cancelled() => {
            seen.0.fetch_add(1, Ordering::SeqCst);
            "stopped"
        }
        () = sleep(Duration::from_secs(600)) => "done",
    }
}

/// Awaits, and knows nothing of cancellation.
#[async_tool(effect = "read")]
async fn deaf() -> &'static str {
    sleep(Duration::from_secs(600)).await;
    "done"
}

/// Sees its cancellation and goes on.
#[async_tool(effect = "read")]
async fn stubborn(#[inject] cancellation: CancellationToken) -> &'static str {
    cancellation.cancelled().await;
    sleep(Duration::from_secs(600)).await;
    "done"
}

fn manager(seen: &Seen) -> AsyncToolManager {
    let builder = AsyncToolManager::builder().tools(tools![watches, deaf, stubborn]);
    // Longer than the rule for tasks.
    builder
        .state(seen.clone())
        .stop_timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_settles_within_two_seconds() {
    let client = Http::new(McpServer::new(manager(&Seen::default())), with_tasks());
    for tool in ["deaf", "stubborn"] {
        let id = client.start(tool, json!({})).await;
        sleep(Duration::from_millis(10)).await;
        let begun = Instant::now();
        let ack = client.ask("tasks/cancel", json!({"taskId": id})).await;
        assert_eq!(ack.last["result"], json!({"resultType": "complete"}));
        let task = client.until(&id, "cancelled").await;
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(task.get("result").is_none() && task.get("error").is_none());
        let ack = client.ask("tasks/cancel", json!({"taskId": id})).await;
        assert_eq!(
            ack.last["result"],
            json!({"resultType": "complete"}),
            "also one that has ended"
        );
        assert_eq!(client.task(&id).await["status"], "cancelled");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_request_cancels_its_tool_and_has_no_reply() {
    let seen = Seen::default();
    for is_legacy in [true, false] {
        let server = McpServer::new(manager(&seen)).heartbeat(Duration::from_secs(1));
        let mut client = if is_legacy {
            Stdio::legacy(server, json!({})).await
        } else {
            Stdio::new(server)
        };
        let mut params = json!({"name": "watches", "arguments": {}, "_meta": {}});
        if !is_legacy {
            params["_meta"] = meta(&json!({}));
        }
        params["_meta"]["progressToken"] = json!("p");
        client.send(&request(1, "tools/call", &params)).await;
        assert_eq!(client.receive().await["method"], "notifications/progress");
        let before = seen.0.load(Ordering::SeqCst);
        client
            .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}))
            .await;
        assert_eq!(
            client.within(Duration::from_secs(60)).await,
            None::<Value>,
            "nothing more is sent"
        );
        assert_eq!(seen.0.load(Ordering::SeqCst), before + 1);
    }
}

/// Over a real connection, because only a server of HTTP notices that one is closed.
#[tokio::test]
async fn closing_the_stream_of_an_ordinary_call_cancels_its_tool() {
    let seen = Seen::default();
    let server = McpServer::new(manager(&seen)).heartbeat(Duration::from_millis(50));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, server.into_router()).await });
    // With progress, the stream is open; without, the response has not begun.
    for (number, token) in [(1, Some("p")), (2, None)] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let mut params = json!({"name": "watches", "arguments": {}, "_meta": meta(&json!({}))});
        if let Some(token) = token {
            params["_meta"]["progressToken"] = json!(token);
        }
        let body = request(1, "tools/call", &params).to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\n\
             mcp-protocol-version: {MODERN}\r\nmcp-method: tools/call\r\nmcp-name: watches\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        if token.is_some() {
            let mut read = vec![0; 4096];
            let mut text = String::new();
            while !text.contains("notifications/progress") {
                let bytes = connection.read(&mut read).await.unwrap();
                assert_ne!(bytes, 0, "{text}");
                text.push_str(&String::from_utf8_lossy(&read[..bytes]));
            }
        } else {
            sleep(Duration::from_millis(100)).await;
        }
        drop(connection);
        let begun = std::time::Instant::now();
        while seen.0.load(Ordering::SeqCst) < number {
            assert!(begun.elapsed() < Duration::from_secs(5), "the tool was not told");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_takes_its_ordinary_calls_along() {
    let seen = Seen::default();
    let mut client = Stdio::legacy(McpServer::new(manager(&seen)), json!({})).await;
    client
        .send(&request(1, "tools/call", &json!({"name": "watches", "arguments": {}})))
        .await;
    sleep(Duration::from_millis(100)).await;
    drop(client);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(seen.0.load(Ordering::SeqCst), 1);
}

/// Does nothing.
#[async_tool(effect = "read")]
async fn nothing() {}

#[tokio::test(start_paused = true)]
async fn the_server_on_stdio_ends_with_its_input() {
    let (client, host) = tokio::io::duplex(64);
    let (input, output) = tokio::io::split(host);
    let served = tokio::spawn(serve(tools![nothing]).serve_on(input, output));
    drop(client);
    served.await.unwrap().unwrap();
}
