//! Failures of a model of rig's.

use std::time::Duration;

use async_tool_rig::RigModel;
use async_tool_runtime::{AsyncAgent, model::ModelError};
use serde_json::json;

use crate::{
    server::{KEY, Reply, Server, error, text},
    turns::{ask, request, user},
};

async fn failure(reply: Reply, is_streamed: bool) -> ModelError {
    let server = Server::start([reply]).await;
    let model = RigModel::new(server.chat()).stream(is_streamed);
    let (_, error) = ask(&model, request(vec![user("hi")])).await;
    error.expect("the turn fails")
}

#[tokio::test]
async fn a_status_decides_if_a_retry_helps() {
    for is_streamed in [true, false] {
        for status in [408, 409, 429, 500, 502, 503, 504, 529] {
            let error = failure(error(status, &json!({"error": {"message": "busy"}})), is_streamed).await;
            assert!(error.retryable(), "{status}: {error}");
            assert_eq!(error.to_string(), format!("openai answered {status}: busy"));
        }
        for status in [400, 401, 402, 403, 404, 422] {
            let error = failure(error(status, &json!({"error": {"message": "no"}})), is_streamed).await;
            assert!(!error.retryable(), "{status}: {error}");
        }
    }
}

#[tokio::test]
async fn the_server_s_pause_is_kept() {
    let busy = |headers| Reply::Error {
        status: 429,
        headers,
        body: json!({"error": {"message": "slow down"}}).to_string(),
    };
    let error = failure(busy("retry-after: 7\r\n"), true).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    let error = failure(busy("retry-after-ms: 250\r\n"), true).await;
    assert_eq!(error.retry_after(), Some(Duration::from_millis(250)));
}

#[tokio::test]
async fn an_account_without_money_and_a_conversation_that_is_too_long_are_told_apart() {
    let broke = json!({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}});
    let failed = failure(error(429, &broke), true).await;
    assert!(!failed.retryable() && !failed.is_too_long(), "{failed}");
    let long = json!({"error": {"message": "This model's maximum context length is 8192 tokens.", "code": "context_length_exceeded"}});
    let failed = failure(error(400, &long), true).await;
    assert!(failed.is_too_long(), "{failed}");
    let of_another_server = json!({"error": {"message": "Prompt exceeds max length", "code": "1261"}});
    let failed = failure(error(400, &of_another_server), true).await;
    assert!(failed.is_too_long(), "{failed}");
    let limit = json!({"error": {"message": "Rate limit: reduce the length of the messages"}});
    let failed = failure(error(429, &limit), true).await;
    assert!(!failed.is_too_long() && failed.retryable(), "{failed}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_fails_and_so_does_a_stream_with_an_error() {
    let part = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Half"},"finish_reason":null}]}"#;
    let cut = failure(Reply::Stream(format!("data: {part}\n\n")), true).await;
    assert!(cut.retryable(), "{cut}");
    let told = r#"{"error":{"message":"Overloaded","type":"server_error","code":"overloaded"}}"#;
    let told = failure(Reply::Stream(format!("data: {part}\n\ndata: {told}\n\n")), true).await;
    assert!(told.retryable(), "{told}");
    assert!(told.to_string().contains("Overloaded"), "{told}");
    for (code, passes) in [(402, false), (401, false), (429, true), (502, true)] {
        let told = json!({"error": {"message": "no", "code": code}});
        let told = failure(Reply::Stream(format!("data: {part}\n\ndata: {told}\n\n")), true).await;
        assert_eq!(told.retryable(), passes, "{code}: {told}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_transient_failure() {
    let server = Server::start([text("hi")]).await;
    let config = rig_core::providers::openai::OpenAIConfig::new(KEY).with_base_url("http://127.0.0.1:1");
    let model = RigModel::new(config.client().chat("some-model"));
    let (_, error) = ask(&model, request(vec![user("hi")])).await;
    let error = error.unwrap();
    assert!(error.retryable(), "{error}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn no_failure_holds_the_key() {
    for body in [
        json!({"error": {"message": format!("Incorrect API key provided: {KEY}.")}}).to_string(),
        format!("Authorization: Bearer {KEY} is refused"),
    ] {
        let refused = Reply::Error {
            status: 401,
            headers: "",
            body,
        };
        let error = failure(refused, true).await;
        assert!(!error.to_string().contains("canary"), "{error}");
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn the_agent_asks_again_after_a_transient_failure() {
    let server = Server::start([error(503, &json!({"error": {"message": "busy"}})), text("hello")]).await;
    let agent = AsyncAgent::builder(RigModel::new(server.chat()), crate::tools::manager())
        .model_retries(1, Duration::ZERO)
        .start()
        .await
        .unwrap();
    assert_eq!(agent.run_to_completion("hi").await.unwrap().text, "hello");
    agent.close().await.unwrap();
    assert_eq!(server.asked().len(), 2);
}
