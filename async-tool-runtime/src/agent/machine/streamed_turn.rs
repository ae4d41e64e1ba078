//! The part of the running turn that has streamed.

use crate::{
    agent::FrameGuard,
    clock::Timestamp,
    id::{TaskId, TaskNo},
    tool::ToolCall,
};

/// The part of a turn that has streamed.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamedTurn {
    pub(super) text: String,
    pub(super) calls: Vec<TurnCall>,
    /// Reads along; there is none before the first text.
    pub(super) guard: Option<Box<FrameGuard>>,
    /// Time of the last event of it.
    pub(super) heard: Timestamp,
}

/// A call of the running turn.
#[derive(Clone, Debug)]
pub(super) enum TurnCall {
    /// Accepted, and at work already.
    Accepted(TaskNo),
    /// Has effects that must not happen twice: a broken stream is asked again, so it waits for the end of the turn.
    Held(ToolCall, TaskId),
}
