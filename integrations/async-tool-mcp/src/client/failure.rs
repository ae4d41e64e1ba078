//! Failures of requests, and the errors that tools make of them.

use std::{fmt, time::Duration};

use async_tool_runtime::{Effect, ToolError, ToolErrorKind};

/// Code of a JSON-RPC error for an unknown id, an unknown tool, or arguments that don't fit.
const INVALID_PARAMS: i64 = -32602;
/// Code of a JSON-RPC error for a method that the server doesn't have.
const METHOD_NOT_FOUND: i64 = -32601;
/// Code of a JSON-RPC error for a fault of the server, not of the request.
const INTERNAL_ERROR: i64 = -32603;
/// Bytes of a server's text that a line of a log, a status or a reason repeats.
const SHOWN: usize = 2_000;

/// Reason of a loss.
pub(super) const ENDED: &str = "the server ended the connection";

/// Failure of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// Nothing was sent.
    NotSent(String),
    /// The server, or a proxy before it, answered with an HTTP status in place of a JSON-RPC message.
    Http { status: u16, retry_after: Option<Duration> },
    /// JSON-RPC error of the server.
    Rpc { code: i64, message: String },
    /// The connection ended between the request and its answer.
    Lost(String),
    /// The answer can't be read.
    Invalid(String),
    /// No answer and no sign of life within this time.
    Idle(Duration),
    /// No answer within the hard maximum.
    Overdue(Duration),
    /// The server wants credentials.
    Unauthorized,
}

impl Failure {
    /// True if a repetition of a request that does no harm may succeed.
    pub(super) const fn is_passing(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Lost(_) | Self::Idle(_) => true,
            Self::Http { status, .. } => matches!(*status, 408 | 425 | 429 | 500..),
            Self::Rpc { .. } | Self::Invalid(_) | Self::Overdue(_) | Self::Unauthorized => false,
        }
    }

    /// True if the server can't have begun to work on the request.
    ///
    /// A server that names a pause with 429 or 503 has refused on purpose. A bare 503 may come from a proxy that lost the connection to
    /// the server behind it, after it had passed the request on.
    pub(super) const fn is_unbegun(&self) -> bool {
        match self {
            Self::NotSent(_) | Self::Unauthorized => true,
            Self::Http { status, retry_after } => {
                (*status == 503 && retry_after.is_some()) || (*status / 100 == 4 && *status != 408)
            }
            Self::Rpc { .. } | Self::Lost(_) | Self::Invalid(_) | Self::Idle(_) | Self::Overdue(_) => false,
        }
    }

    /// True if the server doesn't know the task that a request names.
    pub(super) const fn is_unknown_task(&self) -> bool {
        matches!(
            self,
            Self::Rpc {
                code: INVALID_PARAMS | METHOD_NOT_FOUND,
                ..
            }
        )
    }

    /// True if the server has failed at the request, which may have been right: such as a process of it that doesn't have the task.
    pub(super) const fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::Rpc {
                code: INTERNAL_ERROR,
                ..
            }
        )
    }

    /// Pause that the server asks for.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Http { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// True if the server may be gone.
    pub(super) const fn is_of_connection(&self) -> bool {
        matches!(self, Self::NotSent(_) | Self::Lost(_) | Self::Idle(_))
    }

    /// Error of a call whose request failed like this.
    pub(super) fn into_error(self, effect: Effect) -> ToolError {
        let text = self.to_string();
        if self.is_unbegun() {
            let mut error = ToolError::new(ToolErrorKind::Unavailable, format!("the call was not started: {text}"));
            if let Some(pause) = self.retry_after() {
                error = error.with_retry_after(pause);
            }
            return if self.is_passing() {
                error.with_not_started()
            } else {
                error.with_retryable(false)
            };
        }
        let kind = match self {
            Self::Rpc { code, message } => return of_rpc(code, &message),
            Self::Idle(_) | Self::Overdue(_) => ToolErrorKind::Timeout,
            _ => ToolErrorKind::Unavailable,
        };
        if effect.is_repeatable() {
            return ToolError::new(kind, text);
        }
        ToolError::new(
            ToolErrorKind::Unknown,
            format!("{text}, after the call was sent; it may have been done"),
        )
    }
}

/// Error of a call that the server answered with a JSON-RPC error. It has the server's text whole, as an error result has.
fn of_rpc(code: i64, text: &str) -> ToolError {
    let text = format!("{text} [code {code}]");
    match code {
        INVALID_PARAMS => ToolError::new(ToolErrorKind::InvalidArguments, text),
        _ => ToolError::failed(text),
    }
}

/// Error of a task that failed with this JSON-RPC error.
pub(super) fn of_task(error: &serde_json::Value, status_message: Option<&str>) -> ToolError {
    let message = error["message"].as_str().unwrap_or("the server gives no reason");
    let code = error["code"].as_i64().unwrap_or_default();
    let mut text = message.to_owned();
    if let Some(status) = status_message.filter(|status| *status != message && !status.is_empty()) {
        text = format!("{text} ({})", shown(status));
    }
    of_rpc(code, &text)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) => write!(f, "the server can't be reached: {why}"),
            Self::Http { status, .. } => write!(f, "the server answered with HTTP status {status}"),
            Self::Rpc { code, message } => write!(f, "{} [code {code}]", shown(message)),
            Self::Lost(why) => write!(f, "the connection to the server was lost: {why}"),
            Self::Invalid(what) => write!(f, "the server's answer is invalid: {}", shown(what)),
            Self::Idle(limit) => write!(f, "the server gave no sign of life for {limit:?}"),
            Self::Overdue(limit) => write!(f, "the server did not answer within {limit:?}"),
            Self::Unauthorized => f.write_str("the server refuses the credentials; check the token"),
        }
    }
}

/// Beginning of a server's text.
pub(super) fn shown(text: &str) -> String {
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let mut end = SHOWN;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_of_the_server_is_whole() {
        let message = format!("{}the cause is at the end", "at a line of the trace\n".repeat(1_000));
        let answered = Failure::Rpc {
            code: -32000,
            message: message.clone(),
        };
        let of_a_task = of_task(&json!({"code": -32000, "message": message}), None);
        for error in [answered.into_error(Effect::Once), of_a_task] {
            assert_eq!(error.model_message(), format!("{message} [code -32000]"));
        }
    }
}
