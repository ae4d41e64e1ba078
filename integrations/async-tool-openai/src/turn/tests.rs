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

/// Deviations of a server in one call.
#[derive(Clone, Copy, Debug)]
struct Odd {
    /// Index: its own one, 0, a wrong one, or none.
    place: u8,
    /// `call_id`: its own one, a shared one, an empty one, or none.
    call_id: u8,
    /// `id`: its own one, a shared one, or none.
    id: u8,
    times: usize,
    is_object: bool,
    is_announced: bool,
    /// The arguments come in their own events only.
    is_bare: bool,
}

impl Odd {
    fn strategy() -> impl Strategy<Value = Self> {
        let flags = (any::<bool>(), any::<bool>(), any::<bool>());
        (0..4_u8, 0..4_u8, 0..3_u8, 1..3_usize, flags).prop_map(|(place, call_id, id, times, flags)| Self {
            place,
            call_id,
            // Without an id of its own, arguments can't be told from those of another call.
            id: if flags.2 { 0 } else { id },
            times,
            is_object: flags.0,
            is_announced: flags.1 || flags.2,
            is_bare: flags.2,
        })
    }

    fn arguments(number: usize) -> Value {
        json!({"n": number})
    }

    fn item(self, number: usize) -> Value {
        let arguments = Self::arguments(number);
        let arguments = match (self.is_bare, self.is_object) {
            (true, _) => json!(""),
            (false, true) => arguments,
            (false, false) => json!(arguments.to_string()),
        };
        let mut item = json!({"type": "function_call", "name": "search", "arguments": arguments});
        match self.call_id {
            0 => item["call_id"] = json!(format!("call_{number}")),
            1 => item["call_id"] = json!("shared"),
            2 => item["call_id"] = json!(""),
            _ => {}
        }
        match self.id {
            0 => item["id"] = json!(format!("fc_{number}")),
            1 => item["id"] = json!("fc_shared"),
            _ => {}
        }
        item
    }

    fn event(self, number: usize, kind: &str, content: (&str, Value)) -> Value {
        let mut event = json!({"type": kind, content.0: content.1});
        match self.place {
            0 => event["output_index"] = json!(number),
            1 => event["output_index"] = json!(0),
            2 => event["output_index"] = json!(7 + 3 * number),
            _ => {}
        }
        if self.id == 0 {
            event["item_id"] = json!(format!("fc_{number}"));
        }
        event
    }

    fn events(self, number: usize) -> Vec<Value> {
        let item = self.item(number);
        let mut events = Vec::new();
        if self.is_announced {
            let mut announced = item.clone();
            announced["arguments"] = json!("");
            events.push(self.event(number, "response.output_item.added", ("item", announced)));
            let text = Self::arguments(number).to_string();
            for delta in [&text[..3], &text[3..]] {
                let kind = "response.function_call_arguments.delta";
                events.push(self.event(number, kind, ("delta", json!(delta))));
            }
        }
        let done = self.event(number, "response.output_item.done", ("item", item));
        events.extend(std::iter::repeat_n(done, self.times));
        events
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_deviation_loses_doubles_or_empties_a_call(
        odd in prop::collection::vec(Odd::strategy(), 1..5),
        output in 0..4_u8,
    ) {
        let mut turn = turn();
        let mut events: Vec<Value> = odd.iter().enumerate().flat_map(|(number, odd)| odd.events(number)).collect();
        let items = odd.iter().enumerate().map(|(number, odd)| {
            let mut item = odd.item(number);
            match output {
                // Ids are made anew, and arguments are complete.
                2 => {
                    item["id"] = json!(format!("fc_final_{number}"));
                    item["arguments"] = json!(Odd::arguments(number).to_string());
                }
                3 => item["status"] = json!("completed"),
                _ => {}
            }
            item
        });
        let items: Vec<Value> = if output == 0 { Vec::new() } else { items.collect() };
        events.push(json!({"type": "response.completed", "response": {"status": "completed", "output": items}}));
        let mut calls = Vec::new();
        let mut kept = Value::Null;
        for event in &events {
            for event in turn.on_event(event).unwrap() {
                match event {
                    ModelEvent::ToolCall(call) => calls.push(call),
                    ModelEvent::Done(end) => kept = end.provider.unwrap(),
                    _ => {}
                }
            }
        }
        let mut ids: Vec<_> = calls.iter().map(|call| call.id.clone()).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), odd.len(), "{:#?} of {:#?}", calls, events);
        let mut numbers: Vec<_> = calls.iter().map(|call| call.arguments.value()["n"].as_u64()).collect();
        numbers.sort();
        let expected: Vec<_> = (0..odd.len() as u64).map(Some).collect();
        prop_assert_eq!(numbers, expected, "{:#?} of {:#?}", calls, events);
        prop_assert_eq!(kept["output"].as_array().unwrap().len(), odd.len());
    }

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

#[test]
fn reasoning_is_told_once_as_it_comes_or_with_its_item() {
    let piece =
        |id: &str, text: &str| json!({"type": "response.reasoning_summary_text.delta", "item_id": id, "delta": text});
    let next = json!({"type": "response.reasoning_summary_part.added"});
    let open = json!({"type": "response.reasoning_text.delta", "item_id": "rs_1", "delta": "open"});
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [{"text": "one"}, {"text": "two"}]});
    let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item});
    let end = json!({"type": "response.completed", "response": {"status": "completed", "output": [item]}});
    for (events, expected) in [
        (
            vec![
                piece("rs_1", "on"),
                piece("rs_1", "e"),
                next,
                piece("rs_1", "two"),
                done.clone(),
            ],
            "one\n\ntwo",
        ),
        (vec![done], "one\n\ntwo"),
        (vec![], "one\n\ntwo"),
        (vec![open], "open"),
        (vec![piece("rs_0", "other")], "other\n\none\n\ntwo"),
        (vec![piece("rs_1", "")], "one\n\ntwo"),
    ] {
        let mut turn = turn();
        let mut told = String::new();
        for event in events.iter().chain([&end]) {
            for event in turn.on_event(event).unwrap() {
                match event {
                    ModelEvent::Reasoning(text) => told += &text,
                    ModelEvent::Done(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(told, expected, "{events:?}");
    }
}
