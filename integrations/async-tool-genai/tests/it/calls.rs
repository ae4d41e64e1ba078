//! Malformed calls.

use async_tool_genai::Provider;
use async_tool_runtime::{
    Message,
    context::{Answer, AnswerContent},
    model::{ModelEvent, StopReason},
};
use serde_json::{Value, json};

use crate::{
    server::{Server, ask, request, user},
    turns::calls,
    wire::{PROVIDERS, frames, stream, turn},
};

#[tokio::test]
async fn arguments_that_are_no_object_stay_the_text_that_came() {
    for provider in PROVIDERS {
        for streamed in [true, false] {
            for written in [r#"{"query": "be"#, r#"["bees"]"#] {
                // These providers send calls in one piece, which can't be cut off.
                let comes_whole = matches!(provider, Provider::Gemini | Provider::Ollama);
                let server = Server::start(vec![turn(
                    provider,
                    streamed,
                    "I look.",
                    &[("id_a", "search", written)],
                )])
                .await;
                let model = server.builder(provider).stream(streamed).build().unwrap();
                let (events, error) = ask(&model, request(vec![user("look")])).await;
                let calls = calls(&events);
                assert_eq!(calls.len(), 1, "{provider} {streamed} {written}: {error:?}");
                let arguments = &calls[0].arguments;
                assert!(!arguments.is_object(), "{provider} {streamed} {written}: {arguments}");
                if streamed && !comes_whole {
                    assert_eq!(arguments.text(), Some(written), "{provider}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_call_without_arguments_has_none_and_one_that_was_cut_off_before_them_does_not_run() {
    for provider in [Provider::OpenAi, Provider::Anthropic, Provider::Bedrock] {
        let mut frames = frames(provider, "I look.", &[("id_a", "list", "")]);
        let server = Server::start(vec![stream(provider, &frames)]).await;
        let model = server.builder(provider).build().unwrap();
        let (events, _) = ask(&model, request(vec![user("look")])).await;
        assert_eq!(calls(&events)[0].arguments, json!({}), "{provider}");

        let (from, to) = match provider {
            Provider::OpenAi => ("\"tool_calls\"}", "\"length\"}"),
            Provider::Anthropic => ("\"stop_reason\":\"tool_use\"", "\"stop_reason\":\"max_tokens\""),
            _ => ("\"stopReason\":\"tool_use\"", "\"stopReason\":\"max_tokens\""),
        };
        let end = frames.iter().rposition(|(_, data)| data.contains(from)).unwrap();
        frames[end].1 = frames[end].1.replace(from, to);
        let server = Server::start(vec![stream(provider, &frames)]).await;
        let model = server.builder(provider).build().unwrap();
        let (events, _) = ask(&model, request(vec![user("look")])).await;
        assert!(!calls(&events)[0].arguments.is_object(), "{provider}: {events:?}");
        assert!(matches!(events.last(), Some(ModelEvent::Done(end)) if end.stop == StopReason::MaxTokens));
    }
}

#[tokio::test]
async fn a_call_whose_arguments_never_came_does_not_run_after_an_end_that_is_not_the_model_s() {
    for (reason, fails) in [
        ("overheated", false),
        ("content_filter", false),
        ("insufficient_system_resource", true),
    ] {
        let made = [("id_a", "list", ""), ("id_b", "list", "")];
        let mut frames = frames(Provider::OpenAi, "I look.", &made);
        let end = frames
            .iter()
            .rposition(|(_, data)| data.contains("\"tool_calls\"}"))
            .unwrap();
        frames[end].1 = frames[end].1.replace("\"tool_calls\"}", &format!("\"{reason}\"}}"));
        let server = Server::start(vec![stream(Provider::OpenAi, &frames)]).await;
        let model = server.builder(Provider::OpenAi).build().unwrap();
        let (events, error) = ask(&model, request(vec![user("look")])).await;
        if fails {
            assert!(error.is_some_and(|error| error.retryable()), "{reason}: {events:?}");
            continue;
        }
        assert_eq!(error, None, "{reason}");
        let calls = calls(&events);
        assert_eq!(calls[0].arguments, json!({}), "{reason}: another call followed it");
        assert!(!calls[1].arguments.is_object(), "{reason}: {calls:?}");
    }
}

#[tokio::test]
async fn every_call_of_a_conversation_has_an_id_of_its_own() {
    // genai names the first call of every turn `call_0` if the server gives no ids.
    for (provider, id) in [
        (Provider::OpenAi, "call_0"),
        (Provider::OpenAi, "same"),
        (Provider::Gemini, ""),
        (Provider::Ollama, ""),
    ] {
        let server = Server::start(vec![turn(
            provider,
            true,
            "I look.",
            &[(id, "search", r#"{"query":"bees"}"#)],
        )])
        .await;
        let model = server.builder(provider).build().unwrap();
        let mut messages = vec![user("look")];
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..3 {
            let (events, _) = ask(&model, request(messages.clone())).await;
            let calls = calls(&events);
            let call = calls[0].id.clone();
            assert!(
                !call.as_str().is_empty() && !seen.contains(&call.as_str().to_owned()),
                "{provider}: {call:?}"
            );
            seen.push(call.as_str().to_owned());
            messages.push(Message::Assistant {
                text: String::new(),
                calls,
                provider: None,
            });
            let report = AnswerContent::Report(json!({"found": 3}));
            messages.push(Message::Answers(vec![Answer::new(call, "search", report)]));
        }
    }
}

#[tokio::test]
async fn what_strict_mode_makes_a_model_write_is_taken_out_again() {
    for provider in [Provider::OpenAi, Provider::OpenAiResponses] {
        let made = [("id_a", "search", r#"{"query":"bees","limit":null}"#)];
        let server = Server::start(vec![turn(provider, true, "", &made)]).await;
        let model = server.builder(provider).strict(true).build().unwrap();
        let (events, _) = ask(&model, request(vec![user("look")])).await;
        assert_eq!(calls(&events)[0].arguments, json!({"query": "bees"}), "{provider}");
        let body = server.asked()[0].body();
        let tool = body.pointer("/tools/0/function").unwrap_or(&body["tools"][0]);
        assert_eq!(tool["strict"], true, "{body:#}");
        assert_eq!(tool["parameters"]["required"], json!(["limit", "query"]), "{body:#}");
    }
}

#[tokio::test]
async fn no_provider_is_strict_unless_asked() {
    for provider in PROVIDERS {
        let server = Server::start(vec![turn(provider, true, "Hi.", &[])]).await;
        let model = server.builder(provider).build().unwrap();
        let _ = ask(&model, request(vec![user("look")])).await;
        let body = server.asked()[0].body();
        let tool = body.pointer("/tools/0/function").unwrap_or(&body["tools"][0]);
        assert_ne!(tool.get("strict"), Some(&Value::Bool(true)), "{provider}");
        if provider == Provider::OpenAiResponses {
            assert_eq!(tool["strict"], false, "left out, it would be strict where it can");
        }
    }
}
