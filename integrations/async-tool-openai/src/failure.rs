//! Conversion of failures to model errors, retryable or permanent.
//!
//! 408, 409, 429, 5xx, broken connections and streams that end too early are retryable; all other failures are
//! permanent. The key is removed from all messages of providers, proxies and libraries.

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_tool_runtime::model::{ModelError, without_keys};
use async_tool_wire::{error_status, is_passing, is_too_long, retry_after};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

/// Longest part of a provider's message that is kept, in characters.
const SAID: usize = 2_000;

/// Converter of failures to errors without the key.
#[derive(Clone)]
pub(crate) struct Failures {
    key: Arc<str>,
}

impl Failures {
    pub(crate) fn new(key: Arc<str>) -> Self {
        Self { key }
    }

    /// Converts an answer with an error status.
    pub(crate) fn refused(&self, refused: &Refused) -> ModelError {
        let status = refused.status;
        let body: Option<Value> = serde_json::from_str(&refused.body).ok();
        let error = body.as_ref().map(|body| body.get("error").unwrap_or(body));
        let said = error.and_then(Said::read);
        let text = said
            .as_ref()
            .map_or_else(|| self.clean(&refused.body), |said| self.clean(&said.to_string()));
        let message = format!("the provider answered {status}: {text}");
        let mut failure = if is_too_long(status.as_u16(), &refused.body) {
            return ModelError::too_long(message);
        } else if is_passing(status.as_u16()) && !said.as_ref().is_some_and(Said::is_out_of_money) {
            ModelError::transient(message)
        } else {
            ModelError::permanent(message)
        };
        if let Some(after) = refused.retry_after {
            failure = failure.with_retry_after(after);
        }
        failure
    }

    /// Converts an error that the provider reports within an answer.
    pub(crate) fn reported(&self, error: &Value) -> ModelError {
        let Some(said) = Said::read(error) else {
            return ModelError::transient("the provider ended the turn with an error and gave no reason");
        };
        let message = format!(
            "the provider ended the turn with an error: {}",
            self.clean(&said.to_string())
        );
        // Any other status in a stream says little of the length: routers pass refusals on as failures of their own.
        let status = said.status.filter(|status| matches!(status, 413 | 429)).unwrap_or(200);
        if is_too_long(status, &error.to_string()) {
            ModelError::too_long(message)
        } else if said.is_passing() {
            ModelError::transient(message)
        } else {
            ModelError::permanent(message)
        }
    }

    /// Makes the error for an answer that breaks the protocol. Retryable, because another answer may be valid.
    pub(crate) fn malformed(&self, what: &str) -> ModelError {
        ModelError::transient(format!("the provider sent {}", self.clean(what)))
    }

    /// Converts the error of a stream that broke off.
    pub(crate) fn broken(&self, error: reqwest::Error) -> ModelError {
        ModelError::transient(format!(
            "the model's stream broke: {}",
            self.chain(&error.without_url())
        ))
    }

    /// Converts a transport error: the request or the answer got lost. The address is hidden, because it may hold a
    /// password.
    pub(crate) fn transport(&self, error: reqwest::Error) -> ModelError {
        let what = if error.is_connect() {
            "the provider can't be reached"
        } else if error.is_timeout() {
            "the provider took too long to answer"
        } else if error.is_builder() {
            return ModelError::permanent(format!(
                "the request can't be made: {}",
                self.chain(&error.without_url())
            ));
        } else {
            "the connection to the provider broke"
        };
        ModelError::transient(format!("{what}: {}", self.chain(&error.without_url())))
    }

    /// The error's text with its causes, because reqwest's own message alone is vague.
    fn chain(&self, error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        self.clean(&text)
    }

    /// The text without the key, shortened to [`SAID`] characters.
    fn clean(&self, text: &str) -> String {
        let text = match self.key.is_empty() {
            true => text.to_owned(),
            false => text.replace(&*self.key, "[key]"),
        };
        // Before the cut, which may leave the beginning of another key.
        let text = without_keys(text.trim());
        match text.char_indices().nth(SAID) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None if text.is_empty() => "nothing".to_owned(),
            None => text.into_owned(),
        }
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failures(..)")
    }
}

/// An answer with an error status, not yet converted.
pub(crate) struct Refused {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, body: String) -> Self {
        Self {
            status,
            retry_after: retry_after(|name| headers.get(name)?.to_str().ok(), SystemTime::now()),
            body,
        }
    }
}

/// A provider's error message, code and type.
struct Said<'a> {
    message: &'a str,
    code: Option<&'a str>,
    /// The code of a server that writes a status there.
    status: Option<u16>,
    kind: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn read(error: &'a Value) -> Option<Self> {
        let field = |name: &str| error.get(name).and_then(Value::as_str);
        Some(Self {
            message: field("message").or_else(|| error.as_str())?,
            code: field("code"),
            status: error_status(error),
            kind: field("type").filter(|kind| *kind != "error"),
        })
    }

    /// True if the account has no credit. It comes with the status of a rate limit, but no pause mends it.
    fn is_out_of_money(&self) -> bool {
        [self.code, self.kind].contains(&Some("insufficient_quota"))
    }

    /// True for a retryable error within a stream, whose answer has the status of a success.
    fn is_passing(&self) -> bool {
        if let Some(status) = self.status {
            return is_passing(status);
        }
        let passing = |name: &str| {
            let name = name.to_ascii_lowercase();
            [
                "server_error",
                "servererror",
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
