//! Events in every order, and events that no provider sends.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn turn() -> Turn {
    let tool = ToolDefinition::new("search", "Searches.", json!({"type": "object", "properties": {}}));
    Turn::new(
        [tool].into(),
        true,
        true,
        "own".to_owned(),
        Failures::new("sk-canary".into()),
    )
}

/// Any value that an event may hold, and more.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "function_call",
            "message",
            "reasoning",
            "completed",
            "incomplete",
            "call_1",
            "search",
            "{}"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let name = prop::sample::select(vec![
            "type",
            "item",
            "response",
            "output",
            "output_index",
            "item_id",
            "id",
            "delta",
            "error",
            "message",
            "code",
            "status",
            "call_id",
            "name",
            "arguments",
            "content",
            "text",
            "refusal",
            "usage",
            "input_tokens",
            "incomplete_details",
            "reason",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name, inner), 0..6).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_event_makes_it_panic_and_only_the_end_ends_it(
        events in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "response.output_text.delta", "response.output_item.done", "response.failed", "error",
                    "response.completed", "response.incomplete", "response.created", "response.output_item.added",
                    "response.function_call_arguments.delta", "response.function_call_arguments.done",
                ]),
                value(),
            ),
            0..12,
        ),
    ) {
        let mut turn = turn();
        for (kind, mut event) in events {
            if let Some(fields) = event.as_object_mut() {
                fields.insert("type".to_owned(), json!(kind));
            } else {
                event = json!({"type": kind, "item": event, "response": event, "delta": event});
            }
            let Ok(given) = turn.on_event(&event) else { break };
            let ended = given.iter().any(|event| matches!(event, ModelEvent::Done(_)));
            prop_assert_eq!(ended, matches!(kind, "response.completed" | "response.incomplete"));
        }
    }

    #[test]
    fn no_answer_in_one_piece_makes_it_panic(mut response in value(), status in "completed|incomplete|failed|queued|") {
        if let Some(fields) = response.as_object_mut() {
            fields.insert("status".to_owned(), json!(status));
        }
        if let Ok(events) = turn().on_response(&response) {
            prop_assert!(matches!(events.last(), Some(ModelEvent::Done(_))));
        }
    }
}

#[test]
fn items_that_come_in_another_order_are_kept_in_theirs() {
    let mut turn = turn();
    let item = |call: &str| json!({"type": "function_call", "call_id": call, "name": "search", "arguments": "{}"});
    for (place, call) in [(2, "c"), (0, "a"), (1, "b")] {
        let done = json!({"type": "response.output_item.done", "output_index": place, "item": item(call)});
        turn.on_event(&done).unwrap();
    }
    let end = turn
        .on_event(&json!({"type": "response.completed", "response": {"status": "completed"}}))
        .unwrap();
    let [ModelEvent::Done(end)] = end.as_slice() else {
        panic!("{end:?}")
    };
    assert_eq!(
        end.provider.as_ref().unwrap()["output"],
        json!([item("a"), item("b"), item("c")])
    );
}
