//! Phases of the machine, and its wake-up time.

use crate::clock::Timestamp;

/// Phase of the machine between two inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// A turn has run since this time.
    Thinking(Timestamp),
    /// The turn ended at this time, and its calls have no answers yet.
    Answering(Timestamp),
    /// A turn failed; its retry is at this time.
    Backoff(Timestamp),
}

/// Planned wake-up for undelivered results or, while a turn runs, the earliest time of its interruption.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wake {
    pub(super) first: Timestamp,
    pub(super) at: Timestamp,
}
