//! Tasks for callers that declare them on the request, results for all others.

use std::time::Duration;

use async_tool_runtime::{async_tool, tools};
use serde_json::{Value, json};

use super::stand::{Http, LEGACY, Stdio, meta, serve, with_tasks};

/// Works.
#[async_tool(effect = "read")]
async fn plain() -> String {
    tokio::time::sleep(Duration::from_secs(2)).await;
    "worked".to_owned()
}

/// Works at once.
#[async_tool(effect = "read", mcp = "never")]
async fn quick() -> String {
    "worked".to_owned()
}

/// Works in the turn.
#[async_tool(effect = "read", background = "never")]
async fn inline() -> String {
    "worked".to_owned()
}

/// Works only as a task.
#[async_tool(effect = "read", mcp = "required")]
async fn long() -> String {
    "worked".to_owned()
}

fn server() -> async_tool_mcp::McpServer {
    serve(tools![plain, quick, inline, long])
}

#[tokio::test(start_paused = true)]
async fn a_task_is_for_a_request_that_declares_the_extension() {
    let declares = Http::new(server(), with_tasks());
    let silent = declares.with(json!({}));
    for (tool, gets_task) in [("plain", true), ("long", true), ("quick", false), ("inline", false)] {
        let reply = declares.call(tool, json!({})).await;
        let kind = if gets_task { "task" } else { "complete" };
        assert_eq!(reply.last["result"]["resultType"], kind, "{tool}: {}", reply.text);
    }
    for tool in ["plain", "quick", "inline"] {
        assert_eq!(silent.call(tool, json!({})).await.text_of_result(), "worked");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_task_is_flat_and_known_at_once() {
    let client = Http::new(server(), with_tasks());
    let created = client.call("plain", json!({})).await.last["result"].clone();
    let fields: Vec<_> = created.as_object().unwrap().keys().map(String::as_str).collect();
    for forbidden in [
        "task",
        "ttl",
        "pollInterval",
        "requestState",
        "result",
        "error",
        "inputRequests",
    ] {
        assert!(!fields.contains(&forbidden), "{created}");
    }
    assert_eq!(
        (&created["status"], &created["ttlMs"]),
        (&json!("working"), &Value::Null)
    );
    assert_eq!(created["pollIntervalMs"], 1_000);
    let task = client.task(created["taskId"].as_str().unwrap()).await;
    assert_eq!(
        (&task["resultType"], &task["createdAt"]),
        (&json!("complete"), &created["createdAt"])
    );
    assert!(task["statusMessage"].as_str().unwrap().contains("no result yet"));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_needs_a_task_names_what_is_required() {
    let client = Http::new(server(), json!({"elicitation": {}}));
    let reply = client.call("long", json!({})).await;
    assert_eq!(reply.status, 400);
    let error = &reply.last["error"];
    assert_eq!(error["code"], -32021);
    assert_eq!(error["data"]["requiredCapabilities"], with_tasks());
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let reply = client
            .ask(method, json!({"taskId": "mcp-1", "inputResponses": {}}))
            .await;
        assert_eq!(
            (reply.status.as_u16(), &reply.last["error"]["code"]),
            (400, &json!(-32021)),
            "{method}"
        );
    }
    assert!(error["message"].as_str().unwrap().contains("`long`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn legacy_callers_never_see_a_task_whatever_they_declared() {
    let mut client = Stdio::legacy(server(), with_tasks()).await;
    let reply = client
        .ask(1, "tools/call", json!({"name": "plain", "arguments": {}}))
        .await;
    assert_eq!(reply["result"]["content"][0]["text"], "worked");
    // Also one that asks for a task as the revision before last did.
    let reply = client
        .ask(
            2,
            "tools/call",
            json!({"name": "plain", "arguments": {}, "task": {"ttl": 60_000}}),
        )
        .await;
    assert_eq!(reply["result"]["content"][0]["text"], "worked");
    assert!(reply["result"].get("resultType").is_none(), "{reply}");
    for method in [
        "tasks/get",
        "tasks/cancel",
        "tasks/update",
        "tasks/list",
        "tasks/result",
    ] {
        let reply = client
            .ask(3, method, json!({"taskId": "mcp-1", "inputResponses": {}}))
            .await;
        assert_eq!(reply["error"]["code"], -32601, "{method}: {reply}");
    }
    let reply = client
        .ask(4, "tools/call", json!({"name": "long", "arguments": {}}))
        .await;
    assert_eq!(reply["error"]["code"], -32021);
}

#[tokio::test(start_paused = true)]
async fn legacy_callers_over_http_never_see_a_task() {
    let client = Http::new(server(), Value::Null);
    let params = json!({"protocolVersion": LEGACY, "capabilities": with_tasks(), "clientInfo": {"name": "stand", "version": "1"}});
    let body = super::stand::request(0, "initialize", &params).to_string();
    let reply = client.post(&body, vec![]).await;
    let session = reply.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let headers = || {
        vec![
            ("mcp-session-id", session.clone()),
            ("mcp-protocol-version", LEGACY.to_owned()),
        ]
    };
    let body = super::stand::request(1, "tools/call", &json!({"name": "plain", "arguments": {}})).to_string();
    let reply = client.post(&body, headers()).await;
    assert_eq!(reply.text_of_result(), "worked");
    let body = super::stand::request(2, "tasks/get", &json!({"taskId": "mcp-1"})).to_string();
    assert_eq!(client.post(&body, headers()).await.last["error"]["code"], -32601);
    // The status of this error is a rule of the newest revision; clients of older ones would not read the reason.
    let body = super::stand::request(3, "tools/call", &json!({"name": "long", "arguments": {}})).to_string();
    let reply = client.post(&body, headers()).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.last["error"]["code"]),
        (200, &json!(-32021))
    );
    assert_eq!(reply.last["error"]["data"]["requiredCapabilities"], with_tasks());
}

#[tokio::test(start_paused = true)]
async fn a_modern_caller_on_stdio_declares_on_each_request() {
    let mut client = Stdio::new(server());
    let call = |capabilities: Value| json!({"name": "plain", "arguments": {}, "_meta": meta(&capabilities)});
    let first = client.ask(1, "tools/call", call(with_tasks())).await;
    assert_eq!(first["result"]["resultType"], "task");
    let second = client.ask(2, "tools/call", call(json!({}))).await;
    assert_eq!(
        second["result"]["content"][0]["text"], "worked",
        "what the first request declared is of that one"
    );
}

#[tokio::test(start_paused = true)]
async fn unknown_tools_and_wrong_arguments_are_told_apart() {
    let client = Http::new(server(), with_tasks());
    let reply = client.call("plane", json!({})).await;
    assert_eq!(reply.last["error"]["code"], -32602);
    let reply = client.call("plain", json!({"depth": 3})).await;
    assert_eq!(
        reply.last["result"]["isError"], true,
        "the model reads it and calls again: {}",
        reply.text
    );
    assert!(reply.text_of_result().contains("depth"));
}
