//! Publication of a task's changes, each kind at most ten times a second.

use std::time::Duration;

use super::{Extras, TaskCell};
use crate::clock::Timestamp;

/// Least time between two publications.
const PAUSE: Duration = Duration::from_millis(100);

/// Kind of change that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The latest report of progress.
    Progress,
    /// The cause of the task's wait.
    Wait,
}

/// Publication of one kind of change.
#[derive(Default)]
pub(super) struct Throttle {
    /// Time of the last publication.
    published: Option<Timestamp>,
    /// True if something has changed since.
    is_held: bool,
    /// True if a timer is set for the next one.
    is_timed: bool,
}

/// Next step of the caller after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publication {
    /// Publish what is now.
    Now,
    /// Set a timer of this length, then call [`publication_due`](TaskCell::publication_due).
    In(Duration),
    /// Nothing: a timer is set, or nothing has changed.
    Nothing,
}

impl TaskCell {
    /// Decides about the publication of a change.
    pub(crate) fn changed(&self, change: Change, now: Timestamp) -> Publication {
        let mut state = self.state();
        let throttle = state.extras().throttle(change);
        throttle.is_held = true;
        match throttle.next(now) {
            Publication::In(_) if throttle.is_timed => Publication::Nothing,
            next => {
                throttle.is_timed |= next != Publication::Now;
                next
            }
        }
    }

    /// Returns the next step of a timer that is due. The timer ends unless that is [`Publication::In`].
    pub(crate) fn publication_due(&self, change: Change, now: Timestamp) -> Publication {
        let mut state = self.state();
        let is_open = state.is_open();
        let throttle = state.extras().throttle(change);
        let next = match is_open {
            true => throttle.next(now),
            false => Publication::Nothing,
        };
        throttle.is_timed = matches!(next, Publication::In(_));
        next
    }

    /// Forgets a timer that ended before it was due: the next change sets another.
    pub(crate) fn forget_timer(&self, change: Change) {
        if let Some(extras) = &mut self.state().extras {
            extras.throttle(change).is_timed = false;
        }
    }
}

impl Extras {
    const fn throttle(&mut self, change: Change) -> &mut Throttle {
        match change {
            Change::Progress => &mut self.reports,
            Change::Wait => &mut self.waits.published,
        }
    }
}

impl Throttle {
    fn next(&mut self, now: Timestamp) -> Publication {
        let left = self
            .published
            .map(|published| PAUSE.saturating_sub(now.since(published)));
        match (self.is_held, left) {
            (false, _) => Publication::Nothing,
            (true, None | Some(Duration::ZERO)) => {
                self.is_held = false;
                self.published = Some(now);
                Publication::Now
            }
            (true, Some(left)) => Publication::In(left),
        }
    }
}
