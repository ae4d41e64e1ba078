//! Phases of the machine, and the moment at which it wakes.

use crate::clock::Timestamp;

/// Phase of the machine between two inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// A turn runs since this time.
    Thinking(Timestamp),
    /// The turn ended at this time, and calls of it have no answer yet.
    Answering(Timestamp),
    /// A turn failed and is asked again at this time.
    Backoff(Timestamp),
}

/// Results wait for the agent to wake up or, while a turn runs, for the moment when it may be broken off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wake {
    pub(super) first: Timestamp,
    pub(super) at: Timestamp,
}
