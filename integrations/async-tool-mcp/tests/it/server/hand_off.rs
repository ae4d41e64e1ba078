//! Calls that end before their tool, for hosts that cap calls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_tool_mcp::McpServer;
use async_tool_runtime::{AsyncToolManager, async_tool, tool::State, tools};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::stand::{Http, Stdio, with_tasks};

#[derive(Clone, Default)]
struct Runs(Arc<AtomicU32>);

/// Takes 90 seconds.
#[async_tool(effect = "once", hand_off(after = "45s"))]
async fn build(#[inject] runs: State<Runs>) -> String {
    runs.0.fetch_add(1, Ordering::SeqCst);
    sleep(Duration::from_secs(90)).await;
    "built".to_owned()
}

/// Does nothing.
#[async_tool(effect = "read")]
async fn nothing() {}

fn server(runs: &Runs) -> McpServer {
    McpServer::new(
        AsyncToolManager::builder()
            .tools(tools![build, nothing])
            .state(runs.clone())
            .build()
            .unwrap(),
    )
}

fn handle_in(text: &str) -> String {
    let after = text
        .split("handle ")
        .nth(1)
        .unwrap_or_else(|| panic!("no handle: {text}"));
    after.split('.').next().unwrap().to_owned()
}

/// As a host that gives a call 60 seconds.
async fn capped(client: &mut Stdio, id: u64, tool: &str, arguments: Value) -> String {
    let begun = Instant::now();
    let reply = client
        .ask(id, "tools/call", json!({"name": tool, "arguments": arguments}))
        .await;
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(reply["result"]["isError"], false, "{reply}");
    reply["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_tool_of_90_seconds_works_in_a_host_with_a_limit_of_60() {
    let runs = Runs::default();
    let mut client = Stdio::legacy(server(&runs), json!({})).await;
    let begun = Instant::now();
    let text = capped(&mut client, 1, "build", json!({})).await;
    assert!(
        text.contains("still running") && text.contains("await_result"),
        "{text}"
    );
    let handle = handle_in(&text);
    let text = capped(&mut client, 2, "await_result", json!({"handle": handle, "wait_s": 20})).await;
    assert!(text.contains("still running"), "{text}");
    assert_eq!(
        capped(&mut client, 3, "await_result", json!({"handle": handle})).await,
        "built"
    );
    assert_eq!(begun.elapsed().as_secs(), 90);
    // A lost reply can be fetched again.
    assert_eq!(
        capped(&mut client, 4, "await_result", json!({"handle": handle, "wait_s": 0})).await,
        "built"
    );
    assert_eq!(runs.0.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_companion_is_offered_with_a_tool_that_hands_off_only() {
    let names = |reply: &super::stand::Reply| {
        let tools = reply.last["result"]["tools"].as_array().unwrap().iter();
        tools
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let client = Http::new(server(&Runs::default()), json!({}));
    assert_eq!(
        names(&client.ask("tools/list", json!({})).await),
        ["await_result", "build", "nothing"]
    );
    let client = Http::new(server(&Runs::default()).without("build"), json!({}));
    assert_eq!(names(&client.ask("tools/list", json!({})).await), ["nothing"]);
    let client = Http::new(super::stand::serve(tools![nothing]), json!({}));
    assert_eq!(names(&client.ask("tools/list", json!({})).await), ["nothing"]);
}

#[tokio::test(start_paused = true)]
async fn callers_with_tasks_get_a_task() {
    let client = Http::new(server(&Runs::default()), with_tasks());
    client.start("build", json!({})).await;
}

#[tokio::test(start_paused = true)]
async fn a_handle_is_of_its_principal_and_wrong_ones_are_named() {
    let client = Http::new(server(&Runs::default()), json!({}));
    let handle = handle_in(client.call("build", json!({})).await.text_of_result());
    let others = client.header("authorization", "Bearer eve");
    for (client, arguments) in [
        (&others, json!({"handle": handle})),
        (&client, json!({"handle": "mcp-1"})),
        (&client, json!({})),
        (&client, json!({"handle": handle, "wait_s": 90})),
        (&client, json!({"handle": handle, "wait_s": -1})),
    ] {
        let reply = client.call("await_result", arguments).await;
        assert_eq!(reply.last["result"]["isError"], true, "{}", reply.text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_cancelled_leaves_the_tool_alone() {
    let runs = Runs::default();
    let mut client = Stdio::legacy(server(&runs), json!({})).await;
    let handle = handle_in(&capped(&mut client, 1, "build", json!({})).await);
    let params = json!({"name": "await_result", "arguments": {"handle": handle}});
    client.send(&super::stand::request(2, "tools/call", &params)).await;
    sleep(Duration::from_secs(1)).await;
    client
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}))
        .await;
    assert_eq!(
        capped(&mut client, 3, "await_result", json!({"handle": handle})).await,
        "built"
    );
}
