//! Ways to end a session.

use std::time::Duration;

/// Way to end a session. The session takes no more messages in any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseMode {
    /// Tasks are told to stop, and a running turn is aborted. The session is over when all tasks have ended. The default.
    #[default]
    Cancel,
    /// The agent goes on until it is at rest: tasks end, their results are delivered, the model answers. What hasn't come to
    /// its end after `limit` is cancelled.
    Drain {
        /// Limit of the time this takes.
        limit: Duration,
    },
    /// Tasks go on without their session, which is over at once. Their results reach whoever asks the manager, and not the
    /// model. A task whose arguments still wait for another's result is cancelled: nobody would start it.
    Detach,
}
