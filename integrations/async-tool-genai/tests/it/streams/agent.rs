//! An agent on such streams: each call runs once, and has one answer.

use std::sync::Mutex;

use async_tool_runtime::{AsyncAgent, AsyncToolManager, async_tool, tools};

use super::played::*;
use crate::wire::turn;

static SENT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Sends a mail.
#[async_tool(effect = "once")]
async fn send_mail(
    /// Its receiver.
    to: String,
) -> String {
    SENT.lock().unwrap().push(to.clone());
    format!("sent to {to}")
}

#[tokio::test]
async fn each_call_runs_once_and_has_one_answer() {
    let chunk = |calls: Value| {
        let delta = json!({"tool_calls": calls});
        ("", json!({"choices": [{"index": 0, "delta": delta}]}).to_string())
    };
    let mail = |arguments: &str| json!({"name": "send_mail", "arguments": arguments});
    let (ann, bob) = (mail("{\"to\":\"ann\"}"), mail("{\"to\":\"bob\"}"));
    for (chunks, expected) in [
        (vec![chunk(json!([{"id": "c1", "function": ann}]))], vec!["ann"]),
        (
            vec![
                chunk(json!([{"index": 0, "id": "dup", "function": ann}])),
                chunk(json!([{"index": 1, "id": "dup", "function": bob}])),
            ],
            vec!["ann", "bob"],
        ),
        (
            vec![
                chunk(json!([{"index": 0, "id": "c1", "function": ann}])),
                chunk(json!([{"index": 0, "id": null, "function": mail("")}])),
            ],
            vec!["ann"],
        ),
        (
            vec![
                chunk(json!([{"index": 0, "id": "c1", "function": mail("")}])),
                chunk(json!([{"index": 0, "function": mail("{\"to\":")}])),
                chunk(json!([{"index": 0, "function": mail("\"ann\"}")}])),
            ],
            vec!["ann"],
        ),
        (
            vec![
                chunk(json!([{"index": 0, "id": "c1", "function": ann}])),
                chunk(json!([{"index": 0, "id": "c2", "function": bob}])),
                chunk(json!([{"index": 0, "id": "c3", "function": mail("{\"to\":\"eve\"}")}])),
            ],
            vec!["ann", "bob", "eve"],
        ),
    ] {
        let mut frames = chunks;
        let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
        frames.push(("", end.to_string()));
        frames.push(("", "[DONE]".to_owned()));
        let server = Server::start(vec![
            Reply::stream("text/event-stream", bytes(&frames, "\n")),
            turn(Provider::OpenAi, true, "Done.", &[]),
        ])
        .await;
        let model = server.builder(Provider::OpenAi).build().unwrap();
        let manager = AsyncToolManager::builder().tools(tools![send_mail]).build().unwrap();
        let agent = AsyncAgent::builder(model, manager).start().await.unwrap();
        agent.send("Mail them.").await.unwrap();
        agent.run_until_idle().await.unwrap();
        agent.close().await.unwrap();

        let mut sent = std::mem::take(&mut *SENT.lock().unwrap());
        sent.sort();
        assert_eq!(sent, expected);
        let body = server.asked()[1].body();
        assert_eq!(findings(Provider::OpenAi, &body), Vec::<String>::new(), "{body:#}");
        let text = body.to_string();
        for name in expected {
            assert_eq!(text.matches(&format!("sent to {name}")).count(), 1, "{body:#}");
        }
    }
}
