//! Answer of an agent that was asked to leave its session if it has nothing to do.

use tokio::time::Instant;

use crate::clock::Timestamp;

/// Answer of an agent that was asked to leave its session if it has nothing to do.
#[derive(Debug)]
pub(super) enum Idleness {
    /// It has left, or is over.
    Left {
        /// Time at which a task fails that waits for its completion from outside.
        deadline: Option<Timestamp>,
    },
    /// Nothing happens without the outside, but not for long enough; it is at this time.
    Resting(Instant),
    /// A turn or a task runs, or a turn is due.
    Busy,
}
