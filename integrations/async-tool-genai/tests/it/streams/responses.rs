//! OpenAI's Responses.

use super::played::*;

fn event(kind: &'static str, mut data: Value) -> (&'static str, String) {
    data["type"] = json!(kind);
    (kind, data.to_string())
}

fn item(id: &str, call: &str, arguments: impl Into<Value>) -> Value {
    let mut item =
        json!({"type": "function_call", "call_id": call, "name": "send_mail", "arguments": arguments.into()});
    if !id.is_empty() {
        item["id"] = json!(id);
    }
    item
}

fn added(index: u64, item: Value) -> (&'static str, String) {
    event(
        "response.output_item.added",
        json!({"output_index": index, "item": item}),
    )
}

fn piece(index: u64, id: &str, text: &str) -> (&'static str, String) {
    let data = json!({"output_index": index, "item_id": id, "delta": text});
    event("response.function_call_arguments.delta", data)
}

fn done(index: u64, item: Value) -> (&'static str, String) {
    event(
        "response.output_item.done",
        json!({"output_index": index, "item": item}),
    )
}

fn stream(mut items: Vec<(&'static str, String)>, output: &Value) -> Vec<(&'static str, String)> {
    let response = json!({"id": "r", "status": "completed", "output": output});
    items.insert(
        0,
        event(
            "response.created",
            json!({"response": {"id": "r", "status": "in_progress"}}),
        ),
    );
    items.push(event("response.completed", json!({"response": response})));
    items
}

const ANN: &str = "{\"to\":\"ann\"}";
const BOB: &str = "{\"to\":\"bob\"}";

#[tokio::test]
async fn no_call_is_lost_doubled_or_emptied() {
    let one = [("send_mail", to("ann"))];
    let two = [("send_mail", to("ann")), ("send_mail", to("bob"))];
    let (ann, bob) = (item("fc_1", "c1", ANN), item("fc_2", "c2", BOB));
    let none = json!([]);
    let cases: Vec<(&str, Vec<(&str, String)>, Value, &[Made<'_>])> = vec![
        (
            "two items at one index",
            vec![
                added(0, item("fc_1", "c1", "")),
                added(0, item("fc_2", "c2", "")),
                piece(0, "fc_1", ANN),
                piece(0, "fc_2", BOB),
                done(0, ann.clone()),
                done(0, bob.clone()),
            ],
            json!([ann, bob]),
            &two,
        ),
        (
            "an item that is done twice",
            vec![
                added(0, item("fc_1", "c1", "")),
                done(0, ann.clone()),
                done(0, ann.clone()),
            ],
            json!([ann]),
            &one,
        ),
        (
            "all arguments at the beginning, and none later",
            vec![
                added(0, item("fc_1", "c1", ANN)),
                done(0, item("fc_1", "c1", "")),
                added(1, item("fc_2", "c2", to("bob"))),
                done(1, item("fc_2", "c2", Value::Null)),
            ],
            none.clone(),
            &two,
        ),
        (
            "all arguments at the beginning, and again in pieces",
            vec![
                added(0, item("fc_1", "c1", ANN)),
                piece(0, "fc_1", "{\"to\":"),
                piece(0, "fc_1", "\"ann\"}"),
                done(0, item("fc_1", "c1", "")),
            ],
            none.clone(),
            &one,
        ),
        (
            "an object as a piece",
            vec![
                added(0, item("fc_1", "c1", "")),
                event(
                    "response.function_call_arguments.delta",
                    json!({"output_index": 0, "item_id": "fc_1", "delta": to("ann")}),
                ),
                done(0, item("fc_1", "c1", "")),
            ],
            none.clone(),
            &one,
        ),
        (
            "an item without an id that is done twice",
            vec![done(0, item("", "c1", ANN)), done(0, item("", "c1", ANN))],
            json!([item("", "c1", ANN)]),
            &one,
        ),
        (
            "an index that is not its last one",
            vec![
                added(0, item("fc_1", "c1", "")),
                piece(0, "fc_1", ANN),
                done(4, ann.clone()),
            ],
            json!([{"type": "message", "content": []}, ann]),
            &one,
        ),
        (
            "an index that is not its last one, without ids of items",
            vec![added(0, item("", "c1", "")), done(4, item("", "c1", ANN))],
            none.clone(),
            &one,
        ),
        (
            "arguments as an object",
            vec![done(0, item("fc_1", "c1", to("ann")))],
            none.clone(),
            &one,
        ),
        (
            "one id for two",
            vec![
                added(0, item("fc_1", "dup", "")),
                added(1, item("fc_2", "dup", "")),
                done(0, item("fc_1", "dup", ANN)),
                done(1, item("fc_2", "dup", BOB)),
            ],
            json!([item("fc_1", "dup", ANN), item("fc_2", "dup", BOB)]),
            &two,
        ),
        (
            "one id for two, without ids of items",
            vec![done(0, item("", "dup", ANN)), done(1, item("", "dup", BOB))],
            json!([item("", "dup", ANN), item("", "dup", BOB)]),
            &two,
        ),
        ("items only at the end", Vec::new(), json!([ann, bob]), &two),
        (
            "other ids of items at the end",
            vec![done(0, ann.clone()), done(1, bob.clone())],
            json!([item("fc_8", "c1", ANN), item("fc_9", "c2", BOB)]),
            &two,
        ),
        (
            "arguments only in pieces",
            vec![
                added(0, item("fc_1", "c1", "")),
                piece(0, "fc_1", "{\"to\":"),
                piece(0, "fc_1", "\"ann\"}"),
                done(0, item("fc_1", "c1", "")),
            ],
            none,
            &one,
        ),
    ];
    for (about, items, output, expected) in cases {
        expect(Provider::OpenAiResponses, about, &stream(items, &output), expected).await;
    }
}

#[tokio::test]
async fn thoughts_go_back_before_the_items_that_they_were_before() {
    let thought = |id: &str| json!({"type": "reasoning", "id": id, "summary": [], "encrypted_content": id});
    let frames = stream(
        vec![
            done(0, thought("rs_1")),
            done(1, item("fc_1", "c1", ANN)),
            done(2, thought("rs_2")),
            done(3, item("fc_2", "c2", BOB)),
        ],
        &json!([]),
    );
    let server = Server::start(vec![Reply::stream("text/event-stream", bytes(&frames, "\n"))]).await;
    let model = server.builder(Provider::OpenAiResponses).build().unwrap();
    let body = answered(&server, &model).await;
    let input = body["input"].as_array().unwrap();
    let order: Vec<&str> = input
        .iter()
        .filter_map(|item| item.get("encrypted_content").or_else(|| item.get("call_id"))?.as_str())
        .collect();
    assert_eq!(order, ["rs_1", "c1", "rs_2", "c2", "c1", "c2"], "{body:#}");
    assert_eq!(input[1], thought("rs_1"));
}

#[tokio::test]
async fn a_refusal_is_what_the_model_says() {
    let refusal = json!({"type": "message", "id": "msg_1", "role": "assistant",
        "content": [{"type": "refusal", "refusal": "I can't help."}]});
    let piece = |text: &str| {
        event(
            "response.refusal.delta",
            json!({"output_index": 0, "item_id": "msg_1", "delta": text}),
        )
    };
    let output = json!([refusal]);
    let whole = json!({"id": "r", "status": "completed", "output": output});
    let done = done(0, refusal.clone());
    for (about, reply) in [
        (
            "in pieces",
            stream(vec![piece("I can't"), piece(" help."), done.clone()], &output),
        ),
        ("as an item", stream(vec![done], &output)),
        ("at the end", stream(Vec::new(), &output)),
    ]
    .map(|(about, frames)| (about, Reply::stream("text/event-stream", bytes(&frames, "\n"))))
    .into_iter()
    .chain([("whole", Reply::json(&whole))])
    {
        let (events, error) = read(Provider::OpenAiResponses, reply).await;
        assert_eq!((said(&events).as_str(), error), ("I can't help.", None), "{about}");
        assert!(
            matches!(events.last(), Some(ModelEvent::Done(end)) if end.stop == StopReason::Refused),
            "{about}: {events:?}"
        );
    }
}
