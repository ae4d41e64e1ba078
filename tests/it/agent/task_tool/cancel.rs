//! The action `cancel`.

use async_tool_runtime::TaskNo;
use serde_json::json;
use tokio::time::Instant;

use super::session::stage;
use crate::stand::{answers, calls, delivered, secs, text_of, work};

#[tokio::test(start_paused = true)]
async fn a_model_cancels_tasks_and_is_told_their_ends_once() {
    let mut stage = stage(
        || work([600_000, 600_000, 10]),
        || {
            calls([
                ("task", json!({"action": "wait", "tasks": ["t3"]})),
                (
                    "task",
                    json!({"action": "cancel", "tasks": ["t1", "t3"], "text": "not needed"}),
                ),
                ("work", json!({"ms": 600_000})),
                ("task", json!({"action": "cancel", "tasks": "#3"})),
            ])
        },
    )
    .await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    let began = Instant::now();
    let told = answers(&stage.request(3));
    // The turn was answered when its own call was acknowledged, and by then it had ended.
    assert_eq!(told[1]["tasks"][0]["status"], json!("cancelled"));
    stage.agent.cancel(TaskNo::new(2), "nor this").await.unwrap();
    stage.rest().await.unwrap();
    assert!(began.elapsed() < secs(60));
    let last = stage.request(stage.asked());
    let mut all = delivered(&last).concat();
    all.sort();
    let text = text_of(&last);
    // `t6` may have ended in time for its own answer.
    assert!(text.contains("not needed") && text.contains("nor this") && text.contains("the model asked for it"));
    assert_eq!(all.iter().filter(|task| *task == "t1").count(), 1, "{all:?}");
    assert!(!all.contains(&"t3".to_owned()), "handed over by the wait: {all:?}");
}
