//! Contents of turns: text, calls, the end, and the blocks sent back.

use async_tool_genai::Provider;
use async_tool_runtime::{
    Message, ToolCall,
    context::{Answer, AnswerContent},
    model::{ModelEvent, StopReason, Usage},
};
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server, ask, request, user},
    wire::{PROVIDERS, findings, frames, stream, truncated, turn},
};

pub(crate) fn said(events: &[ModelEvent]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        ModelEvent::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

pub(crate) fn calls(events: &[ModelEvent]) -> Vec<ToolCall> {
    let calls = events.iter().filter_map(|event| match event {
        ModelEvent::ToolCall(call) => Some(call.clone()),
        _ => None,
    });
    calls.collect()
}

#[tokio::test]
async fn every_provider_gives_text_calls_and_an_end_streamed_or_not() {
    for provider in PROVIDERS {
        for streamed in [true, false] {
            let made = [
                ("id_a", "search", r#"{"query":"bees"}"#),
                ("id_b", "search", r#"{"query":"wasps","limit":3}"#),
            ];
            let server = Server::start(vec![turn(provider, streamed, "I look.", &made)]).await;
            let model = server.builder(provider).stream(streamed).build().unwrap();
            let (events, error) = ask(&model, request(vec![user("look")])).await;
            assert_eq!(error, None, "{provider} {streamed}");
            assert_eq!(said(&events), "I look.", "{provider} {streamed}");
            let calls = calls(&events);
            let arguments: Vec<&Value> = calls.iter().map(|call| call.arguments.value()).collect();
            assert_eq!(
                arguments,
                [&json!({"query": "bees"}), &json!({"query": "wasps", "limit": 3})],
                "{provider}"
            );
            if provider != Provider::Ollama {
                assert_eq!(calls[0].id.as_str(), "id_a", "{provider} {streamed}");
            }
            assert_ne!(calls[0].id, calls[1].id, "{provider}");
            let Some(ModelEvent::Done(end)) = events.last() else {
                panic!("{provider} {streamed}: {events:?}");
            };
            assert_eq!(end.stop, StopReason::ToolCalls, "{provider} {streamed}");
            let reasoning = if matches!(provider, Provider::Bedrock | Provider::Ollama) {
                0
            } else {
                2
            };
            assert_eq!(
                end.usage,
                Usage::new(10, 4, 5).with_reasoning(reasoning),
                "{provider} {streamed}"
            );
        }
    }
}

#[tokio::test]
async fn a_turn_goes_back_with_what_its_provider_wants_unchanged() {
    for provider in PROVIDERS {
        for streamed in [true, false] {
            let made = [("id_a", "search", r#"{"query":"bees"}"#)];
            let first = turn(provider, streamed, "I look.", &made);
            let server = Server::start(vec![first, turn(provider, streamed, "Done.", &[])]).await;
            let model = server.builder(provider).stream(streamed).build().unwrap();
            let (events, _) = ask(&model, request(vec![user("look")])).await;
            let Some(ModelEvent::Done(end)) = events.last() else {
                panic!()
            };
            let calls = calls(&events);
            let report = AnswerContent::Report(json!({"found": 3}));
            let answer = Answer::new(calls[0].id.clone(), "search", report);
            let turn = Message::Assistant {
                text: said(&events),
                calls,
                provider: end.provider.clone(),
            };
            let (events, error) = ask(
                &model,
                request(vec![user("look"), turn, Message::Answers(vec![answer])]),
            )
            .await;
            assert_eq!(
                (said(&events).as_str(), error),
                ("Done.", None),
                "{provider} {streamed}"
            );
            let body = server.asked()[1].body();
            assert_eq!(
                findings(provider, &body),
                Vec::<String>::new(),
                "{provider} {streamed}: {body:#}"
            );
            match provider {
                Provider::Anthropic => {
                    let content = &body["messages"][1]["content"];
                    assert_eq!(
                        content[0],
                        json!({"type": "thinking", "thinking": "hm", "signature": "signed"})
                    );
                    assert_eq!(content[1]["text"], "I look.");
                    assert_eq!(content[2]["id"], "id_a");
                }
                Provider::OpenAiResponses => {
                    let item = &body["input"][1];
                    assert_eq!(
                        (&item["type"], &item["encrypted_content"]),
                        (&json!("reasoning"), &json!("thought"))
                    );
                    assert_eq!(body["input"][3]["call_id"], "id_a");
                }
                Provider::Gemini => {
                    let part = &body["contents"][1]["parts"][1];
                    assert_eq!(part["thoughtSignature"], "signed", "{body:#}");
                    assert_eq!(part["functionCall"]["id"], "id_a");
                    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["name"], "search");
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_stream_without_its_end_is_an_error_however_it_stops() {
    for provider in PROVIDERS {
        let made = [("id_a", "search", r#"{"query":"bees"}"#)];
        let server = Server::start(vec![truncated(provider, "I look.", &made)]).await;
        let model = server.builder(provider).build().unwrap();
        let (events, error) = ask(&model, request(vec![user("look")])).await;
        let error = error.unwrap_or_else(|| panic!("{provider}: {events:?}"));
        assert!(error.retryable(), "{provider}: {error}");
        assert!(
            !events.iter().any(|event| matches!(event, ModelEvent::Done(_))),
            "{provider}"
        );
    }
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_is_an_error_with_every_provider() {
    for provider in PROVIDERS {
        if provider == Provider::Bedrock {
            // Bedrock's frames have checksums.
            continue;
        }
        let mut frames = frames(provider, "I look around.", &[]);
        let cut = frames[2].1.len() / 2;
        frames[2].1.truncate(cut);
        let server = Server::start(vec![stream(provider, &frames)]).await;
        let model = server.builder(provider).build().unwrap();
        let (_, error) = ask(&model, request(vec![user("look")])).await;
        assert!(error.expect("it isn't passed over").retryable(), "{provider}");
    }
}

#[tokio::test]
async fn a_call_comes_when_it_is_complete_and_not_with_the_end() {
    // These formats mark no call's end, so a call is complete when the next one begins.
    for provider in PROVIDERS {
        let made = [
            ("id_a", "search", r#"{"query":"bees"}"#),
            ("id_b", "search", r#"{"query":"wasps"}"#),
        ];
        let mut frames = frames(provider, "I look.", &made);
        let end = if provider == Provider::OpenAi { 4 } else { 2 };
        frames.truncate(frames.len() - end);
        let reply = Reply {
            stalls: true,
            ..stream(provider, &frames)
        };
        let server = Server::start(vec![reply]).await;
        let timeouts = async_tool_genai::Timeouts {
            stall: std::time::Duration::from_millis(300),
            ..async_tool_genai::Timeouts::default()
        };
        let model = server.builder(provider).timeouts(timeouts).build().unwrap();
        let (events, error) = ask(&model, request(vec![user("look")])).await;
        assert!(error.is_some_and(|error| error.retryable()), "{provider}");
        assert_eq!(calls(&events)[0].arguments, json!({"query": "bees"}), "{provider}");
    }
}

#[tokio::test]
async fn a_turn_that_ran_into_its_limit_says_so() {
    let mut frames = frames(Provider::OpenAi, "I lo", &[]);
    let last = frames.len() - 3;
    frames[last].1 = frames[last].1.replace("\"stop\"", "\"length\"");
    let server = Server::start(vec![stream(Provider::OpenAi, &frames)]).await;
    let model = server.builder(Provider::OpenAi).max_tokens(7).build().unwrap();
    let (events, _) = ask(&model, request(vec![user("look")])).await;
    assert!(
        matches!(events.last(), Some(ModelEvent::Done(end)) if end.stop == StopReason::MaxTokens),
        "{events:?}"
    );
    assert_eq!(server.asked()[0].body()["max_tokens"], 7);
}
