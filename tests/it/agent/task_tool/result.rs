//! The action `result`.

use async_tool_runtime::{
    Message,
    model::ModelStream,
    tool::{Background, DeliveryPolicy},
};
use serde_json::json;

use super::session::task;
use crate::stand::{Stage, answering, answers, calls, delivered, secs, text_of, timed, tool};

/// A session with a result of which the model was shown only the beginning.
async fn spilled(reads: fn() -> ModelStream) -> Stage {
    let log = tool("log", |_| async {
        tokio::time::sleep(secs(1)).await;
        let lines: Vec<String> = (1..=20_000).map(|line| format!("line {line}")).collect();
        // Sorted, so that the order is the same with the `preserve_order` feature of serde_json.
        Ok(json!({"lines": [{"of": "é🦀"}], "log": lines.join("\n")}))
    });
    let mut stage = Stage::set(
        answering(
            move |request, _| match request.messages.last().map(|message| &**message) {
                Some(Message::User { text, .. }) if text == "go" => calls([("log", json!({}))]),
                Some(Message::User { .. }) => reads(),
                _ => ModelStream::text("waiting"),
            },
        ),
        [log.background(Background::Always).result_limit(1_024)],
        |agent| agent,
    )
    .await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage.rest().await.unwrap();
    let preview = text_of(&stage.request(3));
    assert!(
        preview.contains(r#""handle":"t1""#) && preview.len() < 4_000,
        "{preview}"
    );
    stage.talk("read it").await.unwrap();
    stage
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_read_in_parts() {
    let stage = spilled(|| {
        calls([
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "grep": "line 1999\\d"}),
            ),
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "pointer": "/lines/0/of"}),
            ),
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "offset": 4, "limit": 9}),
            ),
            ("task", json!({"action": "result", "tasks": ["t1"]})),
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "pointer": "/lines/1"}),
            ),
            ("task", json!({"action": "result", "tasks": ["t1"], "pointer": "/log"})),
            ("task", json!({"action": "result", "tasks": ["t1"], "grep": "("})),
            (
                "task",
                json!({"action": "result", "tasks": ["t1"], "grep": "a", "limit": 2}),
            ),
        ])
    })
    .await;
    let answers = answers(&stage.request(stage.asked()));
    assert_eq!(answers[1]["value"], json!("é🦀"));
    assert_eq!(
        answers[2]["text"],
        json!("\"lines\": ".trim_start()[..].get(..9).unwrap())
    );
    assert_eq!(answers[2]["next_offset"], json!(13));
    for answer in &answers {
        assert!(answer.to_string().len() < 40_000, "{} bytes", answer.to_string().len());
    }
    let all = &answers[3];
    assert!(
        all["next_offset"]
            .as_u64()
            .is_some_and(|next| next < all["characters"].as_u64().unwrap()),
        "{all}"
    );
    assert!(
        answers[4]["error"]["message"].as_str().unwrap().contains("a list of 1"),
        "{}",
        answers[4]
    );
    assert!(answers[5]["note"].as_str().unwrap().contains("too large"));
    assert!(
        answers[6]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no regular expression")
    );
    assert!(
        answers[7]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("takes one of")
    );
    // A spilled result is kept as JSON, whose text is one line.
    assert_eq!(answers[0]["found"], json!(1), "{}", answers[0]["found"]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_read_is_not_told_again_but_after_a_failed_read_it_is() {
    let look: [(fn() -> ModelStream, bool); 3] = [
        (
            || task(json!({"action": "result", "tasks": ["t1"], "pointer": "/a"})),
            true,
        ),
        (
            || task(json!({"action": "result", "tasks": ["t1"], "pointer": "/b"})),
            false,
        ),
        (|| task(json!({"action": "check", "tasks": ["t1"]})), false),
    ];
    for (look, is_read) in look {
        let tool = timed("work")
            .background(Background::Always)
            .delivery(DeliveryPolicy::Silent);
        let model = answering(
            move |request, asked| match request.messages.last().map(|message| &**message) {
                _ if asked == 1 => calls([
                    ("work", json!({"ms": 10, "value": {"a": 1}})),
                    ("slow", json!({"ms": 1_000})),
                ]),
                _ if asked == 2 => calls([("task", json!({"action": "wait", "tasks": ["t2"]}))]),
                _ if asked == 3 => look(),
                _ => ModelStream::text("waiting"),
            },
        );
        let tools = [tool, timed("slow").background(Background::Always)];
        let stage = Stage::set(model, tools, |agent| agent).await;
        stage.talk("go").await.unwrap();
        stage.talk("and?").await.unwrap();
        let told = delivered(&stage.request(stage.asked())).concat();
        // Every turn takes along the results that wait, so a result that was told is not read again.
        assert!(told.len() <= 1 || !is_read, "{told:?}");
        stage.check();
    }
}
