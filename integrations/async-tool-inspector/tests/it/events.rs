//! The event stream: a snapshot first, then changes; resumed by id; a slow viewer gets a new snapshot.

use std::time::Duration;

use async_tool_inspector::Inspector;
use serde_json::json;
use tokio::time::sleep;

use crate::stand::{Browser, agent};

#[tokio::test(start_paused = true)]
async fn a_snapshot_comes_first_and_every_task_is_followed_to_its_end() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    let first = events.next().await.unwrap();
    assert_eq!(first.name, "snapshot");
    assert_eq!(first.data["session"]["session"], "ann");
    assert_eq!(first.data["session"]["tasks"], json!([]));

    agent.send("research tides").await.unwrap();
    events.until("it runs", |shown| shown.is("t1", "running")).await;
    let shown = events.until("it ends", |shown| shown.is("t1", "completed")).await;
    let task = shown.task("t1").unwrap();
    assert_eq!(task["tool"], "research");
    assert_eq!(task["result"], "\"three sources agree on tides\"");
    assert_eq!(task["turn"], 1);
    events
        .until("it is delivered", |shown| {
            let deliveries = shown.session["deliveries"].as_array().unwrap();
            deliveries
                .iter()
                .any(|delivery| delivery["how"] == "delivered" && delivery["turn"].is_u64())
        })
        .await;
    let shown = &events.shown;
    assert_eq!(shown.snapshots, 1, "the rest came as changes");
    assert_eq!(shown.session["user"][0]["text"], "research tides");
    assert_eq!(shown.task("t1").unwrap()["told"], "delivered");
    agent.close().await.unwrap();
    let shown = events
        .until("it is closed", |shown| shown.session["row"]["state"] == "closed")
        .await;
    let marks: Vec<_> = shown.session["marks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mark| mark["kind"].clone())
        .collect();
    assert_eq!(marks, ["opened", "closing", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn changes_and_a_later_snapshot_show_the_same() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut early = browser.events(Some("ann")).await;
    early.next().await.unwrap();
    let said = [
        "research a",
        "survey",
        "flaky",
        "book",
        "order_taxi",
        "send_letter ann",
        "watch",
        "status",
        "nonsense",
    ];
    for (round, text) in said.into_iter().enumerate() {
        agent.send(text).await.unwrap();
        sleep(Duration::from_millis(300 * round as u64)).await;
        let mut late = browser.events(Some("ann")).await;
        late.next().await.unwrap();
        // Both see what is to come, until they show the same moment.
        for _ in 0..200 {
            if early.shown.sorted() == late.shown.sorted() {
                break;
            }
            let _quiet = tokio::time::timeout(Duration::from_millis(50), early.next()).await;
            let _quiet = tokio::time::timeout(Duration::from_millis(50), late.next()).await;
        }
        assert_eq!(early.shown.sorted(), late.shown.sorted(), "after {text}");
        assert_eq!(early.shown.snapshots, 1);
    }
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_comes_back_gets_what_it_missed_and_no_snapshot() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    agent.send("watch").await.unwrap();
    events.until("it runs", |shown| shown.is("t1", "running")).await;
    let (last, before) = (events.shown.last.clone().unwrap(), events.shown.clone());
    drop(events);

    agent.send("research tides").await.unwrap();
    sleep(Duration::from_secs(5)).await;
    let mut again = browser.events_after(Some("ann"), Some(&last)).await;
    again.shown = before;
    again
        .until("the other one has ended", |shown| shown.is("t2", "completed"))
        .await;
    assert_eq!(again.shown.snapshots, 1, "the one of the first connection");

    // Places of another process, of another session, and nonsense.
    for id in [
        "000000000000-1-1-1",
        "nonsense",
        "",
        &format!("{last}-9"),
        &last.replace('-', "-9"),
    ] {
        let mut other = browser.events_after(Some("ann"), Some(id)).await;
        assert_eq!(other.next().await.unwrap().name, "snapshot", "{id}");
    }
    let mut list = browser.events_after(None, Some(&last)).await;
    assert_eq!(list.next().await.unwrap().name, "snapshot");
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_viewer_gets_a_new_snapshot_and_shows_the_same_as_the_others() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut slow = browser.events(Some("ann")).await;
    slow.next().await.unwrap();
    let mut quick = browser.events(Some("ann")).await;
    quick.next().await.unwrap();
    // More changes than are kept.
    for number in 0..700 {
        agent.send(format!("note {number}")).await.unwrap();
        sleep(Duration::from_millis(200)).await;
        while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(1), quick.next()).await {}
    }
    assert_eq!(quick.shown.snapshots, 1);
    let seq = quick.shown.session["seq"].clone();
    slow.until("it has caught up", |shown| shown.session["seq"] == seq)
        .await;
    assert_eq!(slow.shown.snapshots, 2);
    assert_eq!(slow.shown.sorted(), quick.shown.sorted());
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_list_has_every_session_with_what_it_waits_for() {
    let agent = agent().await;
    let manager = agent.manager().clone();
    let bob = async_tool_runtime::AsyncAgent::builder(async_tool_runtime::RulePlanner::new(), manager.clone());
    let bob = bob.session("bob").start().await.unwrap();
    let browser = Browser::open(Inspector::new().agent(&agent).agent(&bob)).await;
    let mut events = browser.events(None).await;
    agent.send("send_letter eve").await.unwrap();
    let shown = events
        .until("it asks", |shown| {
            shown.sessions.get("ann").is_some_and(|row| row["questions"] == 1)
        })
        .await;
    let row = &shown.sessions["ann"];
    assert_eq!(
        (&row["source"], &row["can_act"], &row["owner"]),
        (&json!("agent"), &json!(true), &json!("this process"))
    );
    assert_eq!(row["waits_for"], json!(["t1 waits for consent"]));
    assert_eq!(shown.sessions["bob"]["state"], "idle");
    assert_eq!(shown.session, json!(null), "no session was asked for");
    assert_eq!(shown.manager["stats"]["open"], 1);
    bob.close().await.unwrap();
    events
        .until("bob is over", |shown| shown.sessions["bob"]["state"] == "closed")
        .await;
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_server_is_told() {
    let browser = Browser::open(Inspector::new()).await;
    let mut events = browser.events(None).await;
    assert_eq!(events.next().await.unwrap().name, "snapshot");
    browser.access.end("a new version is installed");
    let bye = loop {
        let event = events.next().await.unwrap();
        if event.name == "bye" {
            break event;
        }
    };
    assert_eq!(bye.data["reason"], "a new version is installed");
    assert!(events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_its_host_drops_ends_although_it_is_looked_at() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    agent.send("watch").await.unwrap();
    events.until("it runs", |shown| shown.is("t1", "running")).await;
    let manager = agent.manager().clone();
    drop(agent);
    let shown = events.until("it ends", |shown| shown.is("t1", "cancelled")).await;
    assert_eq!(shown.session["session"], "ann");
    assert_eq!(manager.stats().open, 0);
}
