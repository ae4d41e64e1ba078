//! Timeouts of a turn.

use std::time::Duration;

/// Timeouts for a turn and its parts. When one expires, the turn fails with a retryable error.
///
/// The agent has its own limit: it aborts a turn after a silence of
/// [`model_timeout`](async_tool_runtime::agent::AsyncAgentBuilder::model_timeout), by default 5 minutes. An unstreamed
/// answer is silent until its end.
///
/// ```
/// use std::time::Duration;
/// use async_tool_openai::Timeouts;
///
/// let timeouts = Timeouts { stall: Duration::from_secs(60), ..Timeouts::default() };
/// assert_eq!(timeouts.connect, Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time to connect, TLS included. Default: 10 s.
    pub connect: Duration,
    /// Time from the request to the first event of its stream, the connection included. Default: 60 s. Unused for
    /// unstreamed answers.
    pub first_token: Duration,
    /// Time between two events of a stream. Default: 5 min, because a thinking model may be silent. Unused for
    /// unstreamed answers.
    pub stall: Duration,
    /// Time for the whole turn. Default: 30 min.
    pub turn: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(60),
            stall: Duration::from_secs(5 * 60),
            turn: Duration::from_secs(30 * 60),
        }
    }
}
