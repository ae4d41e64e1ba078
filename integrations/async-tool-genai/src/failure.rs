//! Model errors made of what servers and connections report: the message, whether a retry helps, and after which
//! pause. No message holds the key.

use std::{
    error::Error as _,
    time::{Duration, SystemTime},
};

use async_tool_runtime::model::{ModelError, without_keys};
use async_tool_wire::{error_status, halves, is_passing, is_too_long, retry_after, retry_delay};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

use crate::{Provider, answer::Fault, secret::Secret};

/// Longest part of a server's message that is passed on, in characters.
const SHOWN: usize = 600;

/// Kinds and codes of errors in a stream that a retry can't fix.
const PERMANENT: &[&str] = &[
    "invalid_request_error",
    "invalid_prompt",
    "authentication_error",
    "permission_error",
    "permission_denied",
    "not_found_error",
    "not_found",
    "invalid_argument",
    "unauthenticated",
    "invalid_api_key",
    "insufficient_quota",
    "billing_error",
    "validationexception",
];

/// Converts the failure of an answer with a success status.
pub(crate) fn faulty(provider: Provider, fault: Fault, key: &Secret) -> ModelError {
    match fault {
        Fault::Refused(mut body) => {
            halves::join_all(&mut body);
            refused_in_stream(provider, &body, key)
        }
        Fault::Unreadable(why) => ModelError::transient(format!(
            "{provider}: a part of the answer can't be read: {}",
            said(key, &why)
        )),
    }
}

/// Converts an answer with an error status.
pub(crate) fn refused(
    provider: Provider,
    status: StatusCode,
    body: &str,
    headers: &HeaderMap,
    key: &Secret,
) -> ModelError {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let words = json.as_ref().and_then(message_of).unwrap_or_else(|| body.to_owned());
    let message = format!("{provider} answered {status}: {}", said(key, &words));
    let code = status.as_u16();
    if is_too_long(code, body) {
        return ModelError::too_long(message);
    }
    let is_out_of_money = json
        .as_ref()
        .is_some_and(|body| kinds(body).any(|kind| kind == "insufficient_quota"));
    let error = match code {
        429 if is_out_of_money => ModelError::permanent(message),
        code if is_passing(code) => ModelError::transient(message),
        _ => ModelError::permanent(message),
    };
    match pause(headers).or_else(|| json.as_ref().and_then(retry_delay)) {
        Some(pause) if error.retryable() => error.with_retry_after(pause),
        _ => error,
    }
}

/// Converts an error that came as an event of a stream with a success status.
fn refused_in_stream(provider: Provider, body: &Value, key: &Secret) -> ModelError {
    let text = body.to_string();
    let words = message_of(body).unwrap_or_else(|| text.clone());
    let message = format!("{provider} ended the turn with an error: {}", said(key, &words));
    let status = error_status(error_in(body));
    // Any other status in a stream says little of the length: routers pass refusals on as failures of their own.
    if is_too_long(
        status.filter(|status| matches!(status, 413 | 429)).unwrap_or(200),
        &text,
    ) {
        return ModelError::too_long(message);
    }
    let is_permanent = kinds(body).any(|kind| PERMANENT.contains(&kind.to_ascii_lowercase().as_str()));
    if is_permanent || status.is_some_and(|status| !is_passing(status)) {
        return ModelError::permanent(message);
    }
    match retry_delay(body) {
        Some(pause) => ModelError::transient(message).with_retry_after(pause),
        None => ModelError::transient(message),
    }
}

/// Converts a transport error: the answer is missing or incomplete.
pub(crate) fn broken(provider: Provider, error: reqwest::Error, key: &Secret) -> ModelError {
    let what = if error.is_connect() {
        "can't be reached"
    } else if error.is_timeout() {
        "took too long to answer"
    } else {
        "broke the connection"
    };
    // A retry can't fix a request that can't be built.
    let is_permanent = error.is_builder();
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    let message = format!("{provider} {what}: {}", said(key, &words));
    if is_permanent {
        ModelError::permanent(message)
    } else {
        ModelError::transient(message)
    }
}

/// A server's message without the key, shortened to [`SHOWN`] characters.
fn said(key: &Secret, text: &str) -> String {
    // Before the cut, which may leave the beginning of a key.
    let text = without_keys(&key.redact(text.trim())).into_owned();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "no reason was given".to_owned(),
        None => text,
    }
}

/// The provider's own message in an error body.
fn message_of(body: &Value) -> Option<String> {
    // Gemini's streamed errors are in a list.
    let body = body.get(0).unwrap_or(body);
    let error = body.get("error").unwrap_or(body);
    let message = error
        .as_str()
        .or_else(|| error.get("message").and_then(Value::as_str))
        .or_else(|| body.get("message").and_then(Value::as_str))
        .or_else(|| body.get("Message").and_then(Value::as_str))?;
    let kind = kinds(body).next().filter(|kind| !message.contains(*kind));
    Some(kind.map_or_else(|| message.to_owned(), |kind| format!("{message} ({kind})")))
}

/// The error in a body. Gemini's streamed errors are in a list.
fn error_in(body: &Value) -> &Value {
    let body = body.get(0).unwrap_or(body);
    body.get("error").unwrap_or(body)
}

/// The kinds and codes in an error body.
fn kinds(body: &Value) -> impl Iterator<Item = &str> {
    let error = error_in(body);
    let keys = ["code", "type", "status", "__type"];
    keys.into_iter()
        .filter_map(|key| error.get(key).and_then(Value::as_str))
        .filter(|kind| *kind != "error")
}

/// The pause that the headers ask for.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    retry_after(|name| headers.get(name)?.to_str().ok(), SystemTime::now())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refuse(code: u16, body: &str) -> ModelError {
        let status = StatusCode::from_u16(code).unwrap();
        refused(
            Provider::OpenAi,
            status,
            body,
            &HeaderMap::new(),
            &Secret::new("sk-canary"),
        )
    }

    #[test]
    fn what_another_try_mends_is_transient_and_nothing_else() {
        for code in [408, 409, 429, 500, 502, 503, 504, 529] {
            assert!(refuse(code, "{}").retryable(), "{code}");
        }
        for code in [301, 400, 401, 402, 403, 404, 405, 422] {
            assert!(!refuse(code, "{}").retryable(), "{code}");
        }
    }

    #[test]
    fn every_provider_s_words_for_too_long_are_known() {
        for (code, body) in [
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}"#,
            ),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
            ),
            (400, r#"{"message":"Input is too long for requested model."}"#),
            (
                400,
                r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
            ),
            (
                413,
                r#"{"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
            ),
        ] {
            let error = refuse(code, body);
            assert!(error.is_too_long() && !error.retryable(), "{body}");
        }
        let limit = refuse(
            429,
            r#"{"error":{"message":"Rate limit: reduce the length of the messages"}}"#,
        );
        assert!(
            !limit.is_too_long() && limit.retryable(),
            "a rate limit is not mended by cutting down"
        );
    }

    #[test]
    fn the_message_is_the_provider_s_without_the_key() {
        let error = refuse(
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-canary.","type":"invalid_request_error"}}"#,
        );
        assert_eq!(
            error.to_string(),
            "openai answered 401 Unauthorized: Incorrect API key provided: [key]. (invalid_request_error)"
        );
        assert!(!format!("{error:?}").contains("canary"));
    }

    #[test]
    fn an_error_in_a_stream_is_transient_unless_the_request_was_wrong() {
        let error = |body: Value| refused_in_stream(Provider::Anthropic, &body, &Secret::new("sk-canary"));
        let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        assert!(error(overloaded).retryable());
        let wrong = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}});
        assert!(!error(wrong).retryable());
        let long = json!({"code": "context_length_exceeded", "message": "too much"});
        assert!(error(long).is_too_long());
        for (code, passes) in [
            (json!(402), false),
            (json!(400), false),
            (json!("401"), false),
            (json!(408), true),
            (json!(429), true),
            (json!(502), true),
            (json!(1302), true),
        ] {
            let body = json!({"error": {"code": code, "message": "no"}});
            assert_eq!(error(body).retryable(), passes, "{code}");
        }
        assert!(error(json!({"error": {"code": 413, "message": "no"}})).is_too_long());
        let rate = json!({"error": {"code": 429, "message": "reduce the length of the messages, or wait"}});
        assert!(error(rate).retryable());
    }
}
