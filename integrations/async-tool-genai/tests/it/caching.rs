//! Prompt caches match prefixes: each request repeats the one before it, byte for byte, and adds to its end.

use async_tool_genai::Provider;
use async_tool_runtime::{
    Message, TaskNo, ToolCall,
    context::{Answer, AnswerContent},
};
use serde_json::{Value, json};

use crate::{
    server::{Server, ask, request, user},
    wire::{PROVIDERS, turn},
};

fn conversation() -> Vec<Message> {
    let calls = vec![
        ToolCall::new("id_a", "search", json!({"query": "bees"})),
        ToolCall::new("id_b", "search", json!({"query": "wasps"})),
    ];
    let answer = |call: &ToolCall, report: Value| Answer::new(call.id.clone(), "search", AnswerContent::Report(report));
    let answers = vec![
        answer(&calls[0], json!({"task": "t1", "status": "running"})),
        answer(&calls[1], json!({"error": {"message": "no network"}})),
    ];
    vec![
        user("Look for bees and wasps."),
        Message::Assistant {
            text: "I look.".to_owned(),
            calls,
            provider: None,
        },
        Message::Answers(answers),
        Message::Delivery {
            tasks: vec![TaskNo::new(1)],
            results: Vec::new(),
            text: "<results>three bees</results>".to_owned(),
        },
        Message::Assistant {
            text: "Three bees.".to_owned(),
            calls: Vec::new(),
            provider: None,
        },
        user("And hornets?"),
        user("Quickly."),
    ]
}

/// Splits a request into the list that holds the conversation, and the rest.
fn parts(provider: Provider, mut body: Value) -> (Vec<Value>, Value) {
    let key = match provider {
        Provider::OpenAiResponses => "input",
        Provider::Gemini => "contents",
        _ => "messages",
    };
    let list = body[key].take();
    (list.as_array().unwrap().clone(), body)
}

/// Removes Anthropic's cache markers, which move with the conversation and aren't cached. A marked text is a
/// block; it becomes a string again.
fn without_markers(mut message: Value) -> Value {
    if let Value::String(text) = &message["content"] {
        message["content"] = json!([{"type": "text", "text": text}]);
    }
    for block in message["content"].as_array_mut().into_iter().flatten() {
        block.as_object_mut().unwrap().remove("cache_control");
    }
    message
}

#[tokio::test]
async fn each_request_begins_with_all_of_the_one_before_also_after_a_delivery() {
    for provider in PROVIDERS {
        let server = Server::start(vec![turn(provider, true, "Yes.", &[])]).await;
        let model = server.builder(provider).build().unwrap();
        let all = conversation();
        // Points at which the model is asked: after the user, the answers and the delivery, and twice at the
        // end.
        for end in [1, 3, 4, 6, 7] {
            let (_, error) = ask(&model, request(all[..end].to_vec())).await;
            assert_eq!(error, None, "{provider}");
        }
        let bodies: Vec<(Vec<Value>, Value)> = server
            .asked()
            .iter()
            .map(|asked| parts(provider, asked.body()))
            .collect();
        for pair in bodies.windows(2) {
            let [(before, frame), (after, next_frame)] = pair else {
                unreachable!()
            };
            // Tools, system prompt and options are equal to the byte.
            assert_eq!(frame.to_string(), next_frame.to_string(), "{provider}");
            let anthropic = provider == Provider::Anthropic;
            let clean = |message: &Value| {
                if anthropic {
                    without_markers(message.clone())
                } else {
                    message.clone()
                }
            };
            let before: Vec<Value> = before.iter().map(clean).collect();
            let after: Vec<Value> = after.iter().map(clean).collect();
            // A user's message grows if another user message follows and roles must alternate. Nothing else
            // changes.
            let same = before
                .iter()
                .zip(&after)
                .take_while(|(one, other)| one == other)
                .count();
            assert!(same + 1 >= before.len(), "{provider}: {before:#?} {after:#?}");
            if same < before.len() {
                let (old, new) = (before[same].to_string(), after[same].to_string());
                let shared = old
                    .bytes()
                    .zip(new.bytes())
                    .take_while(|(one, other)| one == other)
                    .count();
                assert!(shared + 8 >= old.len(), "{provider}: {old} {new}");
            }
        }
    }
}

#[tokio::test]
async fn anthropic_is_told_what_to_cache() {
    let server = Server::start(vec![turn(Provider::Anthropic, true, "Yes.", &[])]).await;
    let model = server.builder(Provider::Anthropic).build().unwrap();
    let _ = ask(&model, request(conversation()[..4].to_vec())).await;
    let body = server.asked()[0].body();
    let marker = json!({"type": "ephemeral"});
    assert_eq!(body["tools"][0]["cache_control"], marker, "{body:#}");
    assert_eq!(body["system"][0]["cache_control"], marker, "{body:#}");
    let last = body["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["content"][0]["cache_control"], marker, "{body:#}");
    let count = server.asked()[0].text.matches("cache_control").count();
    assert_eq!(count, 3, "four are allowed");
}

#[tokio::test]
async fn openai_s_newer_models_are_left_to_cache_by_themselves() {
    for provider in [Provider::OpenAi, Provider::OpenAiResponses] {
        let server = Server::start(vec![turn(provider, true, "Yes.", &[])]).await;
        let model = async_tool_genai::GenaiModel::builder(format!("{provider}/gpt-6-astra"))
            .base_url(&server.url)
            .build()
            .unwrap();
        let _ = ask(&model, request(vec![user("hi")])).await;
        assert!(
            !server.asked()[0].text.contains("prompt_cache"),
            "{}",
            server.asked()[0].text
        );
    }
}

#[tokio::test]
async fn an_error_is_flagged_where_there_is_a_flag_and_said_where_there_is_none() {
    for provider in PROVIDERS {
        let server = Server::start(vec![turn(provider, true, "Yes.", &[])]).await;
        let model = server.builder(provider).build().unwrap();
        let _ = ask(&model, request(conversation()[..3].to_vec())).await;
        let asked = &server.asked()[0];
        assert!(asked.text.contains("no network"), "{provider}");
        if provider == Provider::Anthropic {
            let answers = &asked.body()["messages"][2]["content"];
            assert_eq!(answers[1]["is_error"], true, "{answers:#}");
            assert_eq!(answers[0].get("is_error"), None);
        }
    }
}
