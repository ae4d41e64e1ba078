//! The page about the `task` tool says what its actions answer.

use async_tool_runtime::{ToolCall, model::ModelStream, policy::Approval, tool::Background};
use serde_json::{Value, json};

use crate::stand::{Stage, answering, answers, calls, timed, tool};

const PAGE: &str = include_str!("../../../../async-tool-runtime/src/steering.rs");

/// Calls and answers of the page, in its order.
fn examples() -> Vec<(Value, Value)> {
    let text: String = PAGE
        .lines()
        .map(|line| line.trim_start_matches("//!").to_owned() + "\n")
        .collect();
    let blocks = text.split("```json").skip(1).map(|block| {
        let block = block.split("```").next().unwrap();
        serde_json::from_str::<Value>(block).unwrap_or_else(|error| panic!("{error}: {block}"))
    });
    let blocks: Vec<Value> = blocks.collect();
    blocks
        .chunks(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_page_shows_each_action_with_the_answer_that_it_gets() {
    let examples = examples();
    let asked: Vec<Value> = examples.iter().map(|(call, _)| call.clone()).collect();
    let mut actions: Vec<&str> = asked.iter().map(|call| call["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["cancel", "check", "group", "list", "result", "send", "wait"]);

    let model = answering(move |_, place| match place {
        1 => calls([
            ("work", json!({"ms": 60_000})),
            ("work", json!({"ms": 1_000, "value": {"items": ["tea", "milk"]}})),
            ("fire", json!({"path": "a.txt"})),
        ]),
        place => match asked.get(place - 2) {
            Some(call) => ModelStream::calls([ToolCall::new("c1", "task", call.clone())]),
            None => ModelStream::text("done"),
        },
    });
    let work = timed("work").background(Background::Always);
    let fire = tool("fire", |_| async { Ok(json!("fired")) }).background(Background::Always);
    let mut stage = Stage::set(model, [work, fire.approval(Approval::Always)], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("done").await;
    let given: Vec<Value> = (0..examples.len())
        .map(|place| answers(&stage.request(place + 3)).remove(0))
        .collect();
    let expected: Vec<&Value> = examples.iter().map(|(_, answer)| answer).collect();
    assert_eq!(given.iter().collect::<Vec<_>>(), expected, "in full: {given:#?}");
}
