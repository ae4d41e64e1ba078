//! One turn: the request, and the events made of the answer.

use std::{sync::Arc, time::Duration};

use async_tool_openai::{OpenAiModel, OpenAiModelBuilder};
use async_tool_runtime::{
    Message, Model as _, SessionId, ToolDefinition,
    model::{ModelError, ModelEvent, ModelRequest, StopReason, TurnEnd, Usage},
    schema::Dialect,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::server::{Reply, Server, completed, event, events, gate, reasoning, response, said};

pub(crate) const KEY: &str = "sk-canary-0123456789";

pub(crate) fn builder(server: &Server) -> OpenAiModelBuilder {
    OpenAiModel::builder("gpt-6-astra").base_url(&server.url).api_key(KEY)
}

pub(crate) fn request() -> ModelRequest {
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}, "depth": {"type": "integer"}},
        "required": ["name"],
    });
    let tools = [
        ToolDefinition::new("gate", "Waits.", schema),
        ToolDefinition::new("task", "Looks.", json!({"type": "object", "properties": {}})),
    ];
    let messages = vec![Arc::new(Message::user("go".to_owned()))];
    ModelRequest::new(SessionId::new("s"), messages, tools.into()).with_system(Some("Be brief.".into()))
}

pub(crate) async fn ask(model: &OpenAiModel) -> (Vec<ModelEvent>, Option<ModelError>) {
    let mut stream = model.generate(request());
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing follows an error");
                return (events, Some(error));
            }
        }
    }
    (events, None)
}

pub(crate) fn text(events: &[ModelEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        ModelEvent::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

pub(crate) fn calls(events: &[ModelEvent]) -> Vec<(String, String, Value)> {
    let calls = events.iter().filter_map(|event| match event {
        ModelEvent::ToolCall(call) => Some((
            call.id.to_string(),
            call.name.to_string(),
            call.arguments.value().clone(),
        )),
        _ => None,
    });
    calls.collect()
}

pub(crate) fn end(events: &[ModelEvent]) -> &TurnEnd {
    match events.last() {
        Some(ModelEvent::Done(end)) => end,
        other => panic!("the end comes last, not {other:?}"),
    }
}

#[tokio::test]
async fn a_turn_is_the_same_streamed_and_in_one_piece() {
    let items = [
        reasoning("rs_1"),
        said("One moment, please."),
        gate("call_1", "a"),
        gate("call_2", "b"),
    ];
    for is_streamed in [true, false] {
        let server = Server::start([Reply::turn(is_streamed, &items)]).await;
        let model = builder(&server).stream(is_streamed).build().unwrap();
        let (events, error) = ask(&model).await;
        assert_eq!(error, None);
        assert_eq!(text(&events), "One moment, please.");
        let expected = ["a", "b"].map(|name| json!({"name": name}));
        let [first, second] = &calls(&events)[..] else {
            panic!("{events:?}")
        };
        assert_eq!(
            (first.0.as_str(), first.1.as_str(), &first.2),
            ("call_1", "gate", &expected[0])
        );
        assert_eq!((second.0.as_str(), &second.2), ("call_2", &expected[1]));
        let end = end(&events);
        assert_eq!(end.stop, StopReason::ToolCalls);
        assert_eq!(end.usage, Usage::new(100, 40, 20).with_reasoning(7));
        assert_eq!(
            end.provider.as_ref().unwrap()["output"],
            json!(items),
            "kept as they came"
        );

        let body = &server.bodies()[0];
        assert_eq!((&body["store"], &body["stream"]), (&json!(false), &json!(is_streamed)));
        assert_eq!(body["prompt_cache_key"], "s");
        assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
        assert_eq!(
            (&body["model"], &body["instructions"]),
            (&json!("gpt-6-astra"), &json!("Be brief."))
        );
        let [tool, task] = body["tools"].as_array().unwrap().as_slice() else {
            panic!("{body}")
        };
        assert_eq!(
            (&tool["async"], &tool["strict"], &tool["type"]),
            (&json!(true), &json!(false), &json!("function"))
        );
        assert_eq!(
            (&task["name"], task.get("async")),
            (&json!("task"), None),
            "the agent answers it itself"
        );
        let head = server.requests()[0].head.to_ascii_lowercase();
        assert!(head.starts_with("post /v1/responses http/1.1"), "{head}");
        assert!(head.contains(&format!("authorization: bearer {KEY}")), "{head}");
    }
}

#[tokio::test]
async fn a_call_is_given_while_the_turn_goes_on() {
    let until = Arc::new(Semaphore::new(0));
    let server = Server::start([Reply::held(&[gate("call_1", "a")], &until)]).await;
    let model = builder(&server).build().unwrap();
    let mut stream = model.generate(request());
    let first = stream.next().await.unwrap().unwrap();
    assert!(
        matches!(&first, ModelEvent::ToolCall(call) if call.id.as_str() == "call_1"),
        "{first:?}"
    );
    until.add_permits(1);
    assert!(matches!(stream.next().await, Some(Ok(ModelEvent::Done(_)))));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_turn_that_is_dropped_closes_its_connection() {
    let never = Arc::new(Semaphore::new(0));
    for is_streamed in [true, false] {
        let reply = || Reply::held(&[said("I was about")], &never);
        let server = Server::start([reply()]).await;
        let model = builder(&server).stream(is_streamed).build().unwrap();
        let mut stream = model.generate(request());
        if is_streamed {
            assert!(matches!(stream.next().await, Some(Ok(ModelEvent::Text(_)))));
        } else {
            let waited = tokio::time::timeout(Duration::from_millis(50), stream.next()).await;
            assert!(waited.is_err(), "{waited:?}");
        }
        drop(stream);
        let hung_up = tokio::time::timeout(Duration::from_secs(10), server.hung_up.acquire()).await;
        assert!(hung_up.is_ok(), "the connection is still open");
    }
}

#[tokio::test]
async fn a_model_without_native_calls_is_told_of_ordinary_functions() {
    for name in ["gpt-5.1", "gpt-4o-mini", "o3", "llama-3.3", "gpt-oss-20b"] {
        let server = Server::start([Reply::stream(&[said("hello")])]).await;
        let model = OpenAiModel::builder(name)
            .base_url(&server.url)
            .api_key(KEY)
            .build()
            .unwrap();
        assert!(!model.capabilities().native_async, "{name}");
        ask(&model).await;
        let body = &server.bodies()[0];
        assert_eq!(body["tools"][0].get("async"), None);
        assert_eq!(body.get("include").is_none(), name.starts_with("gpt-4"), "{name}");
    }
    for name in [
        "gpt-6-astra",
        "openai/gpt-6-astra",
        "ft:gpt-6-astra:mine",
        "gpt-7",
        "gpt-10.5-mini",
    ] {
        let model = OpenAiModel::builder(name).api_key(KEY).build().unwrap();
        assert!(model.capabilities().native_async, "{name}");
        let model = OpenAiModel::builder(name)
            .api_key(KEY)
            .native_async(false)
            .build()
            .unwrap();
        assert!(!model.capabilities().native_async, "{name}");
    }
}

#[tokio::test]
async fn strict_schemas_are_sent_and_the_nulls_they_make_are_taken_out() {
    let mut item = gate("call_1", "a");
    item["arguments"] = json!(r#"{"name": "a", "depth": null}"#);
    let server = Server::start([Reply::stream(&[item.clone()])]).await;
    let model = builder(&server).strict(true).build().unwrap();
    assert_eq!(model.capabilities().dialect, Dialect::OpenAiStrict);
    let (events, _) = ask(&model).await;
    assert_eq!(calls(&events)[0].2, json!({"name": "a"}));
    assert_eq!(
        end(&events).provider.as_ref().unwrap()["output"][0],
        item,
        "it goes back as it came"
    );
    let tool = &server.bodies()[0]["tools"][0];
    assert_eq!(
        (&tool["strict"], &tool["parameters"]["required"]),
        (&json!(true), &json!(["name", "depth"]))
    );
}

/// The API answers 400 to a list without `items` and to alternatives at the root, and one such tool fails all requests.
#[tokio::test]
async fn schemas_that_are_not_strict_keep_the_rules_of_the_api_too() {
    let server = Server::start([Reply::stream(&[said("well")])]).await;
    let model = builder(&server).build().unwrap();
    let ask = |schema: Value| {
        let tools = [ToolDefinition::new("gate", "Waits.", schema)];
        let messages = vec![Arc::new(Message::user("go".to_owned()))];
        model.generate(ModelRequest::new(SessionId::new("s"), messages, tools.into()))
    };
    let list = json!({"type": "object", "properties": {"any": {"type": "array"}}});
    let events: Vec<_> = ask(list).collect().await;
    assert!(events.iter().all(Result::is_ok), "{events:?}");
    let tool = &server.bodies()[0]["tools"][0];
    assert_eq!(
        tool["parameters"]["properties"]["any"],
        json!({"type": "array", "items": {}})
    );

    assert_eq!(model.capabilities().dialect, Dialect::OpenAi);
    let alternatives = json!({"anyOf": [{"type": "object"}, {"type": "object", "properties": {"a": {}}}]});
    let events: Vec<_> = ask(alternatives).collect().await;
    let [Err(error)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert!(error.to_string().contains("takes no alternatives"), "{error}");
    assert_eq!(server.bodies().len(), 1);
}

#[tokio::test]
async fn malformed_arguments_go_on_as_text() {
    let mut item = gate("call_1", "a");
    item["arguments"] = json!(r#"{"name": "#);
    for is_strict in [true, false] {
        let server = Server::start([Reply::stream(&[item.clone()])]).await;
        let (events, error) = ask(&builder(&server).strict(is_strict).build().unwrap()).await;
        assert_eq!(error, None);
        assert_eq!(calls(&events)[0].2, json!(r#"{"name": "#));
    }
}

#[tokio::test]
async fn an_incomplete_turn_says_why_and_a_call_that_was_cut_off_is_not_made() {
    let mut cut = gate("call_2", "b");
    cut["status"] = json!("incomplete");
    let items = [said("well"), gate("call_1", "a"), reasoning("rs_9"), cut];
    for (reason, stop) in [
        ("max_output_tokens", StopReason::MaxTokens),
        ("content_filter", StopReason::Refused),
    ] {
        let mut whole = response("incomplete", &items);
        whole["incomplete_details"] = json!({"reason": reason});
        let streamed = events(&items) + &event(&json!({"type": "response.incomplete", "response": whole}));
        for (is_streamed, reply) in [
            (true, Reply::raw(streamed)),
            (false, Reply::new("200 OK", whole.to_string())),
        ] {
            let server = Server::start([reply]).await;
            let (events, error) = ask(&builder(&server).stream(is_streamed).build().unwrap()).await;
            assert_eq!(error, None);
            assert_eq!(calls(&events).len(), 1);
            assert_eq!(end(&events).stop, stop);
            let kept = &end(&events).provider.as_ref().unwrap()["output"];
            assert_eq!(
                *kept,
                json!([items[0], items[1]]),
                "reasoning that led nowhere is not kept"
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_is_text_and_a_reason() {
    let item = json!({"type": "message", "id": "m", "role": "assistant", "content": [{"type": "refusal", "refusal": "I won't."}]});
    for is_streamed in [true, false] {
        // A refusal has no text deltas.
        let items = std::slice::from_ref(&item);
        let done = event(&json!({"type": "response.output_item.done", "output_index": 0, "item": item}));
        let reply = if is_streamed {
            Reply::raw(done + &completed(items))
        } else {
            Reply::plain(items)
        };
        let server = Server::start([reply]).await;
        let (events, _) = ask(&builder(&server).stream(is_streamed).build().unwrap()).await;
        assert_eq!(
            (text(&events).as_str(), end(&events).stop),
            ("I won't.", StopReason::Refused)
        );
    }
}

#[tokio::test]
async fn servers_that_stream_no_text_and_no_places_are_understood() {
    let done = |item: &Value| event(&json!({"type": "response.output_item.done", "item": item}));
    let body =
        done(&said("first")) + &done(&said("second")) + &event(&json!({"type": "response.completed", "response": {}}));
    let server = Server::start([Reply::raw(body + "data: [DONE]\n\n")]).await;
    let (events, error) = ask(&builder(&server).build().unwrap()).await;
    assert_eq!(error, None);
    assert_eq!(text(&events), "first\n\nsecond");
    assert_eq!(
        end(&events).provider.as_ref().unwrap()["output"],
        json!([said("first"), said("second")])
    );
}
