//! Messages of the user, deliveries of results, and marks of a session.

use async_tool_runtime::{
    TaskId,
    task::{Timestamp, TurnNo},
};
use serde::Serialize;

/// Message of the user, cut.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UserMessage {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) text: String,
    pub(super) cut: bool,
    pub(super) media: usize,
}

/// Arrow from a result to the turn that was shown it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Delivery {
    pub(super) at: Timestamp,
    pub(super) task: TaskId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) turn: Option<TurnNo>,
    pub(super) how: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// Moment of a session.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Mark {
    pub(super) at: Timestamp,
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}
