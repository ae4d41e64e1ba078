//! Gemini, Bedrock and Ollama.

use super::played::*;

fn gemini(parts: &Value, reason: &Value) -> String {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason}]}).to_string()
}

#[tokio::test]
async fn gemini_s_calls_are_taken_with_or_without_ids() {
    let two = [("send_mail", to("ann")), ("send_mail", to("bob"))];
    let call = |id: &str, args: Value| {
        let mut call = json!({"name": "send_mail", "args": args});
        if id != "-" {
            call["id"] = json!(id);
        }
        json!({"functionCall": call})
    };
    for (about, first, second) in [
        ("no ids", call("-", to("ann")), call("-", to("bob"))),
        ("one id for two", call("dup", to("ann")), call("dup", to("bob"))),
        ("an empty id", call("", to("ann")), call("", to("bob"))),
        (
            "arguments as text",
            call("a", json!("{\"to\":\"ann\"}")),
            call("b", json!("{\"to\":\"bob\"}")),
        ),
    ] {
        let together = [("", gemini(&json!([first, second]), &json!("STOP")))];
        expect(Provider::Gemini, about, &together, &two).await;
        // The reason in every frame, as older versions send it.
        let apart = [
            ("", gemini(&json!([first]), &json!("STOP"))),
            ("", gemini(&json!([second]), &json!("STOP"))),
            ("", json!({"usageMetadata": {"promptTokenCount": 3}}).to_string()),
        ];
        expect(Provider::Gemini, about, &apart, &two).await;
    }
}

#[tokio::test]
async fn gemini_s_signatures_go_back_with_their_parts() {
    let parts = json!([
        {"text": "I mail.", "thoughtSignature": "one"},
        {"functionCall": {"name": "send_mail", "args": {"to": "ann"}}, "thoughtSignature": "two"},
        {"functionCall": {"name": "send_mail", "args": {"to": "bob"}}},
    ]);
    for streamed in [true, false] {
        let text = gemini(&parts, &json!("STOP"));
        let reply = if streamed {
            Reply::stream("text/event-stream", bytes(&[("", text)], "\n"))
        } else {
            Reply::json(&serde_json::from_str(&text).unwrap())
        };
        let server = Server::start(vec![reply]).await;
        let model = server.builder(Provider::Gemini).stream(streamed).build().unwrap();
        let body = answered(&server, &model).await;
        assert_eq!(body["contents"][1]["parts"], parts, "{streamed}");
        let answers = body["contents"][2]["parts"].as_array().unwrap();
        assert_eq!(answers.len(), 2);
        assert!(
            answers
                .iter()
                .all(|answer| answer["functionResponse"].get("id").is_none())
        );
    }
}

fn bedrock(frames: &[(&str, Value)], one_by_one: bool) -> Reply {
    let bytes: Vec<u8> = frames
        .iter()
        .flat_map(|(name, data)| crate::wire::event_stream(name, &data.to_string()))
        .collect();
    Reply {
        one_by_one,
        ..Reply::stream("application/vnd.amazon.eventstream", bytes)
    }
}

#[tokio::test]
async fn bedrock_s_blocks_are_told_apart_by_their_index() {
    let start = |index: u64, id: &str| {
        let call = json!({"toolUseId": id, "name": "send_mail"});
        (
            "contentBlockStart",
            json!({"contentBlockIndex": index, "start": {"toolUse": call}}),
        )
    };
    let piece = |index: u64, text: &str| {
        let delta = json!({"toolUse": {"input": text}});
        ("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta}))
    };
    let stop = |index: u64| ("contentBlockStop", json!({"contentBlockIndex": index}));
    let frames = [
        start(0, "dup"),
        start(1, "dup"),
        piece(0, "{\"to\":"),
        piece(1, "{\"to\":\"bob\"}"),
        piece(0, "\"ann\"}"),
        stop(1),
        stop(0),
        ("messageStop", json!({"stopReason": "tool_use"})),
        ("metadata", json!({"usage": {"inputTokens": 1, "outputTokens": 2}})),
    ];
    for end in [frames.len(), frames.len() - 1] {
        for one_by_one in [true, false] {
            let (events, error) = read(Provider::Bedrock, bedrock(&frames[..end], one_by_one)).await;
            let expected = [("send_mail".to_owned(), to("ann")), ("send_mail".to_owned(), to("bob"))];
            assert_eq!(made(&events, error.as_ref(), "bedrock"), expected);
        }
    }
    let empty = [("messageStop", json!({"stopReason": "tool_use"}))];
    let (_, error) = read(Provider::Bedrock, bedrock(&empty, false)).await;
    assert!(error.unwrap().retryable(), "it has no call");
    let mut damaged = bedrock(&frames, false);
    damaged.body[40] ^= 1;
    let (_, error) = read(Provider::Bedrock, damaged).await;
    assert!(error.unwrap().to_string().contains("damaged"));
}

#[tokio::test]
async fn ollama_s_lines_are_taken_with_arguments_of_either_kind() {
    let line = |message: Value| format!("{}\n", json!({"message": message, "done": false}));
    let call = |arguments: Value| json!({"function": {"name": "send_mail", "arguments": arguments}});
    let end = json!({"message": {"content": ""}, "done": true, "done_reason": "stop"}).to_string();
    let text = [
        line(json!({"content": "I mail.", "tool_calls": [call(to("ann"))]})),
        line(json!({"content": "", "tool_calls": [call(json!("{\"to\":\"bob\"}"))]})),
        end,
    ]
    .concat();
    for one_by_one in [true, false] {
        for mark in ["", "\u{FEFF}"] {
            let reply = Reply {
                one_by_one,
                ..Reply::stream("application/x-ndjson", format!("{mark}{text}"))
            };
            let (events, error) = read(Provider::Ollama, reply).await;
            let expected = [("send_mail".to_owned(), to("ann")), ("send_mail".to_owned(), to("bob"))];
            assert_eq!(made(&events, error.as_ref(), "ollama"), expected);
        }
    }
}
