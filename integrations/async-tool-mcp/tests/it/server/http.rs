//! Headers, origins and bodies.

use async_tool_runtime::{async_tool, tools};
use serde_json::json;

use super::stand::{Http, serve, with_tasks};

/// Waits.
#[async_tool(effect = "read")]
async fn waits() {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_missing_name_is_tolerated_and_a_wrong_one_is_not() {
    let client = Http::new(serve(tools![waits]), with_tasks());
    let id = client.start("waits", json!({})).await;
    for (method, further) in [
        ("tasks/get", json!({})),
        ("tasks/update", json!({"inputResponses": {}})),
        ("tasks/cancel", json!({})),
    ] {
        let mut params = further;
        params["taskId"] = json!(id);
        let reply = client.header("mcp-name", "").ask(method, params.clone()).await;
        assert!(reply.last.get("result").is_some(), "{method}: {}", reply.text);
        let reply = client.header("mcp-name", "another").ask(method, params.clone()).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.last["error"]["code"]),
            (400, &json!(-32020)),
            "{method}: {}",
            reply.text
        );
    }
    let params = json!({"name": "waits", "arguments": {}});
    let reply = client.header("mcp-name", "").ask("tools/call", params).await;
    assert_eq!(
        reply.last["error"]["code"], -32020,
        "only requests for tasks are excused"
    );
}

#[tokio::test(start_paused = true)]
async fn names_can_be_required() {
    let client = Http::new(serve(tools![waits]).require_names(), with_tasks());
    let id = client.start("waits", json!({})).await;
    let reply = client
        .header("mcp-name", "")
        .ask("tasks/get", json!({"taskId": id}))
        .await;
    assert_eq!(reply.last["error"]["code"], -32020);
    client.task(&id).await;
}

#[tokio::test(start_paused = true)]
async fn other_headers_must_fit_the_body() {
    let client = Http::new(serve(tools![waits]), with_tasks());
    for (name, value) in [
        ("mcp-method", "tools/list"),
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-method", ""),
    ] {
        let reply = client.header(name, value).call("waits", json!({})).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.last["error"]["code"]),
            (400, &json!(-32020)),
            "{name}: {}",
            reply.text
        );
    }
}

#[tokio::test(start_paused = true)]
async fn methods_of_older_revisions_are_unknown() {
    let client = Http::new(serve(tools![waits]), with_tasks());
    for method in ["tasks/list", "tasks/result", "ping"] {
        let reply = client.ask(method, json!({})).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.last["error"]["code"]),
            (404, &json!(-32601)),
            "{method}: {}",
            reply.text
        );
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_sites_are_refused() {
    let client = Http::new(serve(tools![waits]), with_tasks());
    for (origin, status) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost:6274", 200),
        ("http://127.0.0.1:8080", 200),
    ] {
        let reply = client.header("origin", origin).ask("tools/list", json!({})).await;
        assert_eq!(reply.status, status, "{origin}: {}", reply.text);
    }
    let reply = client.header("host", "evil.example").ask("tools/list", json!({})).await;
    assert_eq!(reply.status, 403);

    let server = serve(tools![waits])
        .hosts(["mcp.example.com"])
        .origins(["https://app.example.com:443"]);
    let client = Http::new(server, with_tasks()).header("host", "mcp.example.com");
    assert_eq!(
        client
            .header("origin", "https://app.example.com")
            .ask("tools/list", json!({}))
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .header("origin", "http://localhost:1")
            .ask("tools/list", json!({}))
            .await
            .status,
        403
    );
}

#[tokio::test(start_paused = true)]
async fn bodies_are_bounded() {
    let client = Http::new(serve(tools![waits]).body_limit(10_000), with_tasks());
    let large = "x".repeat(10_000);
    assert_eq!(client.ask("tools/list", json!({"large": large})).await.status, 413);
    // Also where the body is read before rmcp reads it.
    let reply = client
        .header("mcp-name", "")
        .ask("tasks/get", json!({"taskId": "mcp-1", "large": large}))
        .await;
    assert_eq!(reply.status, 413);
}

#[tokio::test(start_paused = true)]
async fn discovery_advertises_the_extension() {
    let client = Http::new(serve(tools![waits]).name("shop", "2.1"), with_tasks());
    let reply = client.ask("server/discover", json!({})).await;
    let result = &reply.last["result"];
    assert_eq!(
        result["capabilities"]["extensions"],
        with_tasks()["extensions"],
        "{}",
        reply.text
    );
    assert!(result["capabilities"].get("tasks").is_none());
    assert!(reply.text.contains("\"shop\""), "{}", reply.text);
}
