//! Model errors made of rig's errors: the message, whether a retry helps, and after which pause.

use std::time::{Duration, SystemTime};

use async_tool_runtime::model::{ModelError, without_keys};
use async_tool_wire::{error_status, is_passing, is_too_long, retry_after, retry_delay};
use rig_core::error::{ErrorKind, ErrorReport, ProviderError};
use serde_json::Value;

/// Longest part of a server's message that is passed on, in characters.
const SHOWN: usize = 600;

/// Codes that a retry can't fix.
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

/// Converts a failure of a rig model.
pub(crate) fn of(provider: &str, error: &ProviderError) -> ModelError {
    match error {
        ProviderError::Truncated => ModelError::truncated(),
        error => of_report(provider, &error.report()),
    }
}

/// Converts the failure of a turn whose end says that it failed.
pub(crate) fn ended(provider: &str, words: &str) -> ModelError {
    ModelError::transient(format!("{provider} ended the turn with an error: {}", said(words)))
}

/// Converts a report of rig's.
pub(crate) fn of_report(provider: &str, report: &ErrorReport) -> ModelError {
    let body = report.provider_response_body().unwrap_or_default();
    let json: Option<Value> = serde_json::from_str(body).ok();
    let words = json.as_ref().and_then(message_of).unwrap_or(&report.message);
    let message = match report.http_status {
        Some(status) => format!("{provider} answered {status}: {}", said(words)),
        None => format!("{provider}: {}", said(words)),
    };
    // An error in a stream has the status of a success; some servers give another one as its code.
    let given = json.as_ref().and_then(|body| error_status(error_in(body)));
    let told = given.filter(|status| matches!(status, 413 | 429)).unwrap_or(200);
    if is_too_long(report.http_status.unwrap_or(told), &format!("{body} {words}")) {
        return ModelError::too_long(message);
    }
    let error = if is_transient(report, given) {
        ModelError::transient(message)
    } else {
        ModelError::permanent(message)
    };
    match pause(report).or_else(|| json.as_ref().and_then(retry_delay)) {
        Some(pause) if error.retryable() => error.with_retry_after(pause),
        _ => error,
    }
}

/// `given` is the status that the error gives as its code.
fn is_transient(report: &ErrorReport, given: Option<u16>) -> bool {
    let code = report.code.as_deref().unwrap_or_default().to_ascii_lowercase();
    if report.refusal || PERMANENT.contains(&&*code) && report.http_status.is_none_or(|status| status < 500) {
        return false;
    }
    match report.http_status {
        // A conflict with a request that still runs.
        Some(409) => true,
        Some(status) if status >= 300 => report.retryable,
        _ if given.is_some_and(|status| !is_passing(status)) => false,
        // An error that came inside of a stream, or an answer that can't be read: the request was taken.
        _ => match report.kind {
            ErrorKind::ProviderResponse
            | ErrorKind::Provider
            | ErrorKind::Response
            | ErrorKind::Json
            | ErrorKind::Timeout => true,
            _ => report.retryable,
        },
    }
}

/// A server's message, shortened to [`SHOWN`] characters.
fn said(text: &str) -> String {
    // Before the cut, which may leave the beginning of a key.
    let text = without_keys(text.trim()).into_owned();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "no reason was given".to_owned(),
        None => text,
    }
}

/// The provider's own message in an error body.
fn message_of(body: &Value) -> Option<&str> {
    let error = error_in(body);
    let body = body.get(0).unwrap_or(body);
    error
        .as_str()
        .or_else(|| error.get("message").and_then(Value::as_str))
        .or_else(|| body.get("message").and_then(Value::as_str))
}

/// The error in a body. Gemini's streamed errors are in a list.
fn error_in(body: &Value) -> &Value {
    let body = body.get(0).unwrap_or(body);
    body.get("error").unwrap_or(body)
}

/// The pause that the headers ask for.
fn pause(report: &ErrorReport) -> Option<Duration> {
    let headers = report.provider_response_headers()?;
    retry_after(|name| headers.get(name)?.to_str().ok(), SystemTime::now())
}
