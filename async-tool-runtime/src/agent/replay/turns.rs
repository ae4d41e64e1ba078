//! What a journal says of a turn before it has ended.

use crate::{Entry, TaskId, TaskNo, ToolCall, TurnEnd, TurnNo};

/// How a turn ended, and all that the model had said by then.
pub(super) struct TurnScript<'a> {
    pub(super) text: &'a str,
    pub(super) cuts: u32,
    pub(super) calls: &'a [TaskNo],
    /// `None`: it was broken off.
    pub(super) end: Option<&'a TurnEnd>,
}

impl<'a> TurnScript<'a> {
    /// From the entries after those that have been played; `None` if the turn failed or runs on.
    pub(super) fn find(later: &'a [Entry], running: TurnNo) -> Option<Self> {
        later.iter().find_map(|entry| match entry {
            Entry::TurnEnded {
                turn,
                text,
                calls,
                end,
                cuts,
                ..
            } if *turn == running => Some(Some(Self {
                text,
                cuts: *cuts,
                calls,
                end: Some(end),
            })),
            Entry::TurnInterrupted {
                turn,
                text,
                calls,
                cuts,
                ..
            } if *turn == running => Some(Some(Self {
                text,
                cuts: *cuts,
                calls,
                end: None,
            })),
            Entry::TurnFailed { turn, .. } if *turn == running => Some(None),
            _ => None,
        })?
    }
}

/// The call that became this task.
pub(super) fn call(entries: &[Entry], wanted: TaskNo) -> Option<(ToolCall, TaskId)> {
    entries.iter().rev().find_map(|entry| match entry {
        Entry::Accepted { number, call, task, .. } if *number == wanted => Some((call.clone(), *task)),
        _ => None,
    })
}
