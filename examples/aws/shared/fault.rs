//! Errors of the SDK, as errors of tools: was the work started, and can another try help?
//!
//! | fault | error |
//! |---|---|
//! | no connection: refused, no such host, TLS | unavailable, not started |
//! | no credentials | failed, not started, not retryable; says how to set them |
//! | connection closed after the request, half an answer | unknown if done; tried again if the tool may be repeated |
//! | no answer in time | timeout; tried again if the tool may be repeated |
//! | 429, a throttling error | overloaded, not started, with the service's `retry_after` |
//! | 503, whatever the body | unavailable; tried again if the tool may be repeated |
//! | other 5xx | unknown if done; tried again if the tool may be repeated |
//! | other 4xx | failed, not started, not retryable |
//!
//! A function that returned an error is an answer, see [`function_error`].

use std::{error::Error, time::Duration};

use async_tool_runtime::{ToolError, ToolErrorKind};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_lambda::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use serde_json::Value;

/// Advice for a program without credentials.
pub const NO_CREDENTIALS: &str =
    "there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with a role";

/// Errors by which services say that they are asked too often. All of them are made before any work.
const THROTTLED: [&str; 9] = [
    "TooManyRequestsException",
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "OverLimit",
];
/// Longest text that is taken over from an answer.
const LONGEST: usize = 300;

/// Error of a request for `place`, such as "function `async-tool-api` in eu-west-1".
pub fn tool_error<E>(place: &str, error: &SdkError<E, HttpResponse>) -> ToolError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => refused(format!("the request to {place} can't be made: {}", chain(error))),
        SdkError::TimeoutError(_) => late(place),
        SdkError::DispatchFailure(failure) => {
            if let Some(credentials) = find::<CredentialsError>(error) {
                without_credentials(credentials)
            } else if never_connected(error) {
                let what = format!("{place} can't be reached, so nothing was started: {}", chain(error));
                ToolError::new(ToolErrorKind::Unavailable, what).with_not_started()
            } else if failure.is_timeout() {
                late(place)
            } else if failure.is_user() {
                refused(format!("the request to {place} can't be made: {}", chain(error)))
            } else {
                unknown(place, &chain(error))
            }
        }
        SdkError::ResponseError(response) if response.raw().status().is_success() => {
            unknown(place, &format!("its answer can't be read: {}", chain(error)))
        }
        SdkError::ResponseError(response) => by_status(place, response.raw(), None, None),
        SdkError::ServiceError(service) => {
            let said = service.err().message().map(shown);
            by_status(place, service.raw(), service.err().code(), said)
        }
        _ => unknown(place, &chain(error)),
    }
}

/// Error of a function that has run, from its answer. It is the tool's: the same call would fail again.
#[must_use]
pub fn function_error(payload: &[u8]) -> ToolError {
    let said = serde_json::from_slice::<Value>(payload).ok();
    let message = said.as_ref().and_then(|said| said.get("errorMessage")?.as_str());
    let message = message.map_or_else(|| shown(&String::from_utf8_lossy(payload)), shown);
    ToolError::failed(match message.is_empty() {
        true => "the function failed, and didn't say why".to_owned(),
        false => message,
    })
}

/// Texts of an error and its sources, without repetitions, in one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in sources(error) {
        let text = error.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
    }
    shown(&texts.join(": "))
}

fn by_status(place: &str, answer: &HttpResponse, code: Option<&str>, said: Option<String>) -> ToolError {
    let status = answer.status().as_u16();
    let said = match (code, said) {
        (Some(code), Some(said)) => format!("{code}: {said}"),
        (Some(said), None) => said.to_owned(),
        (None, Some(said)) => format!("status {status}: {said}"),
        (None, None) => format!("status {status}"),
    };
    if status == 429 || code.is_some_and(|code| THROTTLED.contains(&code)) {
        let error = ToolError::new(ToolErrorKind::Overloaded, format!("{place} is asked too often: {said}"));
        let error = error.with_not_started();
        return match retry_after(answer) {
            Some(after) => error.with_retry_after(after),
            None => error,
        };
    }
    match (status, code) {
        (_, Some("ResourceNotFoundException" | "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue")) => {
            refused(format!(
                "there is no {place}: deploy it there, or set AWS_REGION and --prefix to its place"
            ))
        }
        (503, _) => {
            let error = ToolError::new(
                ToolErrorKind::Unavailable,
                format!("{place} is not available now: {said}"),
            );
            match retry_after(answer) {
                Some(after) => error.with_retry_after(after),
                None => error,
            }
        }
        (400..500, _) => refused(format!("{place} refused the request: {said}")),
        _ => unknown(place, &said),
    }
}

/// Nothing was done, and the same request would be refused again.
fn refused(message: String) -> ToolError {
    ToolError::failed(message).with_not_started().with_retryable(false)
}

/// The request may have been carried out. Only a tool that may be repeated is tried again.
fn unknown(place: &str, why: &str) -> ToolError {
    let message = format!("it is not known if {place} has done its work: {why}");
    ToolError::new(ToolErrorKind::Unknown, message).with_retryable(true)
}

fn late(place: &str) -> ToolError {
    ToolError::new(ToolErrorKind::Timeout, format!("{place} did not answer in time"))
}

/// True if the connection was never made, so the request was never sent.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error).is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// Error of a request that was not signed, so it was not sent. Only its source tells it from a broken connection.
fn without_credentials(error: &CredentialsError) -> ToolError {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => refused(NO_CREDENTIALS.to_owned()),
        CredentialsError::ProviderTimedOut(_) => {
            let what = format!(
                "the source of the AWS credentials did not answer in time: {}",
                chain(error)
            );
            ToolError::new(ToolErrorKind::Unavailable, what).with_not_started()
        }
        _ => refused(format!("{NO_CREDENTIALS} (the last source failed: {})", chain(error))),
    }
}

/// Seconds of the header `Retry-After`. Services of AWS send no dates in it.
fn retry_after(answer: &HttpResponse) -> Option<Duration> {
    let seconds: f64 = answer.headers().get("retry-after")?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    sources(error).find_map(|error| error.downcast_ref())
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// Text in one line, and not too long.
fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
