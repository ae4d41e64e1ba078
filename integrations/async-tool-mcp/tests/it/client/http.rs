//! The wire over HTTP: headers, statuses, streams that break. In real time, because the loopback interface has no other.

use std::time::Duration;

use async_tool_mcp::{McpClient, McpEvent};
use async_tool_runtime::TaskOutcome;
use serde_json::json;
use tokio::{net::TcpListener, time::timeout};

use super::{
    Stage,
    remote::{Act, Remote, completed, created, state, text, tool, with},
    told,
};

const PATIENCE: Duration = Duration::from_secs(20);

async fn stage(remote: &Remote) -> Stage {
    Stage::with(
        McpClient::builder(remote.http().await)
            .bearer("sesame")
            .header("x-team", "seven"),
    )
    .await
}

async fn work(stage: &Stage) -> String {
    told(&timeout(PATIENCE, stage.work()).await.unwrap())
}

#[tokio::test]
async fn every_request_has_its_headers() {
    let remote = Remote::new(|seen, before| match (&*seen.method, before) {
        ("tools/call", _) => vec![Act::Result(created("t ü"))],
        ("tasks/get", 0..2) => vec![Act::Result(state("t ü", "working"))],
        ("tasks/get", _) => vec![Act::Result(completed("t ü", "done"))],
        _ => Vec::new(),
    });
    remote.offers(json!([with(
        tool("work"),
        json!({"inputSchema": {"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
        }}})
    )]));
    let stage = stage(&remote).await;
    let call = stage.call("work", json!({"region": "north"}));
    assert_eq!(told(&timeout(PATIENCE, call.outcome()).await.unwrap().outcome), "done");
    for seen in remote.seen() {
        let header = |name: &str| seen.headers.get(name).map(String::as_str);
        assert_eq!(header("authorization"), Some("Bearer sesame"));
        assert_eq!(header("x-team"), Some("seven"));
        assert_eq!(header("mcp-method"), Some(&*seen.method));
        assert_eq!(header("mcp-protocol-version"), Some("2026-07-28"));
        let name = match &*seen.method {
            "tools/call" => Some("work"),
            // Not ASCII, so in Base64.
            "tasks/get" => Some("=?base64?dCDDvA==?="),
            _ => None,
        };
        assert_eq!(header("mcp-name"), name, "{}", seen.method);
        assert_eq!(
            header("mcp-param-region"),
            (seen.method == "tools/call").then_some("north")
        );
    }
}

#[tokio::test]
async fn a_busy_server_and_dropped_polls_cost_no_task() {
    let remote = Remote::new(|seen, before| match (&*seen.method, before) {
        ("tools/call", 0) => vec![Act::Status(503, "retry-after: 0\r\n")],
        ("tools/call", 1) => vec![Act::Status(429, "")],
        ("tools/call", _) => vec![Act::Result(created("t"))],
        ("tasks/get", 0) => vec![Act::Status(503, "")],
        ("tasks/get", 1) => vec![Act::Dies],
        ("tasks/get", 2) => vec![Act::Nonsense("<html>a proxy</html>")],
        ("tasks/get", 3) => vec![Act::Status(502, "retry-after: 0\r\n")],
        ("tasks/get", 4) => vec![Act::Says(
            json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}),
        )],
        ("tasks/get", _) => vec![Act::Result(completed("t", "done"))],
        _ => Vec::new(),
    });
    let stage = stage(&remote).await;
    assert_eq!(work(&stage).await, "done");
    assert_eq!((remote.of("tools/call").len(), remote.of("tasks/get").len()), (3, 6));
}

#[tokio::test]
async fn a_call_that_may_have_been_done_is_not_sent_again() {
    for act in [
        Act::Status(503, ""),
        Act::Status(500, ""),
        Act::Dies,
        Act::Nonsense("<html>a proxy</html>"),
        // The stream ends before the answer.
        Act::Says(
            json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}),
        ),
    ] {
        for (hint, expected) in [("none", "unknown: "), ("readOnlyHint", "done")] {
            let shown = format!("{act:?} {hint}");
            if matches!(act, Act::Nonsense(_)) && hint == "readOnlyHint" {
                continue;
            }
            let act = act.clone();
            let remote = Remote::new(move |seen, before| match (&*seen.method, before) {
                ("tools/call", 0) => vec![act.clone()],
                ("tools/call", _) => vec![Act::Result(text("done"))],
                _ => Vec::new(),
            });
            remote.offers(json!([with(tool("work"), json!({"annotations": {hint: true}}))]));
            let stage = stage(&remote).await;
            let outcome = work(&stage).await;
            assert!(outcome.starts_with(expected), "{shown}: {outcome}");
            assert_eq!(
                remote.of("tools/call").len(),
                if hint == "none" { 1 } else { 2 },
                "{shown}"
            );
        }
    }
}

#[tokio::test]
async fn a_cancelled_call_ends_its_stream() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![Act::Hangs],
        _ => Vec::new(),
    });
    let stage = stage(&remote).await;
    let call = stage.call("work", json!({}));
    timeout(PATIENCE, remote.until("tools/call", 1)).await.unwrap();
    call.cancel("not wanted any more");
    let outcome = timeout(PATIENCE, call.outcome()).await.unwrap();
    assert!(matches!(outcome.outcome, TaskOutcome::Cancelled(_)), "{outcome:?}");
    timeout(PATIENCE, remote.until("closed", 1)).await.unwrap();
    // Revision 2026-07-28 has no other way over HTTP.
    assert!(remote.of("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn credentials_that_are_refused_are_named_and_never_shown() {
    let unauthorized = |headers| Remote::new(move |_, _| vec![Act::Status(401, headers)]);
    for headers in ["www-authenticate: Bearer\r\n", ""] {
        let remote = unauthorized(headers);
        let client = McpClient::builder(format!("{}?key=secret", remote.http().await)).bearer("sesame");
        let error = timeout(PATIENCE, client.connect()).await.unwrap().unwrap_err();
        assert!(error.is_unauthorized(), "{headers:?}: {error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("sesame") && !shown.contains("secret"), "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_an_error_with_its_place() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp?key=secret", free.local_addr().unwrap());
    drop(free);
    let error = timeout(PATIENCE, McpClient::connect(&*url)).await.unwrap().unwrap_err();
    let place = url.split('?').next().unwrap();
    assert!(
        error
            .to_string()
            .starts_with(&format!("no connection to the MCP server `{place}`: ")),
        "{error}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");
    let redirect = Remote::new(|_, _| vec![Act::Status(302, "location: http://127.0.0.1:1/steal\r\n")]);
    assert!(
        timeout(PATIENCE, McpClient::connect(redirect.http().await))
            .await
            .unwrap()
            .is_err()
    );
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_is_noticed_by_a_failed_call() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![Act::Result(text("done"))],
        _ => Vec::new(),
    });
    let stage = stage(&remote).await;
    let mut events = stage.client.events();
    assert_eq!(work(&stage).await, "done");
    remote.set_down(true);
    let outcome = work(&stage).await;
    assert!(
        outcome.starts_with("unknown: ") || outcome.starts_with("unavailable: "),
        "{outcome}"
    );
    let lost = timeout(PATIENCE, events.next()).await.unwrap();
    assert!(matches!(lost, Some(McpEvent::Lost { .. })), "{lost:?}");
    remote.set_down(false);
    let back = timeout(PATIENCE, events.next()).await.unwrap();
    assert!(matches!(back, Some(McpEvent::Back { .. })), "{back:?}");
    assert_eq!(work(&stage).await, "done");
}

#[tokio::test]
async fn an_older_server_is_known_by_its_status_whatever_it_is() {
    for status in [400, 404, 405, 406, 415, 501] {
        let remote = Remote::new(move |seen, _| match &*seen.method {
            "server/discover" => vec![Act::Status(status, "")],
            "tools/call" => vec![Act::Result(text("done"))],
            _ => Vec::new(),
        });
        let remote = remote.legacy("2025-06-18");
        let stage = timeout(PATIENCE, stage(&remote)).await.unwrap();
        assert_eq!(stage.client.server().unwrap().protocol, "2025-06-18", "{status}");
        assert_eq!(work(&stage).await, "done", "{status}");
    }
}

#[tokio::test]
async fn a_status_that_refuses_a_call_ends_it_at_once() {
    for (status, expected) in [
        (
            404,
            "unavailable: the call was not started: the server answered with HTTP status 404",
        ),
        (
            401,
            "unavailable: the call was not started: the server refuses the credentials; check the token",
        ),
        (
            403,
            "unavailable: the call was not started: the server refuses the credentials; check the token",
        ),
    ] {
        let remote = Remote::new(move |seen, _| match &*seen.method {
            "tools/call" => vec![Act::Status(status, "")],
            _ => Vec::new(),
        });
        let stage = stage(&remote).await;
        assert_eq!(work(&stage).await, expected);
        assert_eq!(remote.of("tools/call").len(), 1);
    }
}
