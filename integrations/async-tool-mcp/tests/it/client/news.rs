//! Servers that change their tools, die, and come back.

use async_tool_mcp::{McpEvent, McpEvents};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    SECOND, Stage,
    remote::{Act, Remote, completed, created, state, text, tool, with},
    told,
};

fn changed() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
}

async fn next(events: &mut McpEvents) -> McpEvent {
    timeout(3_600 * SECOND, events.next()).await.unwrap().unwrap()
}

fn names(names: &[&str]) -> Vec<std::sync::Arc<str>> {
    names.iter().map(|name| (*name).into()).collect()
}

#[tokio::test(start_paused = true)]
async fn tools_disappear_and_return_with_an_event_and_their_calls_say_so() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![Act::Result(text("done"))],
        _ => Vec::new(),
    });
    remote.offers(json!([tool("work"), tool("play")]));
    let stage = Stage::of(&remote).await;
    let mut events = stage.client.events();
    remote.offers(json!([tool("play"), tool("rest")]));
    remote.tell(&changed());
    assert_eq!(
        next(&mut events).await,
        McpEvent::Changed {
            appeared: names(&["rest"]),
            disappeared: names(&["work"]),
            changed: Vec::new()
        }
    );
    let refused = told(&stage.work().await);
    assert_eq!(
        refused,
        "unavailable: the tool is not available: its server doesn't offer it any more"
    );
    assert!(remote.of("tools/call").is_empty());
    assert_eq!(told(&stage.call("play", json!({})).outcome().await.outcome), "done");
    remote.offers(json!([
        with(tool("play"), json!({"description": "Plays."})),
        tool("rest"),
        tool("work")
    ]));
    remote.tell(&changed());
    assert_eq!(
        next(&mut events).await,
        McpEvent::Changed {
            appeared: names(&["work"]),
            disappeared: Vec::new(),
            changed: names(&["play"])
        }
    );
    assert_eq!(told(&stage.work().await), "done");
    assert_eq!(stage.client.tools().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dies_takes_its_tools_and_brings_them_back_and_calls_end_with_what_is_known() {
    let remote = Remote::new(|seen, before| match &*seen.method {
        "tools/call" if seen.params()["arguments"]["task"] == true => {
            vec![Act::Result(with(created("t"), json!({"statusMessage": "half"})))]
        }
        "tools/call" if seen.params()["arguments"]["quick"] == true => vec![Act::Result(text("quick"))],
        "tools/call" => vec![Act::Hangs],
        "tasks/get" if before < 5 => vec![Act::Result(state("t", "working"))],
        "tasks/get" => vec![Act::Result(completed("t", "done"))],
        _ => Vec::new(),
    });
    let stage = Stage::of(&remote).await;
    let mut events = stage.client.events();
    let ordinary = stage.call("work", json!({}));
    let task = stage.call("work", json!({"task": true}));
    remote.until("tasks/get", 2).await;
    remote.set_down(true);
    let McpEvent::Lost { reason, tools } = next(&mut events).await else {
        panic!()
    };
    assert_eq!((&*reason, tools), ("the server ended the connection", names(&["work"])));
    assert!(!stage.client.is_connected());
    // What was sent may have been done.
    let outcome = told(&ordinary.outcome().await.outcome);
    assert_eq!(
        outcome,
        "unknown: the connection to the server was lost: the server ended the connection, after the call was sent; it may have been done"
    );
    let outcome = told(&stage.call("work", json!({"quick": true})).outcome().await.outcome);
    assert!(
        outcome.starts_with("unavailable: the tool is not available: the server can't be reached"),
        "{outcome}"
    );
    // The task is still there when the server is.
    sleep(120 * SECOND).await;
    remote.set_down(false);
    assert_eq!(
        next(&mut events).await,
        McpEvent::Back {
            tools: names(&["work"])
        }
    );
    assert_eq!(
        told(&stage.call("work", json!({"quick": true})).outcome().await.outcome),
        "quick"
    );
    assert_eq!(told(&task.outcome().await.outcome), "done");
    assert_eq!(remote.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_server_stays_away_ends_with_its_last_word() {
    let remote = Remote::new(|seen, _| match &*seen.method {
        "tools/call" => vec![Act::Result(with(created("t"), json!({"statusMessage": "half"})))],
        "tasks/get" => vec![Act::Result(state("t", "working"))],
        _ => Vec::new(),
    });
    let stage = Stage::of(&remote).await;
    let call = stage.call("work", json!({}));
    remote.until("tasks/get", 2).await;
    remote.set_down(true);
    let outcome = told(&call.outcome().await.outcome);
    assert!(
        outcome.starts_with(
            "unknown: the server's task was running, and its end can't be found out: the server can't be reached"
        ),
        "{outcome}"
    );
    assert!(outcome.ends_with("its last word was: half"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn the_connection_ends_with_the_last_client_and_tool() {
    let remote = Remote::new(|_, _| Vec::new());
    let stage = Stage::of(&remote).await;
    let mut events = stage.client.events();
    let Stage { client, manager } = stage;
    drop(client);
    sleep(SECOND).await;
    remote.tell(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    remote.until("", 1).await;
    drop(manager);
    assert_eq!(timeout(SECOND, events.next()).await.unwrap(), None);
    sleep(SECOND).await;
    remote.tell(&json!({"jsonrpc": "2.0", "id": 2, "method": "ping"}));
    sleep(SECOND).await;
    assert_eq!(remote.of("").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_modern_server_is_subscribed_to_and_subscribed_to_again() {
    for acknowledges in [true, false] {
        let remote = Remote::new(move |seen, before| match &*seen.method {
            "server/discover" => vec![Act::Result(json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "private",
                "capabilities": {"tools": {"listChanged": true}},
            }))],
            "subscriptions/listen" => {
                assert_eq!(seen.params()["notifications"], json!({"toolsListChanged": true}));
                let meta = json!({"io.modelcontextprotocol/subscriptionId": seen.message["id"]});
                let accepted = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": {
                    "_meta": meta, "notifications": {"toolsListChanged": true}}});
                match (acknowledges, before) {
                    (false, _) => vec![Act::Hangs],
                    // The first subscription ends after a while.
                    (true, 0) => vec![
                        Act::Says(accepted),
                        Act::Waits(60 * SECOND),
                        Act::Result(json!({"resultType": "complete", "_meta": meta})),
                    ],
                    (true, _) => vec![Act::Says(accepted), Act::Hangs],
                }
            }
            "tools/call" => vec![Act::Result(text("done"))],
            _ => Vec::new(),
        });
        let stage = Stage::of(&remote).await;
        let mut events = stage.client.events();
        remote.until("subscriptions/listen", 1).await;
        sleep(SECOND).await;
        let mut subscription = remote.of("subscriptions/listen")[0].message["id"].clone();
        if acknowledges {
            remote.until("subscriptions/listen", 2).await;
            sleep(SECOND).await;
            subscription = remote.of("subscriptions/listen")[1].message["id"].clone();
        }
        remote.offers(json!([tool("work"), tool("play")]));
        let mut said = changed();
        said["params"] = json!({"_meta": {"io.modelcontextprotocol/subscriptionId": subscription}});
        remote.tell(&said);
        if acknowledges {
            let event = next(&mut events).await;
            assert!(
                matches!(&event, McpEvent::Changed { appeared, .. } if *appeared == names(&["play"])),
                "{event:?}"
            );
        }
        // A server that doesn't keep its word costs nothing else.
        assert_eq!(told(&stage.work().await), "done");
    }
}
