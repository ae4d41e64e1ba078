//! JSON mode: tool calls for models without native ones.

use async_tool_genai::{Provider, ToolMode};
use async_tool_runtime::{
    Message,
    context::{Answer, AnswerContent},
    model::{ModelEvent, StopReason},
};
use serde_json::json;

use crate::{
    server::{Server, ask, request, user},
    turns::calls,
    wire::turn,
};

#[tokio::test]
async fn calls_and_replies_come_as_from_any_model() {
    for provider in [Provider::OpenAi, Provider::Ollama] {
        for streamed in [true, false] {
            let made = r#"{"answer": {"calls": [{"tool": "search", "arguments": {"query": "bees"}}, {"tool": "search", "arguments": {"query": "wasps"}}]}}"#;
            let fenced = "<think>{hm}</think>```json\n{\"answer\": {\"reply\": \"Three.\"}}\n```";
            let server = Server::start(vec![
                turn(provider, streamed, made, &[]),
                turn(provider, streamed, fenced, &[]),
            ])
            .await;
            let model = server
                .builder(provider)
                .stream(streamed)
                .tool_mode(ToolMode::Json)
                .build()
                .unwrap();
            let (events, error) = ask(&model, request(vec![user("look")])).await;
            assert_eq!(error, None);
            let calls = calls(&events);
            assert_eq!(calls[1].arguments, json!({"query": "wasps"}));
            assert_ne!(calls[0].id, calls[1].id);
            assert!(matches!(events.last(), Some(ModelEvent::Done(end)) if end.stop == StopReason::ToolCalls));
            assert_eq!(events.len(), 3, "the JSON itself is no text: {events:?}");

            let told = calls
                .iter()
                .map(|call| Answer::new(call.id.clone(), "search", AnswerContent::Report(json!({"found": 3}))));
            let told = Message::Answers(told.collect());
            let turn = Message::Assistant {
                text: String::new(),
                calls: calls.clone(),
                provider: None,
            };
            let (events, _) = ask(&model, request(vec![user("look"), turn, told, user("and?")])).await;
            assert_eq!(events[0], ModelEvent::Text("Three.".to_owned()));

            let body = server.asked()[1].body();
            assert_eq!(body.get("tools"), None, "{body:#}");
            let roles: Vec<&str> = body["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|message| message["role"].as_str().unwrap())
                .collect();
            assert_eq!(roles, ["system", "user", "assistant", "user"]);
            assert!(
                body["messages"][0]["content"]
                    .as_str()
                    .unwrap()
                    .contains("- search: Searches.")
            );
            if provider == Provider::OpenAi {
                let schema = &body["response_format"]["json_schema"]["schema"];
                assert!(schema.to_string().contains("anyOf"), "{schema:#}");
                assert_eq!(schema["type"], "object");
            } else {
                assert_eq!(body["format"], "json");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_an_error_that_another_try_may_mend() {
    for text in [
        "Sure, I'd be happy to!",
        r#"{"answer": {"calls": "search"}}"#,
        r#"{"answer": {"#,
        "",
    ] {
        let server = Server::start(vec![turn(Provider::OpenAi, true, text, &[])]).await;
        let model = server
            .builder(Provider::OpenAi)
            .tool_mode(ToolMode::Json)
            .build()
            .unwrap();
        let (events, error) = ask(&model, request(vec![user("look")])).await;
        let error = error.unwrap();
        assert!(events.is_empty() && error.retryable(), "{error}");
        assert!(error.to_string().contains("neither calls nor a reply"), "{error}");
    }
}

#[tokio::test]
async fn a_provider_that_refuses_a_schema_is_asked_for_some_json() {
    for (provider, form) in [
        (Provider::OpenAi, "json_schema"),
        (Provider::Groq, "json_schema"),
        (Provider::DeepSeek, "json_object"),
        (Provider::Moonshot, "json_object"),
        (Provider::Zai, "json_object"),
    ] {
        let reply = r#"{"answer": {"reply": "Three."}}"#;
        let server = Server::start(vec![turn(Provider::OpenAi, true, reply, &[])]).await;
        let model = server.builder(provider).tool_mode(ToolMode::Json).build().unwrap();
        let (_, error) = ask(&model, request(vec![user("look")])).await;
        assert_eq!(error, None, "{provider}");
        let body = server.asked()[0].body();
        assert_eq!(body["response_format"]["type"], form, "{provider}");
    }
}
