//! Anthropic's Messages.

use super::played::*;

fn start(index: impl Into<Value>, block: Value) -> (&'static str, String) {
    event(
        "content_block_start",
        json!({"index": index.into(), "content_block": block}),
    )
}

fn delta(index: impl Into<Value>, delta: Value) -> (&'static str, String) {
    event("content_block_delta", json!({"index": index.into(), "delta": delta}))
}

fn piece(index: u64, text: &str) -> (&'static str, String) {
    delta(index, json!({"type": "input_json_delta", "partial_json": text}))
}

fn stop(index: impl Into<Value>) -> (&'static str, String) {
    event("content_block_stop", json!({"index": index.into()}))
}

fn event(name: &'static str, mut data: Value) -> (&'static str, String) {
    data["type"] = json!(name);
    (name, data.to_string())
}

fn call(id: &str, input: Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": "send_mail", "input": input})
}

fn stream(blocks: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    let usage = json!({"input_tokens": 3, "output_tokens": 1});
    let mut frames = vec![event(
        "message_start",
        json!({"message": {"content": [], "usage": usage}}),
    )];
    frames.extend(blocks);
    frames.push(event(
        "message_delta",
        json!({"delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
    ));
    frames.push(event("message_stop", json!({})));
    frames
}

#[tokio::test]
async fn no_call_is_lost_doubled_or_emptied() {
    let none = json!({});
    let one = [("send_mail", to("ann"))];
    let two = [("send_mail", to("ann")), ("send_mail", to("bob"))];
    let cases: Vec<(&str, Vec<(&str, String)>, &[Made<'_>])> = vec![
        (
            "the whole input at the start",
            vec![start(0, call("a", to("ann"))), stop(0)],
            &one,
        ),
        (
            "the whole input at the start, and again in pieces",
            vec![
                start(0, call("a", to("ann"))),
                piece(0, "{\"to\":"),
                piece(0, "\"ann\"}"),
                stop(0),
            ],
            &one,
        ),
        (
            "the whole input at the start, and an empty piece",
            vec![start(0, call("a", to("ann"))), piece(0, ""), stop(0)],
            &one,
        ),
        (
            "the input at the start as text",
            vec![start(0, call("a", json!("{\"to\":\"ann\"}"))), stop(0)],
            &one,
        ),
        (
            "one id for two",
            vec![
                start(0, call("a", none.clone())),
                piece(0, "{\"to\":\"ann\"}"),
                stop(0),
                start(1, call("a", none.clone())),
                piece(1, "{\"to\":\"bob\"}"),
                stop(1),
            ],
            &two,
        ),
        (
            "one id for two, whole",
            vec![
                start(0, call("a", to("ann"))),
                stop(0),
                start(1, call("a", to("bob"))),
                stop(1),
            ],
            &two,
        ),
        (
            "mixed blocks",
            vec![
                start(0, call("a", none.clone())),
                start(1, call("b", none.clone())),
                piece(1, "{\"to\":"),
                piece(0, "{\"to\":\"ann"),
                piece(1, "\"bob\"}"),
                piece(0, "\"}"),
                stop(1),
                stop(0),
            ],
            &two,
        ),
        (
            "mixed blocks of one id, that end together",
            vec![
                start(0, call("a", none.clone())),
                start(1, call("a", none.clone())),
                piece(1, "{\"to\":\"bob\"}"),
                piece(0, "{\"to\":\"ann\"}"),
            ],
            &two,
        ),
        (
            "index 0 for both",
            vec![
                start(0, call("a", none.clone())),
                piece(0, "{\"to\":\"ann\"}"),
                stop(0),
                start(0, call("b", none.clone())),
                piece(0, "{\"to\":\"bob\"}"),
                stop(0),
            ],
            &two,
        ),
        (
            "no index",
            vec![
                start(Value::Null, call("a", none.clone())),
                delta(
                    Value::Null,
                    json!({"type": "input_json_delta", "partial_json": "{\"to\":\"ann\"}"}),
                ),
                stop(Value::Null),
                start(Value::Null, call("b", to("bob"))),
            ],
            &two,
        ),
        (
            "the start again",
            vec![
                start(0, call("a", none.clone())),
                start(0, call("a", none.clone())),
                piece(0, "{\"to\":\"ann\"}"),
                stop(0),
            ],
            &one,
        ),
        (
            "the input as an object",
            vec![
                start(0, call("a", none)),
                delta(0, json!({"type": "input_json_delta", "partial_json": {"to": "ann"}})),
                stop(0),
            ],
            &one,
        ),
    ];
    for (about, blocks, expected) in cases {
        let frames = stream(blocks);
        expect(Provider::Anthropic, about, &frames, expected).await;
        // Some servers send no names of events, only the types in the data.
        let unnamed: Vec<(&str, String)> = frames.into_iter().map(|(_, data)| ("", data)).collect();
        expect(Provider::MiniMax, about, &unnamed, expected).await;
    }
}

#[tokio::test]
async fn a_whole_message_at_the_start_is_taken() {
    let content = json!([{"type": "text", "text": "I mail."}, call("a", to("ann"))]);
    let frames = [
        event("message_start", json!({"message": {"content": content}})),
        event("message_delta", json!({"delta": {"stop_reason": "tool_use"}})),
        event("message_stop", json!({})),
    ];
    expect(
        Provider::Anthropic,
        "message_start",
        &frames,
        &[("send_mail", to("ann"))],
    )
    .await;
}

#[tokio::test]
async fn mixed_blocks_of_text_and_thought_keep_what_they_say() {
    let frames = stream(vec![
        start(0, json!({"type": "thinking", "thinking": "h", "signature": ""})),
        start(1, json!({"type": "text", "text": "I "})),
        start(2, call("a", json!({}))),
        delta(1, json!({"type": "text_delta", "text": "mail."})),
        piece(2, "{\"to\":\"ann\"}"),
        delta(0, json!({"type": "thinking_delta", "thinking": "m"})),
        delta(0, json!({"type": "signature_delta", "signature": "sign"})),
        delta(0, json!({"type": "signature_delta", "signature": "ed"})),
        stop(2),
        stop(0),
        stop(1),
    ]);
    let server = Server::start(vec![Reply::stream("text/event-stream", bytes(&frames, "\n"))]).await;
    let model = server.builder(Provider::Anthropic).build().unwrap();
    let body = answered(&server, &model).await;
    let content = &body["messages"][1]["content"];
    assert_eq!(
        content[0],
        json!({"type": "thinking", "thinking": "hm", "signature": "signed"})
    );
    let text: String = content
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|block| block["text"].as_str())
        .collect();
    assert_eq!(text, "I mail.", "{content:#}");
}

#[tokio::test]
async fn a_turn_without_its_call_or_its_end_is_an_error() {
    for frames in [stream(Vec::new()), {
        let mut frames = stream(vec![start(0, call("a", to("ann"))), stop(0)]);
        frames.pop();
        frames
    }] {
        let reply = Reply::stream("text/event-stream", bytes(&frames, "\n"));
        let (events, error) = read(Provider::Anthropic, reply).await;
        assert!(error.unwrap_or_else(|| panic!("{events:?}")).retryable());
    }
    let lost = stream(vec![piece(0, "{}")]);
    let (_, error) = read(
        Provider::Anthropic,
        Reply::stream("text/event-stream", bytes(&lost, "\n")),
    )
    .await;
    assert!(error.unwrap().to_string().contains("without its beginning"));
}

#[tokio::test]
async fn two_calls_under_one_id_are_sent_back_and_answered_as_two() {
    let frames = stream(vec![
        start(0, call("a", to("ann"))),
        stop(0),
        start(1, call("a", to("bob"))),
        stop(1),
    ]);
    let server = Server::start(vec![Reply::stream("text/event-stream", bytes(&frames, "\n"))]).await;
    let model = server.builder(Provider::Anthropic).build().unwrap();
    let body = answered(&server, &model).await;
    assert_eq!(findings(Provider::Anthropic, &body), Vec::<String>::new(), "{body:#}");
    let (made, told) = (&body["messages"][1]["content"], &body["messages"][2]["content"]);
    assert_ne!(made[0]["id"], made[1]["id"]);
    for place in [0, 1] {
        assert_eq!(made[place]["id"], told[place]["tool_use_id"], "{body:#}");
    }
}
