//! Why a request failed, and whether another may succeed.
//!
//! 408, 409, 429 and 5xx pass, and so do broken connections and streams that end too early; anything else stays as it is. The key is taken out of whatever a
//! provider, a proxy or a library says.

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_openai::error::OpenAIError;
use async_tool_runtime::model::ModelError;
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

/// How much of what a provider says is kept, in characters.
const SAID: usize = 2_000;

/// Makes errors that don't hold the key.
#[derive(Clone)]
pub(crate) struct Failures {
    key: Arc<str>,
}

impl Failures {
    pub(crate) fn new(key: Arc<str>) -> Self {
        Self { key }
    }

    /// What was sent back in place of an answer.
    pub(crate) fn refused(&self, refused: &Refused) -> ModelError {
        let status = refused.status;
        let body: Option<Value> = serde_json::from_str(&refused.body).ok();
        let error = body.as_ref().map(|body| body.get("error").unwrap_or(body));
        let said = error.and_then(Said::read);
        let text = said
            .as_ref()
            .map_or_else(|| self.clean(&refused.body), |said| self.clean(&said.to_string()));
        let message = format!("the provider answered {status}: {text}");
        let mut failure = if is_passing(status) {
            ModelError::transient(message)
        } else if said.as_ref().is_some_and(Said::is_too_long) {
            ModelError::too_long(message)
        } else {
            ModelError::permanent(message)
        };
        if let Some(after) = refused.retry_after {
            failure = failure.with_retry_after(after);
        }
        failure
    }

    /// An error that came in place of the rest of an answer.
    pub(crate) fn reported(&self, error: &Value) -> ModelError {
        let Some(said) = Said::read(error) else {
            return ModelError::transient("the provider gave up the turn and did not say why");
        };
        let message = format!("the provider gave up the turn: {}", self.clean(&said.to_string()));
        if said.is_too_long() {
            ModelError::too_long(message)
        } else if said.is_passing() {
            ModelError::transient(message)
        } else {
            ModelError::permanent(message)
        }
    }

    /// An answer that makes no sense: another one may.
    pub(crate) fn malformed(&self, what: &str) -> ModelError {
        ModelError::transient(format!("the provider sent {}", self.clean(what)))
    }

    pub(crate) fn of(&self, error: OpenAIError) -> ModelError {
        match error {
            OpenAIError::Boxed(error) => match error.downcast::<Refused>() {
                Ok(refused) => self.refused(&refused),
                Err(error) => match error.downcast::<reqwest::Error>() {
                    Ok(error) => self.transport(*error),
                    Err(error) => ModelError::permanent(self.clean(&error.to_string())),
                },
            },
            OpenAIError::Reqwest(error) => self.transport(error),
            OpenAIError::JSONDeserialize(error, _) => self.malformed(&format!("what is no JSON: {error}")),
            OpenAIError::StreamError(error) => ModelError::transient(format!(
                "the model's stream broke off: {}",
                self.clean(&error.to_string())
            )),
            OpenAIError::ApiError(error) => {
                let message = self.clean(&error.to_string());
                match is_passing(error.status_code) {
                    true => ModelError::transient(message),
                    false => ModelError::permanent(message),
                }
            }
            error => ModelError::permanent(self.clean(&error.to_string())),
        }
    }

    /// A request that didn't reach the provider, or an answer that didn't come back. The address isn't shown: it may hold a password.
    fn transport(&self, error: reqwest::Error) -> ModelError {
        let what = if error.is_connect() {
            "the provider can't be reached"
        } else if error.is_timeout() {
            "the provider took too long"
        } else if error.is_builder() {
            return ModelError::permanent(format!(
                "the request can't be made: {}",
                self.chain(&error.without_url())
            ));
        } else {
            "the connection to the provider broke off"
        };
        ModelError::transient(format!("{what}: {}", self.chain(&error.without_url())))
    }

    /// An error with its causes: reqwest's own message hardly says what happened.
    fn chain(&self, error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        self.clean(&text)
    }

    /// The text without the key, and not endless.
    fn clean(&self, text: &str) -> String {
        let text = match self.key.is_empty() {
            true => text.to_owned(),
            false => text.replace(&*self.key, "[key]"),
        };
        let text = text.trim();
        match text.char_indices().nth(SAID) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None if text.is_empty() => "nothing".to_owned(),
            None => text.to_owned(),
        }
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failures(..)")
    }
}

/// An answer that is no success, before anybody has looked at it.
pub(crate) struct Refused {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, body: String) -> Self {
        Self {
            status,
            retry_after: retry_after(headers, SystemTime::now()),
            body,
        }
    }
}

// The body may repeat the key.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the provider answered {}", self.status)
    }
}

impl Error for Refused {}

/// What a provider says of an error.
struct Said<'a> {
    message: &'a str,
    code: Option<&'a str>,
    kind: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn read(error: &'a Value) -> Option<Self> {
        let field = |name: &str| error.get(name).and_then(Value::as_str);
        Some(Self {
            message: field("message").or_else(|| error.as_str())?,
            code: field("code"),
            kind: field("type").filter(|kind| *kind != "error"),
        })
    }

    fn is_too_long(&self) -> bool {
        let message = self.message.to_ascii_lowercase();
        self.code == Some("context_length_exceeded")
            || ["context window", "maximum context length", "context length"]
                .iter()
                .any(|words| message.contains(words))
    }

    /// Whether an error in a stream, which has no status, is one that passes.
    fn is_passing(&self) -> bool {
        let passing = |name: &str| {
            [
                "server_error",
                "rate_limit",
                "overloaded",
                "timeout",
                "unavailable",
                "internal",
                "conflict",
            ]
            .iter()
            .any(|word| name.contains(word))
        };
        match (self.code, self.kind) {
            (None, None) => true,
            (code, kind) => code.is_some_and(passing) || kind.is_some_and(passing),
        }
    }
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        match self.code.or(self.kind) {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 429) || status.is_server_error()
}

/// How long to wait: `retry-after-ms`, as OpenAI's own libraries read it, or `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = header("retry-after-ms").and_then(|text| text.parse::<f64>().ok());
    if let Some(after) = millis.and_then(|millis| Duration::try_from_secs_f64(millis / 1_000.0).ok()) {
        return Some(after);
    }
    let text = header("retry-after")?;
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
    }
}
