//! Texts of streams: told once, and with whole characters, however servers and the network cut them.

use serde_json::{Value, json};

use crate::{
    server::{Reply, Server, completed, event, events, said},
    streams::{added, done, played},
    wire::{ask, builder, calls, end, text},
};

#[tokio::test]
async fn a_text_is_told_once_wherever_its_message_stands() {
    let delta = |fields: Value| {
        let mut piece = json!({"type": "response.output_text.delta"});
        for (name, value) in fields.as_object().unwrap() {
            piece[name] = value.clone();
        }
        event(&piece)
    };
    let message = |id: &str, text: &str| {
        let mut message = said(text);
        message["id"] = json!(id);
        message
    };
    let (hello, bye) = (message("m1", "Hello."), message("m2", "Bye."));
    let both = [hello.clone(), bye.clone()];
    let cases = [
        (
            "two messages at one index",
            delta(json!({"output_index": 0, "item_id": "m1", "delta": "Hello."}))
                + &done(0, &hello)
                + &delta(json!({"output_index": 0, "item_id": "m2", "delta": "Bye."}))
                + &done(0, &bye),
            both.to_vec(),
        ),
        (
            "messages without pieces at one index",
            done(0, &hello) + &done(0, &bye),
            both.to_vec(),
        ),
        (
            "messages that are done twice",
            done(0, &hello) + &done(0, &hello) + &done(1, &bye) + &done(1, &bye),
            vec![],
        ),
        (
            "an index that is not the last one",
            delta(json!({"output_index": 7, "item_id": "m1", "delta": "Hello."}))
                + &done(7, &hello)
                + &delta(json!({"output_index": 8, "item_id": "m2", "delta": "Bye."}))
                + &done(8, &bye),
            both.to_vec(),
        ),
        (
            "pieces without their done messages",
            delta(json!({"output_index": 0, "delta": "Hell"}))
                + &delta(json!({"output_index": 0, "delta": "o."}))
                + &delta(json!({"output_index": 1, "delta": "Bye."})),
            both.to_vec(),
        ),
        (
            "one id of two messages",
            delta(json!({"output_index": 0, "item_id": "m1", "delta": "Hello."}))
                + &done(0, &hello)
                + &delta(json!({"output_index": 1, "item_id": "m1", "delta": "Bye."}))
                + &done(1, &message("m1", "Bye.")),
            vec![],
        ),
        (
            "a piece that got lost",
            delta(json!({"output_index": 0, "item_id": "m1", "delta": "Hell"})) + &done(0, &hello) + &done(1, &bye),
            vec![],
        ),
    ];
    for (name, stream, output) in cases {
        let server = Server::start([Reply::raw(stream + &completed(&output))]).await;
        let (events, error) = ask(&builder(&server).build().unwrap()).await;
        assert_eq!(error, None, "{name}");
        assert_eq!(text(&events), "Hello.\n\nBye.", "{name}");
        let kept = &end(&events).provider.as_ref().unwrap()["output"];
        let kept: Vec<_> = kept
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item["content"][0]["text"])
            .collect();
        assert_eq!(kept, ["Hello.", "Bye."], "{name}");
    }
}

#[tokio::test]
async fn characters_that_are_cut_in_two_are_put_together() {
    let delta = |place: u32, text: &str| {
        format!(
            "data: {{\"type\": \"response.output_text.delta\", \"output_index\": {place}, \"delta\": \"{text}\"}}\n\n"
        )
    };
    let end = "data: {\"type\": \"response.completed\", \"response\": {\"status\": \"completed\"}}\n\n";
    for (pieces, expected) in [
        (vec![(0, r"so \ud83d"), (0, r"\ude00!")], "so 😀!"),
        (
            vec![(0, r"\uD83D"), (0, ""), (0, r"\uDE00\ud83d"), (0, r"\ude00")],
            "😀😀",
        ),
        (vec![(0, r"so \ud83d"), (0, "x")], "so \u{fffd}x"),
        (vec![(0, r"so \ud83d")], "so \u{fffd}"),
        (vec![(0, r"\ude00 so")], "\u{fffd} so"),
        (vec![(0, r"\ud83d\ude00 \\ud83d")], "😀 \\ud83d"),
    ] {
        let stream: String = pieces.into_iter().map(|(place, text)| delta(place, text)).collect();
        let server = Server::start([Reply::raw(stream + end)]).await;
        let (events, error) = ask(&builder(&server).build().unwrap()).await;
        assert_eq!(error, None, "{expected}");
        assert_eq!(text(&events), expected);
    }

    // In arguments: cut in two by events, and alone.
    let piece = |text: &str| {
        format!(
            "data: {{\"type\": \"response.function_call_arguments.delta\", \"output_index\": 0, \"delta\": \"{text}\"}}\n\n"
        )
    };
    let call = |arguments: &str| {
        format!(
            "data: {{\"type\": \"response.output_item.done\", \"output_index\": 0, \"item\": {{\"type\": \"function_call\", \
             \"call_id\": \"c1\", \"name\": \"send_mail\", \"arguments\": \"{arguments}\"}}}}\n\n"
        )
    };
    for (stream, expected) in [
        (piece(r#"{\"to\": \"\ud83d"#) + &piece(r#"\ude00\"}"#) + &call(""), "😀"),
        (call(r#"{\"to\": \"\ud83d\ude00\"}"#), "😀"),
        (call(r#"{\"to\": \"\\ud83d\\ude00\"}"#), "😀"),
        (call(r#"{\"to\": \"\\ud83d\"}"#), "\u{fffd}"),
        (call(r#"{\"to\": \"\ud83d\"}"#), "\u{fffd}"),
    ] {
        let added = added(
            0,
            &json!({"type": "function_call", "call_id": "c1", "name": "send_mail"}),
        );
        let (recipients, _) = played(Reply::raw(added + &stream + end), false, true).await;
        assert_eq!(recipients, [expected], "{stream}");
    }
}

#[tokio::test]
async fn a_stream_cut_anywhere_by_the_network_is_the_same() {
    let call = json!({"type": "function_call", "call_id": "c1", "name": "gate", "arguments": r#"{"name": "東京"}"#});
    let items = [said("Grüße, 東京 😀"), call];
    let stream = format!("\u{feff}{}", events(&items) + &completed(&items));
    for end_of_line in ["\n", "\r\n"] {
        let bytes = stream.replace('\n', end_of_line).into_bytes();
        for size in [1, 2, 3, 5, 7, 64] {
            let server = Server::start([Reply::pieces(&bytes, size)]).await;
            let (events, error) = ask(&builder(&server).build().unwrap()).await;
            assert_eq!(error, None);
            assert_eq!(text(&events), "Grüße, 東京 😀");
            assert_eq!(calls(&events).len(), 1);
        }
    }
}
