//! The action `wait`.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind,
    model::ModelStream,
    tool::{Background, DeliveryPolicy},
};
use serde_json::json;
use tokio::time::Instant;

use super::session::{stage, task, usual};
use crate::stand::{Stage, answers, calls, delivered, playing, secs, timed, work};

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_results_and_they_are_not_told_again() {
    let mut stage = stage(
        || work([5_000, 8_000, 60_000]),
        || task(json!({"action": "wait", "tasks": ["t1", "t2"]})),
    )
    .await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), secs(8));
    let answer = answers(&stage.request(3)).remove(0);
    let of: Vec<_> = answer["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["result"].clone())
        .collect();
    assert_eq!(of, [json!(5_000), json!(8_000)]);
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t3"]], "and nothing else");
    assert_eq!(stage.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_any_ends_with_the_first() {
    let mut stage = stage(
        || work([60_000, 2_000]),
        || task(json!({"action": "wait", "tasks": ["t1", "t2"], "mode": "any"})),
    )
    .await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), secs(2));
    let answer = answers(&stage.request(3)).remove(0);
    assert_eq!(answer["tasks"][0]["note"], json!("there is no result yet"));
    assert_eq!(answer["tasks"][1]["result"], json!(2_000));
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_after_its_seconds_and_none_is_longer_than_a_minute() {
    let waits: [(fn() -> ModelStream, u64); 3] = [
        (|| task(json!({"action": "wait", "seconds": 7})), 7),
        (|| task(json!({"action": "wait"})), 30),
        (|| task(json!({"action": "wait", "seconds": 1e9})), 60),
    ];
    for (wait, expected) in waits {
        let mut stage = stage(|| work([3_600_000]), wait).await;
        let began = Instant::now();
        stage.agent.send("go").await.unwrap();
        stage.said("waiting").await;
        assert_eq!(began.elapsed(), secs(expected));
        let answer = answers(&stage.request(3)).remove(0);
        assert_eq!(answer["tasks"][0]["note"], json!("there is no result yet"));
        stage.rest().await.unwrap();
        assert_eq!(delivered(&stage.request(4)), [["t1"]]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_nothing_that_runs_ends_at_once() {
    let mut stage = Stage::set(playing([|| task(json!({"action": "wait"}))]), [usual()], |agent| agent).await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(answers(&stage.request(2)), [json!({"tasks": []})]);
}

#[tokio::test(start_paused = true)]
async fn a_message_ends_a_wait() {
    let mut stage = stage(|| work([60_000]), || task(json!({"action": "wait", "seconds": 50}))).await;
    stage.agent.send("go").await.unwrap();
    for _ in 0..2 {
        stage
            .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
            .await;
    }
    tokio::time::advance(secs(10)).await;
    let began = Instant::now();
    stage.agent.send("are you there?").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    let request = stage.request(3);
    assert_eq!(request.last_user_text(), Some("are you there?"));
    assert_eq!(answers(&request)[0]["tasks"][0]["status"], json!("running"));
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_can_not_wait_ends_a_wait() {
    let alarm = timed("alarm")
        .background(Background::Always)
        .delivery(DeliveryPolicy::Interrupt);
    let model = playing([
        || {
            calls([
                ("work", json!({"ms": 60_000})),
                ("alarm", json!({"ms": 5_000, "value": "fire"})),
            ])
        },
        || task(json!({"action": "wait", "tasks": ["t1"], "seconds": 50})),
    ]);
    let mut stage = Stage::set(model, [usual(), alarm], |agent| agent).await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), secs(5));
    assert_eq!(delivered(&stage.request(3)), [["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_call_of_its_own_turn_is_answered_where_that_call_is() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 5_000, "value": "v"})),
            ("task", json!({"action": "wait", "tasks": ["#1"]})),
        ])
    }]);
    let mut stage = Stage::set(model, [usual()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage.rest().await.unwrap();
    let answers = answers(&stage.request(2));
    assert_eq!(answers[0], json!("v"));
    assert_eq!(
        answers[1]["tasks"][0]["note"],
        json!("its result is the answer to its own call")
    );
    assert_eq!(stage.asked(), 2, "and it isn't told again");
}

#[tokio::test(start_paused = true)]
async fn two_waits_of_a_turn_hand_a_result_over_once() {
    let mut stage = stage(
        || work([5_000]),
        || {
            calls([
                ("task", json!({"action": "wait", "tasks": ["t1", "t1"]})),
                ("task", json!({"action": "wait", "tasks": ["t1"]})),
                ("task", json!({"action": "result", "tasks": ["t1"]})),
            ])
        },
    )
    .await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage.rest().await.unwrap();
    let answers = answers(&stage.request(3));
    assert_eq!(answers[0]["tasks"][0]["result"], json!(5_000));
    assert_eq!(
        answers[1]["tasks"][0]["note"],
        json!("you have been given its result already")
    );
    // A result can be read again.
    assert_eq!(answers[2]["text"], json!("5000"));
    assert_eq!(stage.asked(), 3);
}
