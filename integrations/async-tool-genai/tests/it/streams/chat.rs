//! Chat Completions.

use super::played::*;

/// A stream of chunks, each with these elements of `tool_calls`, and its end.
fn stream(chunks: &[Value]) -> Vec<(&'static str, String)> {
    let mut frames: Vec<(&str, String)> = chunks
        .iter()
        .map(|calls| ("", chunk(&json!({"tool_calls": calls}), &Value::Null)))
        .collect();
    frames.push(("", chunk(&json!({}), &json!("tool_calls"))));
    frames.push(("", "[DONE]".to_owned()));
    frames
}

fn chunk(delta: &Value, reason: &Value) -> String {
    json!({"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}).to_string()
}

fn mail(arguments: &Value) -> Value {
    json!({"name": "send_mail", "arguments": arguments})
}

const ANN: &str = "{\"to\":\"ann\"}";
const BOB: &str = "{\"to\":\"bob\"}";

fn cases() -> Vec<(&'static str, Vec<Value>, Vec<Made<'static>>)> {
    let (ann, bob) = (json!(ANN), json!(BOB));
    let one = vec![("send_mail", to("ann"))];
    let two = vec![("send_mail", to("ann")), ("send_mail", to("bob"))];
    vec![
        (
            "no index",
            vec![json!([{"id": "c1", "function": mail(&ann)}])],
            one.clone(),
        ),
        (
            "index null",
            vec![json!([{"index": null, "id": "c1", "function": mail(&ann)}])],
            one.clone(),
        ),
        (
            "no index, in pieces",
            vec![
                json!([{"id": "c1", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"function": {"arguments": "{\"to\":"}}]),
                json!([{"function": {"arguments": "\"ann\"}"}}]),
                json!([{"id": "c2", "function": {"name": "send_mail", "arguments": "{\"to\""}}]),
                json!([{"id": "c2", "function": {"arguments": ":\"bob\"}"}}]),
            ],
            two.clone(),
        ),
        (
            "neither index nor id, in one list",
            vec![json!([{"function": mail(&ann)}, {"function": mail(&bob)}])],
            two.clone(),
        ),
        (
            "neither index nor id, one after the other",
            vec![json!([{"function": mail(&ann)}]), json!([{"function": mail(&bob)}])],
            two.clone(),
        ),
        (
            "one id for two",
            vec![
                json!([{"index": 0, "id": "dup", "function": mail(&ann)}]),
                json!([{"index": 1, "id": "dup", "function": mail(&bob)}]),
            ],
            two.clone(),
        ),
        (
            "one id for two, in one chunk and without an index",
            vec![json!([{"id": "dup", "function": mail(&ann)}, {"id": "dup", "function": mail(&bob)}])],
            two.clone(),
        ),
        (
            "one id for two that are the same, in one list",
            vec![json!([
                {"id": "dup", "function": mail(&ann)},
                {"id": "dup", "function": mail(&ann)},
                {"index": 0, "id": "dup", "function": mail(&bob)},
                {"index": 0, "id": "dup", "function": mail(&bob)},
            ])],
            vec![
                ("send_mail", to("ann")),
                ("send_mail", to("ann")),
                ("send_mail", to("bob")),
                ("send_mail", to("bob")),
            ],
        ),
        (
            "an empty id for two",
            vec![
                json!([{"index": 0, "id": "", "function": mail(&ann)}]),
                json!([{"index": 1, "id": "", "function": mail(&bob)}]),
            ],
            two.clone(),
        ),
        (
            "one id for two, in pieces that are mixed",
            vec![
                json!([{"index": 0, "id": "dup", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 1, "id": "dup", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 0, "function": {"arguments": "{\"to\":"}}, {"index": 1, "function": {"arguments": "{\"to\":"}}]),
                json!([{"index": 1, "function": {"arguments": "\"bob\"}"}}]),
                json!([{"index": 0, "function": {"arguments": "\"ann\"}"}}]),
            ],
            two.clone(),
        ),
        (
            "the name again, without an id",
            vec![
                json!([{"index": 0, "id": "c1", "function": mail(&ann)}]),
                json!([{"index": 0, "id": null, "function": {"name": "send_mail", "arguments": ""}}]),
            ],
            one.clone(),
        ),
        (
            "the whole call again",
            vec![
                json!([{"index": 0, "id": "c1", "function": mail(&ann)}]),
                json!([{"index": 0, "id": "c1", "function": mail(&ann)}]),
                json!([{"index": 0, "id": null, "function": mail(&json!(" { \"to\" : \"ann\" }"))}]),
            ],
            one.clone(),
        ),
        (
            "the name in every fragment, the id in the first",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 0, "function": {"name": "send_mail", "arguments": "{\"to\":"}}]),
                json!([{"index": 0, "function": {"name": "send_mail", "arguments": "\"ann\"}"}}]),
            ],
            one.clone(),
        ),
        (
            "the id and the name in every fragment, without an index",
            vec![
                json!([{"id": "c1", "function": {"name": "send_mail", "arguments": "{\"to\":"}}]),
                json!([{"id": "c1", "function": {"name": "send_mail", "arguments": "\"ann\"}"}}]),
            ],
            one.clone(),
        ),
        (
            "arguments as an object",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "delete_files", "arguments": {"under": "/tmp/x"}}}]),
            ],
            vec![("delete_files", json!({"under": "/tmp/x"}))],
        ),
        (
            "an object after an empty text, and one for each of two",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 0, "function": {"arguments": {"to": "ann"}}}]),
                json!([{"index": 1, "id": "c1", "function": mail(&to("bob"))}]),
            ],
            two.clone(),
        ),
        (
            "index 0 for each of three",
            vec![
                json!([{"index": 0, "id": "c1", "function": mail(&ann)}]),
                json!([{"index": 0, "id": "c2", "function": mail(&bob)}]),
                json!([{"index": 0, "id": "c3", "function": {"name": "list_files", "arguments": "{}"}}]),
            ],
            vec![
                ("send_mail", to("ann")),
                ("send_mail", to("bob")),
                ("list_files", json!({})),
            ],
        ),
        (
            "index 0 and no id for each of three",
            vec![
                json!([{"index": 0, "function": mail(&ann)}]),
                json!([{"index": 0, "function": mail(&bob)}]),
                json!([{"index": 0, "id": "", "function": {"name": "list_files", "arguments": ""}}]),
            ],
            vec![
                ("send_mail", to("ann")),
                ("send_mail", to("bob")),
                ("list_files", json!({})),
            ],
        ),
        (
            "index 0 for each of two, in pieces that are mixed",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": "{\"to\":"}}]),
                json!([{"index": 0, "id": "c2", "function": {"name": "send_mail", "arguments": "{\"to\":"}}]),
                json!([{"index": 0, "id": "c1", "function": {"arguments": "\"ann\"}"}}]),
                json!([{"index": 0, "id": "c2", "function": {"arguments": "\"bob\"}"}}]),
            ],
            two.clone(),
        ),
        (
            "an empty object before the arguments",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": "{}"}}]),
                json!([{"index": 0, "function": {"arguments": "{\"to\":"}}]),
                json!([{"index": 0, "function": {"arguments": "\"ann\"}"}}]),
                json!([{"index": 1, "id": "c2", "function": mail(&bob)}]),
            ],
            two.clone(),
        ),
        (
            "the index counts fragments",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 1, "function": {"arguments": "{\"to\":"}}]),
                json!([{"index": 2, "id": "c1", "function": {"arguments": "\"ann\"}"}}]),
            ],
            one.clone(),
        ),
        (
            "indices with a gap, and out of order",
            vec![
                json!([{"index": 7, "id": "c1", "function": mail(&ann)}]),
                json!([{"index": 3, "id": "c2", "function": mail(&bob)}]),
            ],
            two.clone(),
        ),
        (
            "the name in two pieces",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_"}}]),
                json!([{"index": 0, "function": {"name": "mail", "arguments": ANN}}]),
            ],
            one.clone(),
        ),
        (
            "another id in every chunk",
            vec![
                json!([{"index": 0, "id": "x1", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 0, "id": "x2", "function": {"arguments": "{\"to\":"}}]),
                json!([{"index": 0, "id": "x3", "function": {"name": null, "arguments": "\"ann\"}"}}]),
                json!([{"index": 1, "id": "x4", "function": {"name": "send_mail", "arguments": "{\"to\":"}}]),
                json!([{"index": 1, "id": "x5", "function": {"name": "", "arguments": "\"bob\"}"}}]),
            ],
            two.clone(),
        ),
        (
            "another id in every chunk, and no index",
            vec![
                json!([{"id": "x1", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"id": "x2", "function": {"arguments": "{\"to\":"}}]),
                json!([{"id": "x3", "function": {"arguments": "\"ann\"}"}}]),
                json!([{"id": "x4", "function": mail(&bob)}]),
            ],
            two.clone(),
        ),
        (
            "an end of the arguments that comes twice",
            vec![
                json!([{"index": 0, "id": "c1", "function": mail(&ann)}]),
                json!([{"index": 0, "function": {"arguments": "\"}"}}]),
                json!([{"index": 1, "id": "c2", "function": mail(&bob)}]),
                json!([{"index": 1, "function": {"arguments": "}"}}]),
            ],
            two.clone(),
        ),
        (
            "no arguments at all, and none that are said to be null",
            vec![
                json!([{"index": 0, "id": "c1", "type": "function", "function": {"name": "list_files"}}]),
                json!([{"index": 1, "id": "c2", "function": {"name": "list_files", "arguments": null}}]),
                json!([{"index": 2, "id": "c3", "function": {"name": "list_files", "arguments": {}}}]),
            ],
            vec![
                ("list_files", json!({})),
                ("list_files", json!({})),
                ("list_files", json!({})),
            ],
        ),
        (
            "ids and indices of other types",
            vec![
                json!([{"index": "0", "id": 7, "function": {"name": "send_mail", "arguments": "{\"to\":"}}]),
                json!([{"index": "0", "function": {"arguments": "\"ann\"}"}}]),
                json!([{"index": "1", "id": 8, "function": mail(&bob)}]),
            ],
            two.clone(),
        ),
        (
            "objects without an index, one after the other and in one list",
            vec![
                json!([{"id": "c1", "function": mail(&to("ann"))}]),
                json!([{"id": "c2", "function": mail(&to("bob"))}, {"id": "c3", "function": mail(&to("cid"))}]),
            ],
            vec![
                ("send_mail", to("ann")),
                ("send_mail", to("bob")),
                ("send_mail", to("cid")),
            ],
        ),
        (
            "a null in place of the list",
            vec![
                json!([{"index": 0, "id": "c1", "function": mail(&ann)}]),
                json!(null),
                json!([]),
                json!([null]),
            ],
            one.clone(),
        ),
        (
            "one id for three without an index, in pieces",
            vec![
                json!([{"id": "dup", "function": {"name": "send_mail", "arguments": "{\"to\":"}}]),
                json!([{"id": "dup", "function": {"arguments": "\"ann\"}"}}]),
                json!([{"id": "dup", "function": {"name": "send_mail", "arguments": "{\"to\":"}}]),
                json!([{"id": "dup", "function": {"arguments": "\"bob\"}"}}]),
                json!([{"id": "dup", "function": {"name": "list_files", "arguments": "{}"}}]),
            ],
            vec![
                ("send_mail", to("ann")),
                ("send_mail", to("bob")),
                ("list_files", json!({})),
            ],
        ),
        (
            "another call at the index of the first, and its arguments at its own",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 0, "function": {"arguments": ANN}}]),
                json!([{"index": 0, "id": "c2", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 1, "function": {"arguments": "{\"to\":"}}]),
                json!([{"index": 1, "function": {"arguments": "\"bob\"}"}}]),
            ],
            two.clone(),
        ),
        (
            "the id, the name and the arguments each in a chunk of their own",
            vec![
                json!([{"index": 1, "id": "c1"}]),
                json!([{"index": 1, "function": {"name": "send_mail"}}]),
                json!([{"index": 1, "function": {"arguments": ANN}}]),
                json!([{"index": 2, "function": {"name": "send_mail"}}]),
                json!([{"index": 2, "id": "c2"}]),
                json!([{"index": 2, "function": {"arguments": BOB}}]),
            ],
            two.clone(),
        ),
        (
            "the arguments in pieces, and all of them at the end",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": ""}}]),
                json!([{"index": 0, "function": {"arguments": "{\"to\":"}}]),
                json!([{"index": 0, "function": {"arguments": "\"ann\"}"}}]),
                json!([{"index": 0, "function": {"arguments": ANN}}]),
            ],
            one.clone(),
        ),
        (
            "a piece that is only a space",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": "{\"to\":\"a"}}]),
                json!([{"index": 0, "function": {"arguments": " "}}]),
                json!([{"index": 0, "function": {"arguments": "b\"}"}}]),
            ],
            vec![("send_mail", to("a b"))],
        ),
        (
            "one object in place of the list, and the function's fields beside the id",
            vec![json!({"index": 0, "id": "c1", "name": "send_mail", "arguments": ANN})],
            one.clone(),
        ),
        (
            "a call without arguments before one with them",
            vec![
                json!([{"index": 0, "id": "c1", "function": {"name": "list_files", "arguments": ""}}]),
                json!([{"index": 1, "id": "c2", "function": mail(&ann)}]),
            ],
            vec![("list_files", json!({})), ("send_mail", to("ann"))],
        ),
    ]
}

#[tokio::test]
async fn no_call_of_a_compatible_server_is_lost_doubled_or_emptied() {
    for (about, chunks, expected) in cases() {
        expect(Provider::OpenAi, about, &stream(&chunks), &expected).await;
    }
}

#[tokio::test]
async fn every_provider_of_the_format_reads_by_the_same_rules() {
    for provider in Provider::ALL {
        use Provider as P;
        if matches!(
            provider,
            P::OpenAiResponses | P::Anthropic | P::Gemini | P::Bedrock | P::Ollama | P::Vertex | P::MiniMax
        ) {
            continue;
        }
        let cases = cases();
        let replies = cases
            .iter()
            .map(|(_, chunks, _)| Reply::stream("text/event-stream", bytes(&stream(chunks), "\n")));
        let expected: Vec<(&str, &[Made<'_>])> = cases
            .iter()
            .map(|(about, _, expected)| (*about, expected.as_slice()))
            .collect();
        expect_all(*provider, replies.collect(), &expected).await;
    }
}

#[tokio::test]
async fn the_older_form_of_a_call_is_taken() {
    let mut frames = stream(&[]);
    frames.insert(
        0,
        (
            "",
            chunk(
                &json!({"function_call": {"name": "send_mail", "arguments": ""}}),
                &Value::Null,
            ),
        ),
    );
    frames.insert(
        1,
        ("", chunk(&json!({"function_call": {"arguments": ANN}}), &Value::Null)),
    );
    frames[2].1 = frames[2].1.replace("tool_calls", "function_call");
    expect(Provider::OpenAi, "function_call", &frames, &[("send_mail", to("ann"))]).await;
}

#[tokio::test]
async fn a_chunk_of_every_kind_of_content_loses_none_of_it() {
    let delta = json!({
        "reasoning": "hm",
        "content": "I mail.",
        "tool_calls": [{"index": 0, "id": "c1", "function": mail(&json!(ANN))}],
    });
    let frames = [("", chunk(&delta, &json!("tool_calls"))), ("", "[DONE]".to_owned())];
    for reply in replies(&frames) {
        let (events, error) = read(Provider::OpenAi, reply).await;
        assert_eq!(said(&events), "I mail.");
        assert_eq!(
            made(&events, error.as_ref(), "all"),
            [("send_mail".to_owned(), to("ann"))]
        );
    }
}

#[tokio::test]
async fn a_turn_that_says_calls_and_has_none_is_an_error() {
    for reason in ["tool_calls", "function_call"] {
        for text in ["", "I would call."] {
            let frames = [
                ("", chunk(&json!({"content": text}), &Value::Null)),
                ("", chunk(&json!({}), &json!(reason))),
                ("", "[DONE]".to_owned()),
            ];
            let reply = Reply::stream("text/event-stream", bytes(&frames, "\n"));
            let (events, error) = read(Provider::OpenAi, reply).await;
            let error = error.unwrap_or_else(|| panic!("{reason}: {events:?}"));
            assert!(
                error.retryable() && error.to_string().contains("has no call"),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_stream_may_end_with_its_reason_but_not_before_it() {
    let mut frames = stream(&[json!([{"index": 0, "id": "c1", "function": mail(&json!(ANN))}])]);
    frames.pop();
    expect(Provider::OpenAi, "no [DONE]", &frames, &[("send_mail", to("ann"))]).await;
    frames.pop();
    for done in [false, true] {
        frames.extend(done.then(|| ("", "[DONE]".to_owned())));
        let reply = Reply::stream("text/event-stream", bytes(&frames, "\n"));
        let (_, error) = read(Provider::OpenAi, reply).await;
        assert!(error.expect("the reason is missing").retryable());
    }
}

#[tokio::test]
async fn an_answer_in_one_piece_is_taken_though_a_stream_was_asked_for() {
    let message = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "dup", "function": mail(&to("ann"))},
        {"id": "dup", "index": 0, "function": mail(&json!(BOB))},
        {"index": 0, "function": mail(&json!(BOB))},
    ]});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    let (events, error) = read(Provider::OpenAi, Reply::json(&body)).await;
    let expected = ["ann", "bob", "bob"].map(|name| ("send_mail".to_owned(), to(name)));
    assert_eq!(made(&events, error.as_ref(), "whole"), expected);

    let server = Server::start(vec![Reply::json(&body)]).await;
    let model = server.builder(Provider::OpenAi).stream(false).build().unwrap();
    let (events, error) = ask(&model, with_tools(vec![user("go")])).await;
    assert_eq!(made(&events, error.as_ref(), "unstreamed"), expected);
}

#[tokio::test]
async fn two_calls_under_one_id_are_sent_back_and_answered_as_two() {
    for id in ["dup", "", "call_0", "not plain!"] {
        let frames = stream(&[
            json!([{"index": 0, "id": id, "function": mail(&json!(ANN))}]),
            json!([{"index": 1, "id": id, "function": mail(&json!(BOB))}]),
        ]);
        let server = Server::start(vec![Reply::stream("text/event-stream", bytes(&frames, "\n"))]).await;
        let model = server.builder(Provider::OpenAi).build().unwrap();
        let body = answered(&server, &model).await;
        assert_eq!(
            findings(Provider::OpenAi, &body),
            Vec::<String>::new(),
            "{id:?}: {body:#}"
        );
        let sent = body["messages"][2]["tool_calls"].as_array().unwrap();
        assert_ne!(sent[0]["id"], sent[1]["id"], "{id:?}");
        for (place, name) in ["ann", "bob"].into_iter().enumerate() {
            let answer = &body["messages"][3 + place];
            assert_eq!(answer["tool_call_id"], sent[place]["id"], "{id:?}");
            assert!(answer["content"].as_str().unwrap().contains(name), "{id:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_character_that_is_split_over_two_chunks_is_whole_and_half_a_one_is_replaced() {
    // Such escapes can't be written with `json!`.
    let content = |escape: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{escape}"}}}}]}}"#);
    let piece = |escape: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"function":{{"arguments":"{escape}"}}}}]}}}}]}}"#
        )
    };
    let mut frames = vec![
        ("", content(r"a bee \ud83d")),
        ("", content(r"\udc1d and half a one \ud83d")),
        ("", content(r"!")),
    ];
    let begin = json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "send_mail", "arguments": ""}}]});
    frames.push(("", chunk(&begin, &Value::Null)));
    // The outer escapes are halves in the first two, and the inner ones in the others.
    frames.push(("", piece(r#"{\"to\":\"\ud83d"#)));
    frames.push(("", piece(r"\udc1d \\ud83")));
    frames.push(("", piece(r"d\\udc1d \\ud83d")));
    frames.push(("", piece(r#"\"}"#)));
    frames.push(("", chunk(&json!({}), &json!("tool_calls"))));
    frames.push(("", "[DONE]".to_owned()));
    for reply in replies(&frames) {
        let (events, error) = read(Provider::OpenAi, reply).await;
        assert_eq!(said(&events), "a bee \u{1F41D} and half a one \u{FFFD}!", "{error:?}");
        let expected = [("send_mail".to_owned(), to("\u{1F41D} \u{1F41D} \u{FFFD}"))];
        assert_eq!(made(&events, error.as_ref(), "halves"), expected);
    }
}

#[tokio::test]
async fn an_error_is_told_in_every_form_that_servers_give_it() {
    for frame in [
        "data: {\"error\":{\"message\":\"on fire\",\"code\":502},\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}]}\n\n",
        "data: {\"object\":\"error\",\"message\":\"on fire\",\"code\":500}\n\n",
        "event: error\ndata: {\"message\":\"on fire\"}\n\n",
        "event: error\ndata: on fire\n\n",
        "{\"error\":{\"message\":\"on fire\"}}\n",
        "data: {\"error\":\"on fire\"}\n\n",
    ] {
        let (_, error) = read(Provider::OpenAi, Reply::stream("text/event-stream", frame)).await;
        let error = error.expect(frame);
        assert!(
            error.retryable() && error.to_string().contains("on fire"),
            "{frame}: {error}"
        );
    }
}

#[tokio::test]
async fn a_refusal_is_what_the_model_says() {
    let message = json!({"role": "assistant", "content": null, "refusal": "I can't help."});
    let whole = Reply::json(&json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}));
    let pieces = ["I can't", " help."].map(|piece| ("", chunk(&json!({"refusal": piece}), &Value::Null)));
    let end = [("", chunk(&json!({}), &json!("stop"))), ("", "[DONE]".to_owned())];
    let streamed = Reply::stream("text/event-stream", bytes(&[pieces.as_slice(), &end].concat(), "\n"));
    for reply in [whole, streamed.clone()] {
        let (events, error) = read(Provider::OpenAi, reply).await;
        assert_eq!((said(&events).as_str(), error), ("I can't help.", None));
        assert!(
            matches!(events.last(), Some(ModelEvent::Done(end)) if end.stop == StopReason::Refused),
            "{events:?}"
        );
    }
    // A model refuses in its own words, whatever form it was asked for.
    let server = Server::start(vec![streamed]).await;
    let model = server
        .builder(Provider::OpenAi)
        .tool_mode(ToolMode::Json)
        .build()
        .unwrap();
    let (events, error) = ask(&model, with_tools(vec![user("go")])).await;
    assert_eq!((said(&events).as_str(), error), ("I can't help.", None));
    assert!(matches!(events.last(), Some(ModelEvent::Done(end)) if end.stop == StopReason::Refused));
}

#[tokio::test]
async fn a_stream_without_its_end_is_no_refusal() {
    let frames = [("", chunk(&json!({"refusal": "I can't"}), &Value::Null))];
    let reply = Reply::stream("text/event-stream", bytes(&frames, "\n"));
    let (_, error) = read(Provider::OpenAi, reply).await;
    assert!(error.unwrap().retryable());
}
