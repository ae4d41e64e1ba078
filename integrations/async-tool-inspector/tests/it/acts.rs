//! Acts do what the host's methods do.

use std::time::Duration;

use async_tool_inspector::Inspector;
use async_tool_runtime::{
    AsyncAgent, Message,
    journal::{Entry, Seq},
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{Browser, Events, agent, handle};

/// Agent with one open task, and its viewer.
async fn stage(said: &str, status: &str) -> (AsyncAgent, Browser, Events, Value) {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    agent.send(said).await.unwrap();
    let shown = events.until("it is open", |shown| shown.is("t1", status)).await;
    let task = shown.task("t1").unwrap().clone();
    (agent, browser, events, task)
}

async fn entries(agent: &AsyncAgent) -> Vec<Entry> {
    let journal = agent.journal().unwrap();
    let mut stream = journal.read(agent.session(), Seq::START);
    let mut entries = Vec::new();
    while let Some(entry) = futures_util::StreamExt::next(&mut stream).await {
        entries.push(entry.unwrap().1);
    }
    entries
}

#[tokio::test(start_paused = true)]
async fn a_message_is_the_users() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    browser
        .must(json!({"act": "send", "session": "ann", "text": "help <b>me</b>"}))
        .await;
    let transcript = agent.transcript().await.unwrap();
    assert_eq!(*transcript[0], Message::user("help <b>me</b>"));
}

#[tokio::test(start_paused = true)]
async fn a_task_is_cancelled_with_an_entry_as_by_the_host() {
    let (agent, browser, mut events, task) = stage("watch", "running").await;
    let told = browser
        .must(json!({"act": "cancel", "session": "ann", "task": task["task"], "reason": "enough"}))
        .await;
    assert_eq!((&told["ok"], &told["status"]), (&json!(true), &json!("running")));
    let shown = events.until("it ends", |shown| shown.is("t1", "cancelled")).await;
    assert_eq!(shown.task("t1").unwrap()["cancel"], "enough");
    let is_asked = |entry: &Entry| matches!(entry, Entry::CancelRequested { reason, .. } if reason == "enough");
    assert!(entries(&agent).await.iter().any(is_asked));
    let (status, error) = browser
        .act(json!({"act": "abort", "session": "ann", "task": task["task"]}))
        .await;
    assert_eq!(
        (status, &error["error"]["kind"]),
        (StatusCode::CONFLICT, &json!("conflict"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_is_aborted() {
    let (_agent, browser, mut events, task) = stage("watch", "running").await;
    browser
        .must(json!({"act": "abort", "session": "ann", "task": task["task"]}))
        .await;
    events.until("it ends", |shown| shown.is("t1", "cancelled")).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_below_another_one_is_aborted_alone() {
    let (_agent, browser, mut events, _) = stage("survey", "running").await;
    let shown = events
        .until("the child runs", |shown| shown.is("research", "running"))
        .await;
    let child = shown.task("research").unwrap().clone();
    assert_eq!(child["parent"], shown.task("t1").unwrap()["task"]);
    browser
        .must(json!({"act": "abort", "session": "ann", "task": child["task"]}))
        .await;
    let shown = events
        .until("the child ends", |shown| shown.is("research", "cancelled"))
        .await;
    assert!(shown.task("t1").is_some());
}

#[tokio::test(start_paused = true)]
async fn consent_is_given_and_refused() {
    for (act, status) in [("approve", "completed"), ("refuse", "failed")] {
        let (_agent, browser, mut events, task) = stage("send_letter eve", "input_required").await;
        assert_eq!(task["asks"]["kind"], "approval");
        assert_eq!(task["waits_for"]["kind"], "consent");
        let questions = browser.data("/api/questions?session=ann").await;
        assert_eq!(questions["questions"][0]["arguments"], json!({"to": "eve"}));
        let asking = &task["asks"]["asking"];
        let wrong = json!({"act": "answer", "session": "ann", "asking": asking, "value": true});
        assert_eq!(browser.act(wrong).await.0, StatusCode::CONFLICT);
        browser
            .must(json!({"act": act, "session": "ann", "asking": asking}))
            .await;
        events.until("it ends", |shown| shown.is("t1", status)).await;
        assert!(events.shown.task("t1").unwrap().get("asks").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_is_answered_by_its_schema() {
    let (_agent, browser, mut events, task) = stage("book", "input_required").await;
    assert_eq!(task["asks"]["prompt"], "Which room?");
    let asking = &task["asks"]["asking"];
    let questions = browser.data("/api/questions?session=ann").await;
    assert_eq!(questions["questions"][0]["schema"]["type"], "integer");
    for wrong in [json!("seven"), json!(-1), json!(1_000), json!({}), json!(null)] {
        let (status, error) = browser
            .act(json!({"act": "answer", "session": "ann", "asking": asking, "value": wrong}))
            .await;
        assert_eq!(
            (status, &error["error"]["kind"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")),
            "{wrong}"
        );
    }
    browser
        .must(json!({"act": "answer", "session": "ann", "asking": asking, "value": 7}))
        .await;
    let shown = events.until("it ends", |shown| shown.is("t1", "completed")).await;
    assert_eq!(shown.task("t1").unwrap()["result"], "\"room 7\"");
}

#[tokio::test(start_paused = true)]
async fn a_deferred_task_is_resolved_by_the_output_schema() {
    let (_agent, browser, mut events, task) = stage("order_taxi", "running").await;
    events
        .until("it waits", |shown| {
            shown.task("t1").unwrap()["waits_for"]["kind"] == "outside"
        })
        .await;
    let detail = browser
        .data(&format!(
            "/api/task?session=ann&task={}",
            task["task"].as_str().unwrap()
        ))
        .await;
    assert_eq!(detail["can"]["resolve"], true);
    assert_eq!(detail["definition"]["output_schema"]["type"], "integer");
    for wrong in [json!("seven"), json!(-1), json!(256), json!({"minutes": 7})] {
        let (status, error) = browser
            .act(json!({"act": "resolve", "session": "ann", "task": task["task"], "value": wrong}))
            .await;
        assert_eq!(
            (status, &error["error"]["kind"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid")),
            "{wrong}"
        );
    }
    browser
        .must(json!({"act": "resolve", "session": "ann", "task": task["task"], "value": 7}))
        .await;
    events.until("it ends", |shown| shown.is("t1", "completed")).await;
    let again = browser
        .act(json!({"act": "resolve", "session": "ann", "task": task["task"], "value": 8}))
        .await;
    assert_eq!(again.0, StatusCode::CONFLICT);
}

#[tokio::test(start_paused = true)]
async fn a_deferred_task_is_failed_from_outside() {
    let (_agent, browser, mut events, task) = stage("order_taxi", "running").await;
    let told = json!({"act": "resolve_error", "session": "ann", "task": task["task"], "message": "no taxi"});
    browser.must(told).await;
    let shown = events.until("it ends", |shown| shown.is("t1", "failed")).await;
    assert!(
        shown.task("t1").unwrap()["result"]
            .as_str()
            .unwrap()
            .contains("no taxi")
    );
}

#[tokio::test(start_paused = true)]
async fn the_delivery_of_a_result_is_set() {
    let (agent, browser, mut events, task) = stage("research tides", "running").await;
    browser
        .must(json!({"act": "set_delivery", "session": "ann", "task": task["task"], "delivery": "silent"}))
        .await;
    let shown = events
        .until("it is set", |shown| shown.task("t1").unwrap()["delivery"] == "silent")
        .await;
    assert_eq!(shown.task("t1").unwrap()["status"], "running");
    assert!(
        entries(&agent)
            .await
            .iter()
            .any(|entry| matches!(entry, Entry::DeliverySet { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_is_promoted_to_the_background() {
    let (agent, browser, mut events, task) = stage("order_taxi", "running").await;
    browser
        .must(json!({"act": "promote", "session": "ann", "task": task["task"]}))
        .await;
    events
        .until("it is acknowledged", |shown| {
            shown.task("t1").unwrap()["told"] == "acknowledged"
        })
        .await;
    assert!(!handle(&agent, &task).status().is_terminal());
}

#[tokio::test(start_paused = true)]
async fn an_answer_and_its_tasks_are_stopped() {
    let (_agent, browser, mut events, _) = stage("watch", "running").await;
    let told = browser
        .must(json!({"act": "interrupt", "session": "ann", "cancel_tasks": true}))
        .await;
    assert_eq!(told["cancelled"], json!(["t1"]));
    events.until("it ends", |shown| shown.is("t1", "cancelled")).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_closed_and_left() {
    for (mode, said, status) in [
        ("cancel", "watch", "cancelled"),
        ("drain", "research tides", "completed"),
    ] {
        let (_agent, browser, mut events, _) = stage(said, "running").await;
        browser
            .must(json!({"act": "close", "session": "ann", "mode": mode, "limit": 60_000}))
            .await;
        let shown = events
            .until("it is closed", |shown| shown.session["row"]["state"] == "closed")
            .await;
        assert!(shown.is("t1", status), "{mode}");
        let (refused, _) = browser
            .act(json!({"act": "send", "session": "ann", "text": "hello"}))
            .await;
        assert_eq!(refused, StatusCode::CONFLICT);
    }
    let (agent, browser, _events, _) = stage("watch", "running").await;
    browser.must(json!({"act": "leave", "session": "ann"})).await;
    sleep(Duration::from_secs(1)).await;
    assert!(agent.send("hello").await.is_err());
}
