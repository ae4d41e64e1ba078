//! Requests that fail.

use std::time::Duration;

use async_tool_genai::{Provider, Timeouts};
use serde_json::json;

use crate::{
    server::{Reply, Server, ask, request, user},
    wire::{PROVIDERS, frames, stream},
};

#[tokio::test]
async fn a_rate_limit_says_when_to_try_again() {
    for provider in PROVIDERS {
        for streamed in [true, false] {
            let body = json!({"error": {"message": "slow down", "type": "rate_limit"}});
            let server = Server::start(vec![Reply::error(429, "retry-after: 7\r\n", &body)]).await;
            let model = server.builder(provider).stream(streamed).build().unwrap();
            let (events, error) = ask(&model, request(vec![user("hi")])).await;
            let error = error.unwrap();
            assert!(events.is_empty() && error.retryable(), "{provider} {streamed}: {error}");
            assert_eq!(
                error.retry_after(),
                Some(Duration::from_secs(7)),
                "{provider} {streamed}"
            );
            assert!(
                error.to_string().contains("slow down"),
                "{provider} {streamed}: {error}"
            );
            assert_eq!(server.asked().len(), 1, "only the agent retries");
        }
    }
}

#[tokio::test]
async fn a_bad_request_is_permanent_and_a_long_one_is_too_long() {
    for provider in PROVIDERS {
        for streamed in [true, false] {
            let bad = json!({"error": {"message": "no such parameter"}});
            let long = json!({"error": {"message": "prompt is too long: maximum context length is 10"}});
            let server = Server::start(vec![Reply::error(400, "", &bad), Reply::error(400, "", &long)]).await;
            let model = server.builder(provider).stream(streamed).build().unwrap();
            let error = ask(&model, request(vec![user("hi")])).await.1.unwrap();
            assert!(!error.retryable() && !error.is_too_long(), "{provider}: {error}");
            assert!(error.to_string().contains("no such parameter"), "{provider}: {error}");
            let error = ask(&model, request(vec![user("hi")])).await.1.unwrap();
            assert!(!error.retryable() && error.is_too_long(), "{provider}: {error}");
        }
    }
}

#[tokio::test]
async fn an_overloaded_server_and_one_that_is_not_there_may_be_better_later() {
    for provider in PROVIDERS {
        let server = Server::start(vec![Reply::error(
            529,
            "",
            &json!({"error": {"message": "overloaded"}}),
        )])
        .await;
        let model = server.builder(provider).build().unwrap();
        assert!(
            ask(&model, request(vec![user("hi")])).await.1.unwrap().retryable(),
            "{provider}"
        );

        let model = server.builder(provider).base_url("http://127.0.0.1:9").build().unwrap();
        let error = ask(&model, request(vec![user("hi")])).await.1.unwrap();
        assert!(error.retryable(), "{provider}: {error}");
        assert!(error.to_string().contains("can't be reached"), "{provider}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let other = Server::start(vec![Reply::json(&json!({}))]).await;
    let headers = format!("location: {}/v1/messages\r\n", other.url);
    let server = Server::start(vec![Reply::error(307, &headers, &json!({}))]).await;
    let model = server.builder(Provider::Anthropic).build().unwrap();
    assert!(!ask(&model, request(vec![user("hi")])).await.1.unwrap().retryable());
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_told_in_the_provider_s_words() {
    for (provider, name, data) in [
        (
            Provider::OpenAi,
            "",
            json!({"error": {"message": "the engine is on fire", "type": "server_error"}}),
        ),
        (
            Provider::Anthropic,
            "error",
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "the engine is on fire"}}),
        ),
        (
            Provider::OpenAiResponses,
            "error",
            json!({"type": "error", "code": "server_error", "message": "the engine is on fire"}),
        ),
        (
            Provider::OpenAiResponses,
            "response.failed",
            json!({"type": "response.failed", "response": {"id": "r", "model": "m", "status": "failed", "output": [], "error": {"code": "server_error", "message": "the engine is on fire"}}}),
        ),
        (
            Provider::Gemini,
            "",
            json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "the engine is on fire"}}),
        ),
    ] {
        let mut frames = frames(provider, "I look.", &[]);
        frames.truncate(2);
        frames.push((name, data.to_string()));
        let server = Server::start(vec![stream(provider, &frames)]).await;
        let model = server.builder(provider).build().unwrap();
        let error = ask(&model, request(vec![user("hi")])).await.1.unwrap();
        assert!(error.retryable(), "{provider}: {error}");
        assert!(
            error.to_string().contains("the engine is on fire"),
            "{provider} {name}: {error}"
        );
    }
}

#[tokio::test]
async fn silence_ends_a_turn_before_the_first_token_and_between_two() {
    let brief = Duration::from_millis(150);
    for provider in PROVIDERS {
        let mut frames = frames(provider, "I look.", &[]);
        frames.truncate(2);
        let begun = Reply {
            stalls: true,
            ..stream(provider, &frames)
        };
        let silent = Reply {
            body: Vec::new(),
            ..begun.clone()
        };
        for (reply, timeouts) in [
            (
                silent,
                Timeouts {
                    first_token: brief,
                    ..Timeouts::default()
                },
            ),
            (
                begun.clone(),
                Timeouts {
                    stall: brief,
                    ..Timeouts::default()
                },
            ),
            (
                begun,
                Timeouts {
                    turn: brief,
                    ..Timeouts::default()
                },
            ),
        ] {
            let server = Server::start(vec![reply]).await;
            let model = server.builder(provider).timeouts(timeouts).build().unwrap();
            let error = ask(&model, request(vec![user("hi")])).await.1.unwrap();
            assert!(
                error.retryable() && error.to_string().contains("150ms"),
                "{provider}: {error}"
            );
        }
    }
}
