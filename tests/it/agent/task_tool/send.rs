//! The action `send`.

use async_tool_runtime::{AsyncAgent, AsyncToolManager, FunctionTool, TaskStatus, ToolContext, tool::Background};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::session::{answered, task, usual};
use crate::stand::{Stage, answers, calls, playing, secs, text_of, timed, tool, work};

/// A tool that returns all messages it receives up to `stop`.
fn listener() -> FunctionTool {
    tool("listen", |cx: ToolContext| async move {
        let mut messages = cx.messages();
        let mut heard = Vec::new();
        while let Some(message) = messages.recv().await {
            if message == "stop" {
                break;
            }
            heard.push(message);
        }
        Ok(json!(heard))
    })
    .background(Background::Always)
}

#[tokio::test(start_paused = true)]
async fn a_running_tool_reads_the_messages_of_the_model() {
    let model = playing([
        || {
            calls([
                ("listen", json!({})),
                (
                    "task",
                    json!({"action": "send", "tasks": ["#1"], "text": "in the same turn"}),
                ),
            ])
        },
        || {
            calls([
                ("task", json!({"action": "send", "tasks": ["t1"], "text": "later"})),
                ("task", json!({"action": "send", "tasks": ["t1"], "text": "stop"})),
            ])
        },
    ]);
    let stage = Stage::set(model, [listener()], |agent| agent).await;
    let began = Instant::now();
    stage.talk("go").await.unwrap();
    assert!(
        began.elapsed() < secs(1),
        "no answer waits for its grace: {:?}",
        began.elapsed()
    );
    for (request, place) in [(2, 1), (3, 0), (3, 1)] {
        let answer = &answers(&stage.request(request))[place];
        assert_eq!(
            answer["note"],
            json!("it has the message, and reads it when it looks for messages")
        );
    }
    assert!(text_of(&stage.request(stage.asked())).contains(r#"["in the same turn","later"]"#));
}

#[tokio::test(start_paused = true)]
async fn a_send_to_a_task_that_takes_no_messages_is_refused_with_the_reason() {
    // Ended.
    let answer = answered(
        || work([0]),
        || calls([("task", json!({"action": "wait", "tasks": ["t1"]}))]),
    )
    .await;
    assert_eq!(answer["tasks"][0]["status"], json!("completed"));
    let model = playing([
        || work([0]),
        || task(json!({"action": "wait", "tasks": ["t1"]})),
        || task(json!({"action": "send", "tasks": ["t1"], "text": "hello"})),
    ]);
    let stage = Stage::set(model, [usual()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let answer = answers(&stage.request(stage.asked())).remove(0);
    assert_eq!(answer["error"]["message"], json!("t1 has ended"));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_the_result_of_another_takes_no_messages_yet() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 5_000, "value": "x"})),
            ("chain", json!({"value": {"$task": "#1"}})),
            ("task", json!({"action": "send", "tasks": ["#2"], "text": "hello"})),
            ("task", json!({"action": "check", "tasks": ["#2"]})),
        ])
    }]);
    let chain = timed("chain").background(Background::Always).futures(true);
    let stage = Stage::set(model, [usual(), chain], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let answers = answers(&stage.request(2));
    let message = answers[2]["error"]["message"].as_str().unwrap();
    assert!(message.contains("t2 waits for the results it needs"), "{message}");
    assert_eq!(answers[3]["tasks"][0]["waits_for"], "the result of t1");
    assert_eq!(answers[3]["tasks"][0]["status"], json!("queued"));
}

#[tokio::test(start_paused = true)]
async fn a_task_in_the_queue_reads_its_messages_when_it_starts() {
    let model = playing([
        || calls([("work", json!({"ms": 5_000})), ("listen", json!({}))]),
        || {
            calls([
                ("task", json!({"action": "send", "tasks": ["t2"], "text": "early"})),
                ("task", json!({"action": "send", "tasks": ["t2"], "text": "stop"})),
            ])
        },
    ]);
    let manager = AsyncToolManager::builder()
        .tools([usual().into(), listener().into()])
        .concurrency(1)
        .build()
        .unwrap();
    let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let requests = model.requests();
    let noted = &answers(&requests[2])[0];
    assert_eq!(noted["status"], json!("queued"), "{noted}");
    assert!(text_of(requests.last().unwrap()).contains(r#"["early"]"#));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_the_outside_accepts_messages_and_never_reads_them() {
    let outside = tool("outside", |cx: ToolContext| async move {
        cx.defer::<Result<Value, _>>().await
    });
    let model = playing([
        || calls([("outside", json!({}))]),
        || task(json!({"action": "send", "tasks": ["t1"], "text": "hello"})),
        || task(json!({"action": "cancel", "tasks": ["t1"], "text": "not needed"})),
    ]);
    let stage = Stage::set(model, [outside.background(Background::Always)], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let answer = answers(&stage.request(3)).remove(0);
    // In either case, the model gets a true answer at once.
    assert!(
        answer.get("note").is_some() || answer.get("error").is_some(),
        "{answer}"
    );
    assert_eq!(stage.agent.tasks().await.unwrap()[0].status, TaskStatus::Cancelled);
}
