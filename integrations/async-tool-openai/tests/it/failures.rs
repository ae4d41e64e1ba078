//! Turns that fail, and their errors.

use std::{
    error::Error,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_openai::{OpenAiModel, Timeouts};
use async_tool_runtime::model::{ModelError, ModelEvent};
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore};
use tracing::Level;

use crate::{
    server::{Reply, Server, event, events, gate, said},
    wire::{KEY, ask, builder},
};

async fn failure(reply: Reply, is_streamed: bool) -> (ModelError, usize) {
    let server = Server::start([reply]).await;
    let (_, error) = ask(&builder(&server).stream(is_streamed).build().unwrap()).await;
    (error.expect("the turn fails"), server.requests().len())
}

#[tokio::test]
async fn a_request_is_sent_once_and_the_pause_that_the_provider_wants_is_passed_on() {
    for is_streamed in [true, false] {
        let body = r#"{"error": {"message": "Slow down.", "type": "requests", "code": "rate_limit_exceeded"}}"#;
        let reply = Reply::new("429 Too Many Requests", body).header("retry-after", "7");
        let (error, requests) = failure(reply, is_streamed).await;
        assert_eq!(requests, 1, "only the agent retries");
        assert!(error.retryable());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(
            error.to_string(),
            "the provider answered 429 Too Many Requests: Slow down. (rate_limit_exceeded)"
        );

        let (error, requests) = failure(Reply::new("503 Service Unavailable", "<html>busy</html>"), is_streamed).await;
        assert_eq!((error.retryable(), requests), (true, 1));
    }
}

#[tokio::test]
async fn a_bad_request_is_permanent_and_says_what_the_provider_said() {
    for is_streamed in [true, false] {
        let body = r#"{"error": {"message": "No tool call found for call_9.", "type": "invalid_request_error", "param": "input", "code": null}}"#;
        let (error, _) = failure(Reply::new("400 Bad Request", body), is_streamed).await;
        assert!(!error.retryable() && !error.is_too_long());
        assert!(error.to_string().contains("No tool call found for call_9."), "{error}");

        let body = r#"{"error": {"message": "Your input exceeds the context window of this model.", "code": "context_length_exceeded"}}"#;
        let (error, _) = failure(Reply::new("400 Bad Request", body), is_streamed).await;
        assert!(error.is_too_long() && !error.retryable());
    }
}

#[tokio::test]
async fn a_stream_without_its_end_is_truncated_however_cleanly_it_was_closed() {
    let items = [said("One moment."), gate("call_1", "a")];
    for body in [events(&items), events(&items) + "data: [DONE]\n\n", String::new()] {
        let (error, _) = failure(Reply::raw(body), true).await;
        assert_eq!(error, ModelError::truncated());
    }
    // An unstreamed answer is cut if its length or its JSON is incomplete.
    let (error, _) = failure(Reply::new("200 OK", r#"{"status": "completed", "output": ["#), false).await;
    assert!(error.retryable(), "{error}");
    let (error, _) = failure(
        Reply::new("200 OK", r#"{"status": "in_progress", "output": []}"#),
        false,
    )
    .await;
    assert!(error.retryable(), "{error}");
    let short = Reply::new("200 OK", r#"{"status": "completed", "output": []}"#).header("content-length", "400");
    let (error, _) = failure(short, false).await;
    assert!(error.retryable(), "{error}");
}

#[tokio::test]
async fn what_is_malformed_may_be_tried_again() {
    let empty = json!({"type": "response.output_item.done", "item": null});
    for body in ["data: {\"type\": \"respon\n\n".to_owned(), event(&empty)] {
        let (error, _) = failure(Reply::raw(body), true).await;
        assert!(error.retryable(), "{error}");
    }
}

#[tokio::test]
async fn errors_within_a_stream_are_told_apart() {
    let failed = |code: &str| {
        let error = json!({"code": code, "message": "so it is"});
        event(&json!({"type": "response.failed", "response": {"status": "failed", "error": error}}))
    };
    let (error, _) = failure(Reply::raw(failed("server_error")), true).await;
    assert!(error.retryable() && error.to_string().contains("so it is"));
    let (error, _) = failure(Reply::raw(failed("invalid_prompt")), true).await;
    assert!(!error.retryable());
    let (error, _) = failure(Reply::raw(failed("context_length_exceeded")), true).await;
    assert!(error.is_too_long());
    let flat = event(&json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": null}));
    let (error, _) = failure(Reply::raw(flat), true).await;
    assert!(error.retryable() && error.to_string().contains("slow down"));
    let whole = json!({"status": "failed", "error": {"code": "server_error", "message": "so it is"}, "output": []});
    let (error, _) = failure(Reply::new("200 OK", whole.to_string()), false).await;
    assert!(error.retryable());
}

#[tokio::test]
async fn silence_ends_a_turn() {
    let short = Duration::from_millis(50);
    let never = Arc::new(Semaphore::new(0));
    let held = || Reply::held(&[said("well")], &never);
    let limits = [
        (
            Timeouts {
                stall: short,
                ..Timeouts::default()
            },
            true,
            "said nothing for 50ms",
            1,
        ),
        (
            Timeouts {
                turn: short,
                ..Timeouts::default()
            },
            true,
            "was not complete within 50ms",
            1,
        ),
        (
            Timeouts {
                turn: short,
                ..Timeouts::default()
            },
            false,
            "was not complete within 50ms",
            0,
        ),
    ];
    for (timeouts, is_streamed, expected, texts) in limits {
        let server = Server::start([held()]).await;
        let (events, error) = ask(&builder(&server).stream(is_streamed).timeouts(timeouts).build().unwrap()).await;
        let error = error.expect("the turn fails");
        assert!(error.retryable() && error.to_string().contains(expected), "{error}");
        let heard = events
            .iter()
            .filter(|event| matches!(event, ModelEvent::Text(_)))
            .count();
        assert_eq!(heard, texts, "{events:?}");
    }

    // The answer begins, and then the server is silent.
    let timeouts = Timeouts {
        first_token: short,
        ..Timeouts::default()
    };
    let server = Server::start([Reply::mute(&never)]).await;
    let (_, error) = ask(&builder(&server).timeouts(timeouts).build().unwrap()).await;
    assert_eq!(error, Some(ModelError::silent(short)));

    // A server that listens but never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let timeouts = Timeouts {
        first_token: short,
        ..Timeouts::default()
    };
    let model = OpenAiModel::builder("gpt-6-astra")
        .base_url(url)
        .api_key(KEY)
        .timeouts(timeouts)
        .build()
        .unwrap();
    let (_, error) = ask(&model).await;
    let error = error.expect("the turn fails");
    assert!(
        error.retryable() && error.to_string().contains("did not begin to answer within 50ms"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let model = OpenAiModel::builder("m")
        .base_url(format!("http://{gone}/v1"))
        .api_key(KEY)
        .build()
        .unwrap();
    let (_, error) = ask(&model).await;
    let error = error.expect("the turn fails");
    assert!(
        error.retryable() && error.to_string().contains("can't be reached"),
        "{error}"
    );
}

/// All texts that an error shows.
fn shown(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn the_key_is_in_no_error_and_in_no_debug_output() {
    let echo = |status| {
        Reply::new(
            status,
            json!({"error": {"message": format!("bad key {KEY}"), "code": KEY}}).to_string(),
        )
    };
    let failed = json!({"type": "response.failed", "response": {"error": {"code": "x", "message": KEY}}});
    let replies = [
        (echo("401 Unauthorized"), true),
        (echo("401 Unauthorized"), false),
        (echo("500 Internal Server Error"), true),
        (Reply::new("403 Forbidden", KEY), false),
        (Reply::raw(event(&failed)), true),
        (
            Reply::new("302 Found", "").header("location", format!("http://127.0.0.1:1/{KEY}")),
            true,
        ),
    ];
    for (reply, is_streamed) in replies {
        let (error, _) = failure(reply, is_streamed).await;
        assert!(!shown(&error).contains("canary"), "{error:?}");
    }
    let other = "sk-other-0123456789";
    for (reply, is_streamed) in [
        (Reply::raw(format!("data: {other}\n\n")), true),
        (Reply::new("200 OK", other), false),
    ] {
        let server = Server::start([reply]).await;
        let model = builder(&server).api_key(other).stream(is_streamed).build().unwrap();
        let error = ask(&model).await.1.expect("the turn fails");
        assert!(!shown(&error).contains("sk-other"), "{error:?}");
    }
    let builder = OpenAiModel::builder("gpt-6-astra")
        .base_url(format!("http://user:{KEY}@host"))
        .api_key(KEY);
    assert!(!format!("{builder:?} {builder:#?}").contains("canary"));
    assert!(!shown(&builder.build().unwrap_err()).contains("canary"));
    let model = OpenAiModel::builder("gpt-6-astra").api_key(KEY).build().unwrap();
    assert!(!format!("{model:?} {model:#?}").contains("canary"));
    let unsendable = OpenAiModel::builder("gpt-6-astra")
        .api_key(format!("{KEY}\n{KEY}"))
        .build();
    assert!(!shown(&unsendable.unwrap_err()).contains("canary"));
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_key_is_in_no_log() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer({
        let log = log.clone();
        move || log.clone()
    });
    // Global, because tracing caches a callsite as disabled if another test's thread without a subscriber logs it
    // first.
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    let echo = |status| {
        Reply::new(
            status,
            json!({"error": {"message": format!("bad key {KEY}")}}).to_string(),
        )
    };
    for status in [
        "400 Bad Request",
        "401 Unauthorized",
        "429 Too Many Requests",
        "500 Internal Server Error",
    ] {
        failure(echo(status), true).await;
        failure(echo(status), false).await;
    }
    failure(Reply::new("403 Forbidden", KEY), true).await;
    failure(Reply::raw("data: oops\n\n"), true).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains("canary"), "{log}");
}

#[test]
fn what_is_missing_to_build_a_model_is_said() {
    let refusal = |builder: async_tool_openai::OpenAiModelBuilder| builder.build().unwrap_err().to_string();
    let model = || OpenAiModel::builder("gpt-6-astra").api_key(KEY);
    assert_eq!(
        refusal(OpenAiModel::builder("gpt-6-astra").api_key(" ")),
        "there is no API key: set `OPENAI_API_KEY` in the environment, or give one with `api_key`"
    );
    assert!(refusal(model().base_url("api.openai.com")).contains("must be an absolute URL"));
    assert!(refusal(model().base_url("ftp://api.openai.com")).contains("http://"));
    assert!(refusal(OpenAiModel::builder(" ").api_key(KEY)).contains("name is empty"));
}
