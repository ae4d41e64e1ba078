//! Model errors made of rig's errors: the message, whether a retry helps, and after which pause. No message holds a key.

use std::time::{Duration, SystemTime};

use async_tool_runtime::model::ModelError;
use rig_core::error::{ErrorKind, ErrorReport, ProviderError};
use serde_json::Value;

/// Longest part of a server's message that is passed on, in characters.
const SHOWN: usize = 600;

/// Wordings for a conversation that is longer than the model's context. Each is a server's own, in lower case.
const TOO_LONG: &[&str] = &[
    "context_length_exceeded",            // OpenAI, code
    "maximum context length",             // OpenAI Chat, vLLM, Mistral, OpenRouter, DeepSeek
    "exceeds the context window",         // OpenAI Responses
    "prompt is too long",                 // Anthropic
    "exceed context limit",               // Anthropic
    "input token count",                  // Gemini
    "input is too long",                  // Bedrock
    "too many input tokens",              // Bedrock
    "exceed_context_size_error",          // llama-server, type
    "exceeds the available context size", // llama-server, Ollama
    "input length exceeds",               // Ollama
    "maximum prompt length",              // xAI
    "reduce the length of the messages",  // Groq
    "context length exceeded",            // LM Studio
    "greater than the context length",    // LM Studio
];

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
    // Rate limits also speak of length ("tokens per minute"), and a shorter conversation doesn't help there.
    if report.http_status == Some(413) || report.http_status != Some(429) && is_too_long(&format!("{body} {words}")) {
        return ModelError::too_long(message);
    }
    let error = if is_transient(report) {
        ModelError::transient(message)
    } else {
        ModelError::permanent(message)
    };
    match retry_after(report).or_else(|| json.as_ref().and_then(retry_delay)) {
        Some(pause) if error.retryable() => error.with_retry_after(pause),
        _ => error,
    }
}

fn is_transient(report: &ErrorReport) -> bool {
    let code = report.code.as_deref().unwrap_or_default().to_ascii_lowercase();
    if report.refusal || PERMANENT.contains(&&*code) && report.http_status.is_none_or(|status| status < 500) {
        return false;
    }
    match report.http_status {
        // A conflict with a request that still runs.
        Some(409) => true,
        Some(status) if status >= 300 => report.retryable,
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

/// A server's message without keys, shortened to [`SHOWN`] characters.
fn said(text: &str) -> String {
    let text = without_keys(text.trim());
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "no reason was given".to_owned(),
        None => text,
    }
}

/// Replaces what looks like a key. rig keeps its keys to itself, so that they can't be searched for.
fn without_keys(text: &str) -> String {
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || "-_.~+/=".contains(letter);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_bearer = false;
    while let Some(first) = rest.chars().next() {
        let end = if is_of_word(first) {
            rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, remaining) = rest.split_at(end);
        let is_key = |start: &str| {
            let mut places = word.match_indices(start);
            word.len() > start.len() + 3
                && places.any(|(at, _)| !word[..at].ends_with(|before: char| before.is_ascii_alphanumeric()))
        };
        let has_key = ["sk-", "AIza", "gsk_", "xai-", "hf_", "pplx-"].into_iter().any(is_key);
        clean.push_str(if has_key || after_bearer && is_of_word(first) {
            "[key]"
        } else {
            word
        });
        after_bearer = word.eq_ignore_ascii_case("bearer") || after_bearer && word == " ";
        rest = remaining;
    }
    clean
}

fn is_too_long(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    TOO_LONG.iter().any(|sign| text.contains(sign))
}

/// The provider's own message in an error body.
fn message_of(body: &Value) -> Option<&str> {
    // Gemini's streamed errors are in a list.
    let body = body.get(0).unwrap_or(body);
    let error = body.get("error").unwrap_or(body);
    error
        .as_str()
        .or_else(|| error.get("message").and_then(Value::as_str))
        .or_else(|| body.get("message").and_then(Value::as_str))
}

/// The pause that the headers ask for: `retry-after-ms` (OpenAI, Azure), or `retry-after` in seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(report: &ErrorReport) -> Option<Duration> {
    let headers = report.provider_response_headers()?;
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1_000.0).ok();
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// The pause in Gemini's `RetryInfo`, such as `"retryDelay": "34s"`.
fn retry_delay(body: &Value) -> Option<Duration> {
    let body = body.get(0).unwrap_or(body);
    let details = body.get("error").unwrap_or(body).get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_no_key() {
        for (text, clean) in [
            (
                "Incorrect API key provided: sk-proj-1234.",
                "Incorrect API key provided: [key]",
            ),
            (
                "Authorization: Bearer abc.def-1 was refused",
                "Authorization: Bearer [key] was refused",
            ),
            ("key=AIzaSyD12345", "[key]"),
            (
                "the bearer of bad news: risk-free",
                "the bearer [key] bad news: risk-free",
            ),
            ("größer: task-1", "größer: task-1"),
        ] {
            assert_eq!(without_keys(text), clean);
        }
    }
}
