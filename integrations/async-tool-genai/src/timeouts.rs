//! How long a turn may take.

use std::time::Duration;

/// How long the parts of a turn may take. What takes longer fails the turn, and the agent tries again as after any broken connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands. Default: 10 s.
    pub connect: Duration,
    /// From the request until the first part of a streamed answer. Default: 2 min: models may think before they write.
    pub first_token: Duration,
    /// Between two parts of a streamed answer, signs of life included. Default: 1 min.
    pub stall: Duration,
    /// The whole turn, streamed or not. Default: 15 min.
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
