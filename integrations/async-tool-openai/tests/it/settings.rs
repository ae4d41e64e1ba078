//! Settings of the builder: a request shows each of them.

use async_tool_openai::{OpenAiModel, OpenAiModelBuilder};
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server, said},
    wire::{KEY, ask},
};

#[tokio::test]
async fn every_request_goes_to_the_base_url_with_the_given_key() {
    for (path, expected) in [
        ("", "/responses"),
        ("/", "/responses"),
        ("/v1", "/v1/responses"),
        ("/v1/", "/v1/responses"),
        ("/deep/er%20path/v1//", "/deep/er%20path/v1/responses"),
    ] {
        for is_streamed in [true, false] {
            let server = Server::start([Reply::turn(is_streamed, &[said("hello")])]).await;
            let root = server.url.strip_suffix("/v1").unwrap();
            let model = OpenAiModel::builder("gpt-5")
                .base_url(format!("{root}{path}"))
                .api_key(format!(" {KEY}\n"));
            let model = model.stream(is_streamed).build().unwrap();
            let (_, error) = ask(&model).await;
            assert_eq!(error, None, "{path}");
            let head = server.requests()[0].head.clone();
            assert!(head.starts_with(&format!("POST {expected} HTTP/1.1")), "{head}");
            assert!(
                head.to_ascii_lowercase()
                    .contains(&format!("authorization: bearer {KEY}")),
                "{head}"
            );
            assert!(
                head.to_ascii_lowercase().contains("content-type: application/json"),
                "{head}"
            );
            assert_eq!(server.requests().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_redirect_takes_neither_key_nor_prompt_to_another_address() {
    let other = Server::start([Reply::stream(&[said("hello")])]).await;
    for status in [
        "301 Moved Permanently",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let reply = Reply::new(status, "").header("location", format!("{}/responses", other.url));
        let server = Server::start([reply]).await;
        let model = OpenAiModel::builder("gpt-5").base_url(&server.url).api_key(KEY);
        let (_, error) = ask(&model.build().unwrap()).await;
        assert!(error.is_some_and(|error| !error.retryable()), "{status}");
    }
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn each_setting_of_the_builder_is_in_the_request() {
    type Set = fn(OpenAiModelBuilder) -> OpenAiModelBuilder;
    let cases: [(Set, &str, Value); 11] = [
        (|model| model, "/model", json!("gpt-5")),
        (|model| model.stream(false), "/stream", json!(false)),
        (|model| model.stream(true), "/stream", json!(true)),
        (|model| model.strict(true), "/tools/0/strict", json!(true)),
        (|model| model.strict(false), "/tools/0/strict", json!(false)),
        (|model| model.native_async(true), "/tools/0/async", json!(true)),
        (|model| model.native_async(false), "/tools/0/async", Value::Null),
        (
            |model| model.encrypted_reasoning(true),
            "/include/0",
            json!("reasoning.encrypted_content"),
        ),
        (|model| model.encrypted_reasoning(false), "/include", Value::Null),
        (|model| model, "/reasoning", Value::Null),
        (
            |model| model.reasoning_summaries(true),
            "/reasoning",
            json!({"summary": "auto"}),
        ),
    ];
    for (set, place, expected) in cases {
        let server = Server::start([Reply::plain(&[said("hello")])]).await;
        let model = set(OpenAiModel::builder("gpt-5").base_url(&server.url).api_key(KEY));
        let (_, error) = ask(&model.build().unwrap()).await;
        assert_eq!(error, None, "{place}");
        let body = &server.bodies()[0];
        assert_eq!(
            body.pointer(place).unwrap_or(&Value::Null),
            &expected,
            "{place} of {body}"
        );
    }
}
