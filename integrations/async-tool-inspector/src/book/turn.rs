//! Turn of the model, as the page shows it.

use async_tool_runtime::{
    TaskNo,
    journal::{InterruptCause, Withdrawal},
    model::Usage,
    task::{Timestamp, TurnCause, TurnNo},
};
use serde::Serialize;

/// Longest text of a turn in the timeline, in characters. The transcript has all of it.
pub(super) const TEXT: usize = 2_000;

/// Turn of the model.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Turn {
    pub(super) turn: TurnNo,
    pub(super) cause: TurnCause,
    pub(super) from: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<&'static str>,
    pub(super) text: String,
    pub(super) cut: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reasoning: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<Usage>,
    pub(super) calls: Vec<TaskNo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ungrounded: Vec<String>,
    pub(super) cuts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_at: Option<Timestamp>,
}

impl Turn {
    pub(super) const fn new(turn: TurnNo, cause: TurnCause, from: Timestamp) -> Self {
        Self {
            turn,
            cause,
            from,
            to: None,
            end: None,
            text: String::new(),
            cut: false,
            reasoning: String::new(),
            tokens: None,
            calls: Vec::new(),
            by: None,
            error: None,
            ungrounded: Vec::new(),
            cuts: 0,
            retry_at: None,
        }
    }

    /// Ends the turn.
    pub(super) fn end(&mut self, end: &'static str, at: Timestamp) {
        self.end = Some(end);
        self.to = Some(at);
        self.retry_at = None;
    }

    pub(super) fn say(&mut self, text: &str) {
        (self.text, self.cut) = super::cut(text, TEXT);
    }
}

/// Cause of an interruption, to be read after "by".
pub(super) fn interrupted_by(cause: InterruptCause) -> String {
    match cause {
        InterruptCause::Result { task } => format!("the result of {task}"),
        InterruptCause::Host => "the host".to_owned(),
        InterruptCause::Message => "a user message".to_owned(),
        other => other.to_string(),
    }
}

/// Cause of a withdrawal, to be read after "by".
pub(super) fn withdrawn_by(cause: Withdrawal) -> String {
    match cause {
        Withdrawal::UserMessage => "a user message".to_owned(),
        _ => "a result".to_owned(),
    }
}
