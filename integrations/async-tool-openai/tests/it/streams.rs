//! Streams of servers that copy the API with deviations: no call is lost, doubled or emptied.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{AsyncAgent, AsyncToolManager, async_tool, model::StopReason, tool::State, tools};
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server, completed, event, reasoning, response, said},
    wire::{ask, builder, calls, end},
};

/// Recipients of the mails that were sent.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<String>>>);

/// Sends a mail.
#[async_tool(dedupe = "allow")] // Two equal calls are two mails.
async fn send_mail(
    /// The recipient.
    #[arg(default = "all")]
    to: String,
    #[inject] sent: State<Sent>,
) -> String {
    sent.0.lock().unwrap().push(to.clone());
    format!("sent to {to}")
}

/// A call without ids, with these fields.
fn mail(to: &str, fields: Value) -> Value {
    let mut item = json!({"type": "function_call", "name": "send_mail", "arguments": json!({"to": to}).to_string()});
    for (name, value) in fields.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

pub(crate) fn done(place: impl Into<Value>, item: &Value) -> String {
    let place = place.into();
    match place.is_null() {
        true => event(&json!({"type": "response.output_item.done", "item": item})),
        false => event(&json!({"type": "response.output_item.done", "output_index": place, "item": item})),
    }
}

pub(crate) fn added(place: u64, item: &Value) -> String {
    event(&json!({"type": "response.output_item.added", "output_index": place, "item": item}))
}

/// Plays a turn and a text; returns the recipients and the input of the second request.
pub(crate) async fn played(reply: Reply, is_native: bool, is_streamed: bool) -> (Vec<String>, Vec<Value>) {
    let server = Server::start([reply, Reply::turn(is_streamed, &[said("Done.")])]).await;
    let sent = Sent::default();
    let manager = AsyncToolManager::builder().tools(tools![send_mail]).state(sent.clone());
    let model = builder(&server)
        .native_async(is_native)
        .stream(is_streamed)
        .build()
        .unwrap();
    let agent = AsyncAgent::builder(model, manager.build().unwrap())
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let mut recipients = sent.0.lock().unwrap().clone();
    recipients.sort();
    let body = server.bodies().pop().unwrap();
    (recipients, body["input"].as_array().unwrap().clone())
}

/// The ids of calls, and of outputs with their recipients, in a form that a strict server takes.
fn told(input: &[Value]) -> (Vec<String>, Vec<(String, String)>) {
    let field = |item: &Value, name: &str| item[name].as_str().unwrap_or_else(|| panic!("{item}")).to_owned();
    let of = |kind: &'static str| input.iter().filter(move |item| item["type"] == kind);
    let calls = of("function_call").map(|item| {
        assert_eq!(item["name"], "send_mail", "{item}");
        assert!(
            serde_json::from_str::<Value>(&field(item, "arguments"))
                .unwrap()
                .is_object(),
            "{item}"
        );
        assert!(
            item.get("id").is_none_or(|id| !id.as_str().unwrap().is_empty()),
            "{item}"
        );
        field(item, "call_id")
    });
    let outputs = of("function_call_output").map(|item| {
        let output: String = serde_json::from_str(&field(item, "output")).unwrap();
        (
            field(item, "call_id"),
            output.strip_prefix("sent to ").unwrap().to_owned(),
        )
    });
    (calls.collect(), outputs.collect())
}

#[tokio::test]
async fn every_call_of_a_stream_runs_once_and_is_answered() {
    let one = |fields| mail("ann", fields);
    let two = |fields| mail("bob", fields);
    let full = |id: &str| json!({"id": format!("fc_{id}"), "call_id": id, "status": "completed"});
    let (ann, bob) = (one(full("c1")), two(full("c2")));
    let pair = || vec![("c1", "ann"), ("c2", "bob")];
    let arguments = |kind: &str, fields: Value| {
        let mut piece = json!({"type": format!("response.function_call_arguments.{kind}")});
        for (name, value) in fields.as_object().unwrap() {
            piece[name] = value.clone();
        }
        event(&piece)
    };
    let cases: Vec<(&str, String, Vec<Value>, Vec<(&str, &str)>)> = vec![
        ("two items at one index", done(0, &ann) + &done(0, &bob), vec![], pair()),
        (
            "two items at one index, and others in between",
            done(0, &reasoning("rs_1")) + &done(0, &said("On it.")) + &done(0, &ann) + &done(0, &bob),
            vec![],
            pair(),
        ),
        (
            "no index",
            done(Value::Null, &ann) + &done(Value::Null, &bob),
            vec![],
            pair(),
        ),
        (
            "items that are done twice",
            done(0, &ann) + &done(0, &ann) + &done(1, &bob) + &done(0, &ann),
            vec![ann.clone(), bob.clone()],
            pair(),
        ),
        (
            "an item that is done twice, at another index",
            done(0, &ann) + &done(3, &ann) + &done(1, &bob),
            vec![],
            pair(),
        ),
        (
            "an item without ids that is done twice",
            done(0, &one(json!({"call_id": "c1"}))) + &done(0, &one(json!({"call_id": "c1"}))),
            vec![],
            vec![("c1", "ann")],
        ),
        (
            "an index that is not the last one",
            done(4, &ann) + &done(9, &bob),
            vec![ann.clone(), bob.clone()],
            pair(),
        ),
        (
            "an order that is not the last one",
            done(1, &ann) + &done(0, &bob),
            vec![ann.clone(), bob.clone()],
            pair(),
        ),
        (
            "a final output with other items' ids",
            done(0, &ann) + &done(1, &bob),
            vec![
                one(json!({"id": "fc_x", "call_id": "c1"})),
                two(json!({"id": "fc_y", "call_id": "c2"})),
            ],
            pair(),
        ),
        (
            "a final output with other ids of calls",
            done(0, &ann) + &done(1, &bob),
            vec![
                one(json!({"id": "fc_x", "call_id": "x1"})),
                two(json!({"id": "fc_y", "call_id": "x2"})),
            ],
            pair(),
        ),
        (
            "a final output with a call that no event told",
            done(0, &ann),
            vec![ann.clone(), bob.clone()],
            pair(),
        ),
        (
            "a final output only",
            String::new(),
            vec![ann.clone(), bob.clone()],
            pair(),
        ),
        (
            "one call id twice",
            done(0, &one(json!({"id": "fc_1", "call_id": "c1"})))
                + &done(1, &two(json!({"id": "fc_2", "call_id": "c1"}))),
            vec![],
            vec![("c1", "ann"), ("c1", "bob")],
        ),
        (
            "all ids twice",
            done(0, &ann) + &done(1, &two(full("c1"))),
            vec![ann.clone(), two(full("c1"))],
            vec![("c1", "ann"), ("c1", "bob")],
        ),
        (
            "one call id at one index",
            done(0, &one(json!({"call_id": "c1"}))) + &done(0, &two(json!({"call_id": "c1"}))),
            vec![],
            vec![("c1", "ann"), ("c1", "bob")],
        ),
        (
            "the same call twice, with one call id",
            done(0, &one(json!({"id": "fc_1", "call_id": "c1"})))
                + &done(1, &one(json!({"id": "fc_2", "call_id": "c1"}))),
            vec![],
            vec![("c1", "ann"), ("c1", "ann")],
        ),
        (
            "empty ids",
            done(0, &one(json!({"id": "", "call_id": ""}))) + &done(1, &two(json!({"id": null, "call_id": ""}))),
            vec![],
            vec![("", "ann"), ("", "bob")],
        ),
        (
            "no ids at all",
            done(0, &one(json!({}))) + &done(1, &two(json!({}))),
            vec![one(json!({})), two(json!({}))],
            vec![("", "ann"), ("", "bob")],
        ),
        (
            "arguments as an object",
            done(0, &one(json!({"call_id": "c1", "arguments": {"to": "ann"}}))) + &done(1, &bob),
            vec![ann.clone(), bob.clone()],
            pair(),
        ),
        (
            "arguments in their own events only",
            added(0, &one(json!({"id": "fc_1", "call_id": "c1", "arguments": ""})))
                + &arguments(
                    "delta",
                    json!({"item_id": "fc_1", "output_index": 0, "delta": "{\"to\":"}),
                )
                + &arguments(
                    "delta",
                    json!({"item_id": "fc_1", "output_index": 0, "delta": "\"ann\"}"}),
                )
                + &done(0, &one(json!({"id": "fc_1", "call_id": "c1", "arguments": ""}))),
            vec![],
            vec![("c1", "ann")],
        ),
        (
            "arguments at the beginning only",
            added(0, &one(json!({"id": "fc_1", "call_id": "c1"})))
                + &done(0, &one(json!({"id": "fc_1", "call_id": "c1", "arguments": ""})))
                + &added(
                    1,
                    &two(json!({"id": "fc_2", "call_id": "c2", "arguments": {"to": "bob"}})),
                )
                + &done(1, &two(json!({"id": "fc_2", "call_id": "c2", "arguments": null}))),
            vec![],
            pair(),
        ),
        (
            "arguments at the beginning, and once more as an object in their own event",
            added(0, &one(json!({"id": "fc_1", "call_id": "c1"})))
                + &arguments(
                    "delta",
                    json!({"item_id": "fc_1", "output_index": 0, "delta": {"to": "ann"}}),
                )
                + &done(0, &one(json!({"id": "fc_1", "call_id": "c1", "arguments": ""}))),
            vec![],
            vec![("c1", "ann")],
        ),
        (
            "arguments of two calls at one index, in their own events only",
            added(0, &one(json!({"id": "fc_1", "call_id": "c1", "arguments": ""})))
                + &added(0, &two(json!({"id": "fc_2", "call_id": "c2", "arguments": ""})))
                + &arguments(
                    "delta",
                    json!({"item_id": "fc_1", "output_index": 0, "delta": "{\"to\":"}),
                )
                + &arguments(
                    "delta",
                    json!({"item_id": "fc_2", "output_index": 0, "delta": "{\"to\":\"bob\"}"}),
                )
                + &arguments(
                    "delta",
                    json!({"item_id": "fc_1", "output_index": 0, "delta": "\"ann\"}"}),
                )
                + &done(0, &one(json!({"id": "fc_1", "call_id": "c1", "arguments": ""})))
                + &done(0, &two(json!({"id": "fc_2", "call_id": "c2"}))),
            vec![],
            pair(),
        ),
        (
            "arguments in the final output only",
            done(0, &one(json!({"call_id": "c1", "arguments": ""}))),
            vec![ann.clone()],
            vec![("c1", "ann")],
        ),
        (
            "an announced call that is not done",
            added(0, &one(json!({"id": "fc_1", "call_id": "c1", "arguments": ""})))
                + &arguments(
                    "done",
                    json!({"item_id": "fc_1", "output_index": 0, "arguments": "{\"to\":\"ann\"}"}),
                ),
            vec![],
            vec![("c1", "ann")],
        ),
        (
            "a done call whose status was never set",
            done(0, &one(json!({"call_id": "c1", "status": "in_progress"}))) + &done(1, &bob),
            vec![],
            pair(),
        ),
        (
            "a call that is done once more, when it is complete",
            done(
                0,
                &one(json!({"id": "fc_1", "call_id": "c1", "status": "in_progress", "arguments": ""})),
            ) + &done(0, &one(json!({"id": "fc_1", "call_id": "c1", "status": "completed"}))),
            vec![],
            vec![("c1", "ann")],
        ),
        (
            "a byte order mark",
            format!("\u{feff}{}", done(0, &ann)),
            vec![ann.clone()],
            vec![("c1", "ann")],
        ),
    ];
    for (name, stream, output, expected) in cases {
        for is_native in [true, false] {
            let reply = Reply::raw(stream.clone() + &completed(&output));
            let (recipients, input) = played(reply, is_native, true).await;
            let mut wanted: Vec<_> = expected.iter().map(|(_, to)| (*to).to_owned()).collect();
            wanted.sort();
            assert_eq!(recipients, wanted, "{name}");
            let (mut made, mut outputs) = told(&input);
            if expected.iter().all(|(id, _)| !id.is_empty()) {
                let given = expected.iter().map(|(id, to)| ((*id).to_owned(), (*to).to_owned()));
                let mut given: Vec<_> = given.collect();
                let ids: Vec<_> = given.iter().map(|(id, _)| id.clone()).collect();
                assert_eq!(made, ids, "{name}: {input:#?}");
                given.sort();
                outputs.sort();
                assert_eq!(outputs, given, "{name}: {input:#?}");
            } else {
                let mut answered: Vec<_> = outputs.into_iter().map(|(id, _)| id).collect();
                made.sort();
                answered.sort();
                assert_eq!(made, answered, "{name}: {input:#?}");
                made.dedup();
                assert_eq!(made.len(), expected.len(), "{name}: ids of our own differ");
                assert!(made.iter().all(|id| !id.is_empty()), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn an_unstreamed_answer_keeps_all_its_calls_too() {
    let same = [
        mail("ann", json!({"call_id": "c1"})),
        mail("bob", json!({"call_id": "c1"})),
    ];
    let object = [mail("ann", json!({"call_id": "c1", "arguments": {"to": "ann"}}))];
    for (items, expected) in [(&same[..], &["ann", "bob"][..]), (&object[..], &["ann"])] {
        let marked = format!("\u{feff}{}", response("completed", items));
        for (reply, is_streamed) in [
            (Reply::plain(items), false),
            (Reply::new("200 OK", marked), false),
            // A server that ignores the request for a stream.
            (Reply::plain(items), true),
        ] {
            let (recipients, input) = played(reply, false, is_streamed).await;
            assert_eq!(recipients, expected);
            let (made, outputs) = told(&input);
            assert_eq!((made.len(), outputs.len()), (expected.len(), expected.len()));
        }
    }
}

#[tokio::test]
async fn a_turn_that_lost_its_call_is_an_error_and_runs_nothing() {
    let call = mail("ann", json!({"id": "fc_1", "call_id": "c1"}));
    let mut cut = call.clone();
    cut["status"] = json!("incomplete");
    let mut half = call.clone();
    (half["status"], half["arguments"]) = (json!("in_progress"), json!("{\"to\": \"an"));
    let finish = |fields: Value| {
        let mut whole = response("completed", &[]);
        for (name, value) in fields.as_object().unwrap() {
            whole[name] = value.clone();
        }
        event(&json!({"type": "response.completed", "response": whole}))
    };
    for (name, stream) in [
        ("announced, and never done", added(0, &call) + &completed(&[])),
        ("cut off", done(0, &cut) + &completed(&[])),
        ("cut off, in the final output", completed(std::slice::from_ref(&cut))),
        ("half of its arguments", done(0, &half) + &completed(&[half.clone()])),
        (
            "a reason without a call",
            finish(json!({"finish_reason": "tool_calls"})),
        ),
        ("another API's reason", finish(json!({"stop_reason": "tool_use"}))),
        (
            "a status that is not the event's",
            done(0, &cut) + &finish(json!({"status": "failed"})),
        ),
    ] {
        let server = Server::start([Reply::raw(stream)]).await;
        let (events, error) = ask(&builder(&server).build().unwrap()).await;
        let error = error.unwrap_or_else(|| panic!("{name}: {events:?}"));
        assert!(error.retryable(), "{name}: {error}");
        assert_eq!(calls(&events), [], "{name}");
    }
    // The event says that the turn is complete, and the response that it isn't.
    let server = Server::start([Reply::raw(done(0, &cut) + &finish(json!({"status": "incomplete"})))]).await;
    let (events, error) = ask(&builder(&server).build().unwrap()).await;
    assert_eq!((error, end(&events).stop), (None, StopReason::MaxTokens));
}

#[tokio::test]
async fn a_turn_may_end_with_an_event_of_another_name() {
    let call = mail("ann", json!({"id": "fc_1", "call_id": "c1"}));
    let whole = json!({"type": "response.done", "response": response("completed", &[])});
    let (recipients, _) = played(Reply::raw(done(0, &call) + &event(&whole)), false, true).await;
    assert_eq!(recipients, ["ann"]);
}

#[tokio::test]
async fn an_error_of_any_form_ends_the_turn_with_its_words() {
    let error = json!({"error": {"message": "the moon is in the wrong quarter"}});
    for stream in [
        format!("event: error\ndata: {error}\n\n"),
        format!("data: {error}\n\n"),
        event(&json!({"type": "error", "message": "the moon is in the wrong quarter"})),
    ] {
        let server = Server::start([Reply::raw(stream)]).await;
        let (_, error) = ask(&builder(&server).build().unwrap()).await;
        let error = error.expect("the turn fails").to_string();
        assert!(error.contains("the moon is in the wrong quarter"), "{error}");
    }
}
