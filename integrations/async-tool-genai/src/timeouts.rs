//! Timeouts of a turn.

use std::time::Duration;

/// Timeouts for the parts of a turn. When one expires, the turn fails with a retryable error, and the agent
/// retries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time to connect. Default: 10 s.
    pub connect: Duration,
    /// Time from the request to the first part of a streamed answer. Default: 2 min, because models may think
    /// before they write.
    pub first_token: Duration,
    /// Time between two parts of a streamed answer; keep-alive frames count as parts. Default: 1 min.
    pub stall: Duration,
    /// Time for the whole turn, streamed or not. Default: 15 min.
    pub turn: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(120),
            stall: Duration::from_secs(60),
            turn: Duration::from_secs(900),
        }
    }
}
