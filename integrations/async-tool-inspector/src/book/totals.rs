//! Totals of a session.

use std::collections::BTreeSet;

use async_tool_runtime::{TaskId, journal::Entry, model::Usage, task::Timestamp};

/// Totals of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) tokens: Usage,
    pub(crate) turns: usize,
    pub(crate) tasks: usize,
    pub(crate) began: Option<Timestamp>,
    pub(crate) changed: Option<Timestamp>,
    pub(crate) works_for: Option<TaskId>,
    pub(crate) is_closed: bool,
    pub(crate) open: BTreeSet<TaskId>,
}

impl Totals {
    /// Counts an entry.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        let at = entry.at();
        self.began.get_or_insert(at);
        self.changed = self.changed.max(Some(at));
        match entry {
            Entry::Opened { works_for, .. } => self.works_for = *works_for,
            Entry::TurnStarted { .. } => self.turns += 1,
            Entry::TurnEnded { end, .. } => {
                self.tokens.input += end.usage.input;
                self.tokens.cached += end.usage.cached;
                self.tokens.output += end.usage.output;
                self.tokens.reasoning += end.usage.reasoning;
            }
            Entry::Accepted {
                task,
                own: false,
                repeats: None,
                ..
            } => {
                self.tasks += 1;
                self.open.insert(*task);
            }
            Entry::Settled { result } => {
                self.open.remove(&result.task);
            }
            Entry::Closed { .. } => self.is_closed = true,
            _ => {}
        }
    }
}
