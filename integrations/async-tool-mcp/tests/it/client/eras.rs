//! Servers of all revisions, and what every request declares.

use async_tool_mcp::McpClient;
use serde_json::json;

use super::{
    SECOND, Stage,
    remote::{Act, Remote, completed, created, state, text},
    told, until,
};
use async_tool_runtime::TaskStatus;

fn answering(script: impl Fn(&str, usize) -> Vec<Act> + Send + Sync + 'static) -> Remote {
    Remote::new(move |seen, before| match &*seen.method {
        "tools/call" => vec![Act::Result(text("done"))],
        method => script(method, before),
    })
}

#[tokio::test(start_paused = true)]
async fn every_modern_request_declares_the_extension_and_the_revision() {
    let remote = Remote::new(|seen, before| match (&*seen.method, before) {
        ("tools/call", _) => vec![Act::Result(created("t"))],
        ("tasks/get", 0) => vec![Act::Result(super::remote::with(
            state("t", "input_required"),
            json!({"inputRequests": {
            "a": {"method": "elicitation/create", "params": {"message": "a", "requestedSchema": {"type": "object"}}}}}),
        ))],
        ("tasks/get", 1..5) => vec![Act::Result(state("t", "working"))],
        ("tasks/get", _) => vec![Act::Result(completed("t", "done"))],
        _ => Vec::new(),
    });
    let stage = Stage::of(&remote).await;
    assert_eq!(stage.client.server().unwrap().protocol, "2026-07-28");
    let call = stage.call("work", json!({}));
    until(|| call.status() == TaskStatus::InputRequired).await;
    stage.manager.answer(call.id(), json!({})).unwrap();
    assert_eq!(told(&call.outcome().await.outcome), "done");
    let other = stage.call("work", json!({"n": 2}));
    remote.until("tools/call", 2).await;
    other.cancel("enough");
    other.outcome().await;
    let seen = remote.seen();
    let methods: Vec<_> = seen.iter().map(|seen| &*seen.method).collect();
    for method in [
        "server/discover",
        "tools/list",
        "tools/call",
        "tasks/get",
        "tasks/update",
    ] {
        assert!(methods.contains(&method), "{methods:?}");
    }
    assert!(!methods.contains(&"initialize"), "{methods:?}");
    for seen in seen.iter().filter(|seen| !seen.message["id"].is_null()) {
        let meta = &seen.params()["_meta"];
        let capabilities = &meta["io.modelcontextprotocol/clientCapabilities"];
        assert_eq!(
            capabilities["extensions"]["io.modelcontextprotocol/tasks"],
            json!({}),
            "{}",
            seen.message
        );
        assert!(capabilities["elicitation"]["form"].is_object(), "{}", seen.message);
        assert_eq!(
            meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28",
            "{}",
            seen.message
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_server_is_known_by_any_error_or_by_its_end_or_its_silence() {
    for code in [-32601, -32600, -32602, -32603, -32000, -32002, 0, 1, 401] {
        for revision in ["2025-11-25", "2025-06-18"] {
            let remote = answering(move |method, _| match method {
                "server/discover" => vec![Act::Error(code, "no")],
                _ => Vec::new(),
            });
            let stage = Stage::of(&remote.legacy(revision)).await;
            assert_eq!(stage.client.server().unwrap().protocol, revision, "{code}");
            assert_eq!(told(&stage.work().await), "done");
        }
    }
    for act in [Act::Dies, Act::Hangs, Act::Result(json!({"tools": []}))] {
        let shown = format!("{act:?}");
        let remote = answering(move |method, _| match method {
            "server/discover" => vec![act.clone()],
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote.clone().legacy("2025-06-18")).await;
        assert_eq!(stage.client.server().unwrap().protocol, "2025-06-18", "{shown}");
        assert_eq!(told(&stage.work().await), "done");
        let methods: Vec<_> = remote.seen().iter().map(|seen| seen.method.clone()).collect();
        assert_eq!(
            methods[..2],
            ["server/discover", "initialize"],
            "{shown}: modern comes first"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_server_that_asks_while_it_works_has_its_answer() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![
            Act::Says(json!({"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": {
                "message": "Which?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
            }})),
            Act::Hangs,
        ],
        _ => Vec::new(),
    })
    .legacy("2025-06-18");
    // People take longer than the idle timeout.
    let stage = Stage::with(McpClient::builder(remote.streams()).idle_timeout(60 * SECOND)).await;
    let call = stage.call("work", json!({}));
    until(|| call.status() == TaskStatus::InputRequired).await;
    tokio::time::sleep(3_600 * SECOND).await;
    assert_eq!(call.status(), TaskStatus::InputRequired);
    stage.manager.answer(call.id(), json!({"name": "Ada"})).unwrap();
    // The answer has no method.
    remote.until("", 1).await;
    let answer = &remote.of("")[0].message;
    assert_eq!(
        (&answer["id"], &answer["result"]),
        (&json!("q1"), &json!({"action": "accept", "content": {"name": "Ada"}}))
    );
    let id = remote.of("tools/call")[0].message["id"].clone();
    remote.tell(&json!({"jsonrpc": "2.0", "id": id, "result": text("done")}));
    assert_eq!(told(&call.outcome().await.outcome), "done");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_an_older_server_withdraws_is_closed_and_the_limits_go_on() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![
            Act::Says(json!({"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": {
                "message": "Which?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
            }})),
            Act::Waits(30 * SECOND),
            Act::Says(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "q1"}})),
            Act::Hangs,
        ],
        _ => Vec::new(),
    })
    .legacy("2025-06-18");
    let stage = Stage::with(McpClient::builder(remote.streams()).idle_timeout(60 * SECOND)).await;
    let begun = tokio::time::Instant::now();
    let call = stage.call("work", json!({}));
    until(|| call.status() == TaskStatus::InputRequired).await;
    until(|| call.status() == TaskStatus::Running).await;
    assert_eq!(begun.elapsed().as_secs(), 30);
    assert!(stage.manager.answer(call.id(), json!({"name": "late"})).is_err());
    let outcome = told(&call.outcome().await.outcome);
    assert!(outcome.contains("no sign of life for 60s"), "{outcome}");
    assert_eq!(begun.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn a_question_over_stdio_is_declined_if_calls_of_two_sessions_are_open() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![Act::Hangs],
        _ => Vec::new(),
    })
    .legacy("2025-06-18");
    let stage = Stage::of(&remote).await;
    let question = |id: &str| {
        json!({"jsonrpc": "2.0", "id": id, "method": "elicitation/create", "params": {
        "message": "Which?", "requestedSchema": {"type": "object", "properties": {}}}})
    };
    let first = stage.call("work", json!({}));
    let other = async_tool_runtime::ToolCall::new("c2", "work", json!({}));
    let second = stage
        .manager
        .submit(&async_tool_runtime::SessionId::new("other"), other)
        .unwrap();
    remote.until("tools/call", 2).await;
    remote.tell(&question("q1"));
    remote.until("", 1).await;
    assert_eq!(remote.of("")[0].message["result"], json!({"action": "decline"}));
    second.cancel("enough");
    second.outcome().await;
    remote.tell(&question("q2"));
    until(|| first.status() == TaskStatus::InputRequired).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_speaks_nothing_is_refused_with_the_reason() {
    let cases: [(Vec<Act>, &str); 3] = [
        (vec![Act::Hangs], "the server did not answer within 30s"),
        (vec![Act::Error(-32603, "out of order")], "out of order [code -32603]"),
        (
            vec![Act::Result(json!({"greeting": "hello"}))],
            "the server's answer is no answer to",
        ),
    ];
    for (acts, expected) in cases {
        let shown = format!("{acts:?}");
        let remote = Remote::new(move |_, _| acts.clone());
        let error = McpClient::connect(remote.streams()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{shown}: {error}");
        assert!(
            error
                .to_string()
                .starts_with("no connection to the MCP server `streams`: "),
            "{error}"
        );
    }
    let remote = answering(|method, _| match method {
        "tools/list" => vec![Act::Error(-32603, "no tools today")],
        _ => Vec::new(),
    });
    let error = McpClient::connect(remote.streams()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("its tools can't be listed: no tools today [code -32603]"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn streams_that_never_come_are_given_up() {
    let never = async_tool_mcp::McpTarget::streams(|| async {
        let () = std::future::pending().await;
        Ok((tokio::io::empty(), tokio::io::sink()))
    });
    let client = async_tool_mcp::McpClient::builder(never).connect_timeout(3 * super::SECOND);
    let refused = tokio::time::timeout(10 * super::SECOND, client.connect()).await;
    let error = refused.expect("it waits for ever").unwrap_err();
    assert!(error.to_string().contains("no streams within 3s"), "{error}");
}
