//! Streamed part of the running turn.

use crate::{
    agent::FrameGuard,
    clock::Timestamp,
    id::{TaskId, TaskNo},
    task::TurnCause,
    tool::ToolCall,
};

/// Streamed part of the running turn.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamedTurn {
    pub(super) text: String,
    /// True if readers don't get the text while it streams.
    pub(super) is_quiet: bool,
    /// Reasoning that the provider streams. Only for readers: it is in no entry.
    pub(super) reasoning: String,
    pub(super) calls: Vec<TurnCall>,
    /// News that the turn answers; `None` before the first turn.
    pub(super) cause: Option<TurnCause>,
    /// True if the model was asked before any call, or while tasks ran.
    pub(super) is_unknowing: bool,
    /// True once the model has said or called anything.
    pub(super) has_spoken: bool,
    /// Guard of the turn's text; made with the first text.
    pub(super) guard: Option<Box<FrameGuard>>,
    /// Time of the turn's last event.
    pub(super) heard: Timestamp,
}

/// Call of the running turn.
#[derive(Clone, Debug)]
pub(super) enum TurnCall {
    /// Accepted, and running already.
    Accepted(TaskNo),
    /// Waits for the end of the turn, because it has effects: a failed turn is repeated, with all its calls.
    Held(ToolCall, TaskId),
}
