//! Deadlines of a session that a process with another clock goes on with.
//!
//! An entry's time is of the clock of the process that wrote it. Two entries of one process are compared; two of different processes
//! are not, because their clocks may be days apart. So the end of a process moves each deadline to the clock of the next one, with the
//! time that was left at the last entry.

use super::{Ledger, Waits};
use crate::{clock::Timestamp, journal::Entry};

impl Ledger {
    /// Moves all deadlines to the clock of a process that resumes the session at `at`.
    ///
    /// Time without a process doesn't count, because no clock has counted it. The one exception is the deadline of a completion from
    /// outside, which people may have been told: it passes meanwhile if the new clock says so. Its remaining time never grows.
    pub(super) fn move_deadlines(&mut self, at: Timestamp) {
        let last = self.last_at;
        let moved = |until: Timestamp| at.after(until.since(last));
        if let Some(until) = &mut self.draining {
            *until = moved(*until);
        }
        for until in self.groups.iter_mut().filter_map(|group| group.until.as_mut()) {
            *until = moved(*until);
        }
        for record in self.tasks.values_mut() {
            if let Waits::Completion(Some(until)) = &mut record.waits {
                *until = moved(*until).min(*until);
            }
            // The deadline of a turn's results counts from here.
            if let Some(answered) = &mut record.answered {
                let age = last.as_millis().saturating_sub(answered.as_millis());
                *answered = Timestamp::from_millis(at.as_millis().saturating_sub(age));
            }
        }
    }

    /// Notes the time of an entry that was applied.
    pub(super) fn note_time(&mut self, entry: &Entry) {
        match entry {
            Entry::Resumed { at, .. } => self.last_at = *at,
            // Of an earlier moment, and perhaps of the clock of a worker.
            Entry::Settled { .. } => {}
            entry => self.last_at = self.last_at.max(entry.at()),
        }
    }
}
