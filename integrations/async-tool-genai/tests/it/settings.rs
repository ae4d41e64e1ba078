//! Settings of the builder, and what they make of a request.

use async_tool_genai::{GenaiModel, GenaiModelBuilder, Provider};
use async_tool_runtime::{
    Message, ToolCall,
    context::{Answer, AnswerContent},
};
use serde_json::{Value, json};

use crate::{
    server::{Server, ask, request, user},
    wire::turn,
};

/// The request for these messages. The model's name says which provider it is of.
async fn sent(name: &str, messages: Vec<Message>, set: impl Fn(GenaiModelBuilder) -> GenaiModelBuilder) -> Value {
    let provider: Provider = name.split('/').next().unwrap().parse().unwrap();
    let format = match provider {
        Provider::OpenAiResponses | Provider::Anthropic | Provider::Bedrock => provider,
        _ => Provider::OpenAi,
    };
    let server = Server::start(vec![turn(format, true, "Fine.", &[])]).await;
    let builder = GenaiModel::builder(name).base_url(&server.url).api_key("test-key-1234");
    let (_, error) = ask(&set(builder).build().unwrap(), request(messages)).await;
    assert_eq!(error, None, "{name}");
    server.asked()[0].body()
}

fn place(body: &Value, pointer: &str) -> Value {
    body.pointer(pointer).cloned().unwrap_or_default()
}

#[tokio::test]
async fn an_effort_in_the_name_is_read_unless_the_whole_name_is_sent() {
    for (name, is_read, model, effort) in [
        ("openai/gpt-5-high", true, "gpt-5", json!("high")),
        ("openai/gpt-5-high", false, "gpt-5-high", Value::Null),
        ("openrouter/qwen/qwen3-max", true, "qwen/qwen3-max", Value::Null),
        ("openai/gpt-5.1-codex-max-low", true, "gpt-5.1-codex-max", json!("low")),
    ] {
        let body = sent(name, vec![user("hi")], |builder| builder.effort_in_name(is_read)).await;
        assert_eq!(
            (&body["model"], place(&body, "/reasoning_effort")),
            (&json!(model), effort),
            "{name}"
        );
    }
    for (name, model, effort) in [
        ("openai-responses/gpt-5.1-codex-max", "gpt-5.1-codex-max", Value::Null),
        (
            "openai-responses/gpt-5.1-codex-max-xhigh",
            "gpt-5.1-codex-max",
            json!("xhigh"),
        ),
    ] {
        let body = sent(name, vec![user("hi")], |builder| builder).await;
        assert_eq!(
            (&body["model"], place(&body, "/reasoning/effort")),
            (&json!(model), effort),
            "{name}"
        );
    }
}

#[tokio::test]
async fn summaries_of_reasoning_are_asked_for_only_if_set() {
    for (is_asked, summary) in [
        (None, Value::Null),
        (Some(false), Value::Null),
        (Some(true), json!("auto")),
    ] {
        let body = sent("openai-responses/gpt-5", vec![user("hi")], |builder| match is_asked {
            Some(is_asked) => builder.reasoning_summaries(is_asked),
            None => builder,
        });
        let body = body.await;
        assert_eq!(place(&body, "/reasoning/summary"), summary, "{is_asked:?}");
        assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    }
}

#[tokio::test]
async fn a_budget_of_thinking_tokens_is_below_the_limit_of_the_answer() {
    for (limit, budget) in [
        (None, json!(24_000)),
        (Some(32_000), json!(24_000)),
        (Some(24_000), json!(23_999)),
        (Some(8_192), json!(8_191)),
        (Some(1_025), json!(1_024)),
        (Some(1_024), Value::Null),
        (Some(0), Value::Null),
    ] {
        let body = sent(
            "anthropic/claude-sonnet-4-5-high",
            vec![user("hi")],
            |builder| match limit {
                Some(limit) => builder.max_tokens(limit),
                None => builder,
            },
        );
        let body = body.await;
        assert_eq!(place(&body, "/thinking/budget_tokens"), budget, "{limit:?}");
        assert_eq!(body["model"], "claude-sonnet-4-5");
    }
}

#[tokio::test]
async fn a_model_with_a_budget_does_not_think_after_calls_that_were_made_without_a_thought() {
    let call = ToolCall::new("id_a", "search", json!({"query": "bees"}));
    let answer = Answer::new(call.id.clone(), "search", AnswerContent::Report(json!({"found": 3})));
    let conversation = |blocks: Option<Value>| {
        let turn = Message::Assistant {
            text: "I look.".to_owned(),
            calls: vec![call.clone()],
            provider: blocks,
        };
        vec![user("look"), turn, Message::Answers(vec![answer.clone()])]
    };
    let signed = json!({"provider": "anthropic", "blocks": [
        {"signature": "signed"}, {"reasoning": "hm"}, {"text": "I look."}, {"call": {"id": "id_a"}},
    ]});
    let mut later = conversation(None);
    later.push(user("and?"));
    for (messages, thinks) in [
        (conversation(None), false),
        (conversation(Some(signed)), true),
        (later, true),
    ] {
        let body = sent("anthropic/claude-sonnet-4-5-high", messages, |builder| builder).await;
        assert_eq!(body.get("thinking").is_some(), thinks, "{body:#}");
    }
}

#[tokio::test]
async fn bedrock_is_told_a_limit_only_if_it_is_set() {
    for name in [
        "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/meta.llama4-maverick-17b-instruct-v1:0",
    ] {
        let body = sent(name, vec![user("hi")], |builder| builder).await;
        assert_eq!(body.get("inferenceConfig"), None, "{name}");
        let body = sent(name, vec![user("hi")], |builder| builder.max_tokens(7)).await;
        assert_eq!(body["inferenceConfig"], json!({"maxTokens": 7}), "{name}");
    }
}

#[tokio::test]
async fn usage_is_asked_for_where_a_provider_takes_the_option() {
    for (name, expected) in [
        ("openai/gpt-6", json!({"include_usage": true})),
        ("groq/llama-4", json!({"include_usage": true})),
        ("mistral/mistral-large-latest", Value::Null),
    ] {
        let body = sent(name, vec![user("hi")], |builder| builder).await;
        assert_eq!(place(&body, "/stream_options"), expected, "{name}");
    }
}
