//! Single turns of a model of rig's.

use std::{future::poll_fn, pin::Pin, sync::Arc};

use async_tool_rig::RigModel;
use async_tool_runtime::{
    Message, Model, SessionId, ToolCall, ToolDefinition,
    context::{Answer, AnswerContent},
    model::{ModelError, ModelEvent, ModelRequest, StopReason},
};
use futures_util::Stream;
use serde_json::json;

use crate::server::{Reply, Server, calls, text};

pub(crate) fn user(text: &str) -> Message {
    Message::user(text.to_owned())
}

pub(crate) fn request(messages: Vec<Message>) -> ModelRequest {
    let messages = messages.into_iter().map(Arc::new).collect();
    let schema = json!({"type": "object", "properties": {"query": {"type": "string"}}});
    let search = ToolDefinition::new("search", "Searches.", schema);
    ModelRequest::new(SessionId::new("s"), messages, vec![search].into())
}

/// All events of a turn, and its error if it failed.
pub(crate) async fn ask(model: &RigModel, request: ModelRequest) -> (Vec<ModelEvent>, Option<ModelError>) {
    let mut stream = model.generate(request);
    let mut events = Vec::new();
    while let Some(event) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => return (events, Some(error)),
        }
    }
    (events, None)
}

async fn turn(reply: Reply, is_streamed: bool, messages: Vec<Message>) -> (String, Vec<ToolCall>, StopReason) {
    let server = Server::start([reply]).await;
    let model = RigModel::new(server.chat()).stream(is_streamed);
    let (events, error) = ask(&model, request(messages)).await;
    assert_eq!(error, None);
    let (mut said, mut made, mut stop) = (String::new(), Vec::new(), None);
    for event in events {
        assert_eq!(stop, None, "nothing follows the end");
        match event {
            ModelEvent::Text(text) => said += &text,
            ModelEvent::ToolCall(call) => made.push(call),
            ModelEvent::Done(end) => stop = Some(end.stop),
            ModelEvent::Reasoning(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (said, made, stop.unwrap())
}

#[tokio::test]
async fn the_reasons_of_ends() {
    for is_streamed in [true, false] {
        let ended = |finish| Reply::Turn {
            text: "Well, ",
            calls: Vec::new(),
            finish,
        };
        for (reply, expected) in [
            (text("Well, "), StopReason::EndTurn),
            (ended("length"), StopReason::MaxTokens),
            (ended("content_filter"), StopReason::Refused),
            (ended("sensitive"), StopReason::Refused),
            (ended("model_context_window_exceeded"), StopReason::MaxTokens),
        ] {
            let (said, made, stop) = turn(reply, is_streamed, vec![user("hi")]).await;
            assert_eq!((&*said, made.len(), stop), ("Well, ", 0, expected));
        }
        let (_, made, stop) = turn(
            calls([("id_a", "search", r#"{"query":"x"}"#)]),
            is_streamed,
            vec![user("hi")],
        )
        .await;
        assert_eq!((made.len(), stop), (1, StopReason::ToolCalls));
    }
}

#[tokio::test]
async fn two_calls_under_one_id_get_ids_of_their_own() {
    for is_streamed in [true, false] {
        let earlier = Message::Assistant {
            text: String::new(),
            calls: vec![ToolCall::new("id_b", "search", json!({}))],
            provider: None,
        };
        let twice = calls([
            ("id_a", "search", r#"{"query":"x"}"#),
            ("id_b", "search", r#"{"query":"y"}"#),
            ("", "search", r#"{"query":"z"}"#),
            ("", "search", r#"{"query":"z"}"#),
        ]);
        let (_, made, _) = turn(twice, is_streamed, vec![user("hi"), earlier]).await;
        let mut ids: Vec<_> = made.iter().map(|call| call.id.as_str().to_owned()).collect();
        assert_eq!(ids[0], "id_a");
        assert!(!ids.contains(&"id_b".to_owned()) && !ids.contains(&String::new()));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4);
        let arguments: Vec<_> = made.iter().map(|call| call.arguments["query"].clone()).collect();
        assert_eq!(arguments, ["x", "y", "z", "z"]);
    }
}

#[tokio::test]
async fn arguments_that_a_limit_cut_off_are_not_taken_for_an_empty_object() {
    for is_streamed in [true, false] {
        for (finish, arguments, is_refused) in [
            ("length", r#"{"query": "be"#, true),
            ("length", "", true),
            ("tool_calls", "", false),
            ("tool_calls", "{}", false),
            ("tool_calls", "7", true),
            ("overheated", "", true),
            ("content_filter", "", true),
        ] {
            let reply = Reply::Turn {
                text: "",
                calls: vec![("id_a", "search", arguments)],
                finish,
            };
            let (_, made, _) = turn(reply, is_streamed, vec![user("hi")]).await;
            assert_eq!(made.len(), 1);
            assert_eq!(
                !made[0].arguments.is_object(),
                is_refused,
                "{finish} {arguments:?}: {made:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_turn_that_announces_calls_and_has_none_is_asked_again() {
    for is_streamed in [true, false] {
        let server = Server::start([calls([])]).await;
        let model = RigModel::new(server.chat()).stream(is_streamed);
        let (_, error) = ask(&model, request(vec![user("hi")])).await;
        assert!(error.unwrap().retryable());
    }
}

#[tokio::test]
async fn a_turn_that_the_server_broke_off_fails_and_runs_nothing() {
    for is_streamed in [true, false] {
        for finish in ["insufficient_system_resource", "network_error"] {
            let reply = Reply::Turn {
                text: "",
                calls: vec![("id_a", "search", "")],
                finish,
            };
            let server = Server::start([reply]).await;
            let model = RigModel::new(server.chat()).stream(is_streamed);
            let (events, error) = ask(&model, request(vec![user("hi")])).await;
            assert!(error.is_some_and(|error| error.retryable()), "{finish}: {events:?}");
            assert!(
                !events.iter().any(|event| matches!(event, ModelEvent::ToolCall(_))),
                "{events:?}"
            );
        }
    }
}

#[tokio::test]
async fn mistral_s_models_get_no_words_of_the_user_directly_behind_answers() {
    let call = ToolCall::new("id_a", "search", json!({"query": "x"}));
    let report = AnswerContent::Report(json!({"found": 3}));
    let messages = vec![
        user("Go."),
        Message::Assistant {
            text: String::new(),
            calls: vec![call.clone()],
            provider: None,
        },
        Message::Answers(vec![Answer::new(call.id, "search", report)]),
        user("On."),
    ];
    for (name, is_separated) in [("mistralai/devstral-small", true), ("gpt-6", false)] {
        let server = Server::start([text("Yes.")]).await;
        let (_, error) = ask(&RigModel::new(server.chat_of(name)), request(messages.clone())).await;
        assert_eq!(error, None, "{name}");
        let body = &server.bodies()[0];
        let sent = body["messages"].as_array().unwrap();
        let roles: Vec<&str> = sent.iter().filter_map(|message| message["role"].as_str()).collect();
        let expected: &[&str] = match is_separated {
            true => &["user", "assistant", "tool", "assistant", "user"],
            false => &["user", "assistant", "tool", "user"],
        };
        assert_eq!(roles, expected, "{name}");
    }
}
