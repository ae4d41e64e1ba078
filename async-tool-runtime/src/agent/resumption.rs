//! Fates of the tasks of a session that was taken up again.

use crate::id::TaskNo;

/// Fates of a session's tasks when it was taken up again after its process had ended.
///
/// Tasks that wait for the result of another are in none of the lists: they have never been submitted, and go on waiting for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resumption {
    /// Those that were submitted again, under the same id and with the same idempotency key: they may be repeated, or had not begun.
    pub again: Vec<TaskNo>,
    /// Those that go on waiting for somebody to complete them.
    pub waiting: Vec<TaskNo>,
    /// Those of which their tool finds out what became of them.
    pub reconciled: Vec<TaskNo>,
    /// Those of which nobody knows how they ended.
    pub unknown: Vec<TaskNo>,
    /// Those that ended otherwise: they had been told to stop, or their tool is not registered any more.
    pub ended: Vec<TaskNo>,
    /// Those that had ended before, whose results the model had not been told.
    pub undelivered: Vec<TaskNo>,
    /// True if a turn had begun whose end nobody has seen: the model is asked again.
    pub repeats_turn: bool,
}
