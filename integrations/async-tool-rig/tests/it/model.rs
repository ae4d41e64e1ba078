//! A model of rig's with an agent of ours.

use async_tool_rig::RigModel;
use async_tool_runtime::{AsyncAgent, Message};
use serde_json::json;

use crate::{
    server::{Reply, Server, calls, text},
    tools::{gate, manager},
};

#[tokio::test]
async fn a_slow_call_is_acknowledged_and_its_result_delivered_once() {
    for is_streamed in [true, false] {
        let city = format!("Oslo {is_streamed}");
        let arguments: &'static str = format!(r#"{{"city":"{city}"}}"#).leak();
        let server = Server::start([
            calls([
                ("id_a", "get_weather", arguments),
                ("id_b", "search", r#"{"query":"bees"}"#),
                ("id_c", "get_weather", r#"{"city": 7"#),
                ("id_d", "no_such_tool", "{}"),
            ]),
            text("It will take a while."),
            text("Still waiting."),
            text("It rains."),
        ])
        .await;
        let model = RigModel::new(server.chat()).stream(is_streamed);
        let agent = AsyncAgent::builder(model, manager())
            .system("Be brief.")
            .start()
            .await
            .unwrap();
        agent.send("How is the weather?").await.unwrap();
        server.has_asked(2).await;
        agent.send("And?").await.unwrap();
        server.has_asked(3).await;
        gate(&city).notify_one();
        agent.run_until_idle().await.unwrap();
        let transcript = agent.transcript().await.unwrap();
        agent.close().await.unwrap();

        let asked = server.bodies();
        assert_eq!(asked.len(), 4);
        assert_eq!(asked[0]["messages"][0]["role"], "system");
        assert!(asked[0]["messages"][0].to_string().contains("Be brief."));
        let names = asked[0]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| &tool["function"]["name"]);
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["get_weather", "forecast", "add", "search", "task"]
        );
        let answers: Vec<_> = asked[1]["messages"].as_array().unwrap()[3..].iter().collect();
        let ids: Vec<_> = answers.iter().map(|answer| &answer["tool_call_id"]).collect();
        assert_eq!(ids, ["id_a", "id_b", "id_c", "id_d"]);
        assert!(answers.iter().all(|answer| answer["role"] == "tool"));
        let shown = |at: usize| answers[at]["content"].to_string();
        assert!(shown(0).contains("It is running in the background"), "{}", shown(0));
        assert!(shown(1).contains("nothing on bees"), "{}", shown(1));
        assert!(shown(2).contains("invalid_arguments"), "{}", shown(2));
        assert!(shown(3).contains("unknown_tool"), "{}", shown(3));
        let result = format!("rain in {city}");
        assert!(!server.asked()[2].contains(&result));
        assert_eq!(server.asked()[3].matches(&result).count(), 1);
        assert!(matches!(&**transcript.last().unwrap(), Message::Assistant { text, .. } if text == "It rains."));
    }
}

#[tokio::test]
async fn tokens_are_counted() {
    let server = Server::start([text("hello")]).await;
    let agent = AsyncAgent::builder(RigModel::new(server.chat()), manager())
        .start()
        .await
        .unwrap();
    let summary = agent.run_to_completion("hi").await.unwrap();
    let usage = summary.totals.usage;
    assert_eq!(
        (usage.input, usage.cached, usage.output, usage.reasoning),
        (100, 60, 20, 5)
    );
    agent.close().await.unwrap();
}

#[tokio::test]
async fn requests_are_completed_by_the_host() {
    let server = Server::start([text("hello")]).await;
    let model = RigModel::new(server.chat()).with_request(|request| request.temperature(0.5).max_tokens(7));
    let agent = AsyncAgent::builder(model, manager()).start().await.unwrap();
    agent.run_to_completion("hi").await.unwrap();
    agent.close().await.unwrap();
    assert_eq!(server.bodies()[0]["temperature"], 0.5);
    assert!(server.asked()[0].contains(r#":7"#));
}

/// A turn of Anthropic's with a signed thought before a call.
fn thinking() -> Reply {
    let events = [
        json!({"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 1},
        }}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "I need the sum."}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2lnbmVk"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":2,\"b\":3}"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 20}}),
        json!({"type": "message_stop"}),
    ];
    Reply::Stream(
        events
            .iter()
            .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
            .collect(),
    )
}

fn saying(text: &str) -> Reply {
    let events = [
        json!({"type": "message_start", "message": {
            "id": "msg_2", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 1},
        }}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 20}}),
        json!({"type": "message_stop"}),
    ];
    Reply::Stream(
        events
            .iter()
            .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
            .collect(),
    )
}

#[tokio::test]
async fn thoughts_and_their_signatures_go_back_unchanged() {
    let server = Server::start([thinking(), saying("Five."), saying("Still five.")]).await;
    let model = RigModel::new(server.anthropic()).with_request(|request| request.max_tokens(1_000));
    let agent = AsyncAgent::builder(model, manager()).start().await.unwrap();
    agent.run_to_completion("2 + 3?").await.unwrap();
    agent.run_to_completion("Sure?").await.unwrap();
    agent.close().await.unwrap();

    for asked in &server.bodies()[1..] {
        let turn = asked["messages"][1]["content"].as_array().unwrap();
        assert_eq!(turn[0]["thinking"], "I need the sum.");
        assert_eq!(turn[0]["signature"], "c2lnbmVk");
        assert_eq!(
            (&turn[1]["type"], &turn[1]["id"], &turn[1]["input"]),
            (&json!("tool_use"), &json!("toolu_1"), &json!({"a": 2, "b": 3}))
        );
        let answers = asked["messages"][2]["content"].as_array().unwrap();
        assert_eq!((answers.len(), &answers[0]["type"]), (1, &json!("tool_result")));
    }
}

#[tokio::test]
async fn nothing_stands_beside_answers_where_a_provider_merges_them() {
    let server = Server::start([thinking(), saying("")]).await;
    let model = RigModel::new(server.anthropic()).with_request(|request| request.max_tokens(1_000));
    let agent = AsyncAgent::builder(model, manager())
        .model_retries(0, std::time::Duration::ZERO)
        .start()
        .await
        .unwrap();
    let _silent = agent.run_to_completion("2 + 3?").await;
    let _silent = agent.run_to_completion("Sure?").await;
    agent.close().await.unwrap();

    let asked = server.bodies();
    let messages = asked.last().unwrap()["messages"].as_array().unwrap();
    for message in messages {
        let parts = message["content"].as_array().unwrap();
        let answers = parts.iter().filter(|part| part["type"] == "tool_result").count();
        assert!(answers == 0 || answers == parts.len(), "{message}");
    }
    assert!(
        messages.iter().any(|message| message.to_string().contains("(noted)")),
        "{messages:?}"
    );
}
