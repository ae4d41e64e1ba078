//! How long a turn may take.

use std::time::Duration;

/// How long a turn may take, and its parts. What takes longer has failed, and may be tried again.
///
/// An agent has a limit of its own: it gives up a turn of which nothing has come for
/// [`model_timeout`](async_tool_runtime::agent::AsyncAgentBuilder::model_timeout), 5 minutes by default. An answer that comes in one piece is silent until its end.
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
    /// Until there is a connection, TLS included. Default: 10 s.
    pub connect: Duration,
    /// From the request to the first event of its stream, the connection included. Default: 60 s. It has no meaning for answers that come in one piece.
    pub first_token: Duration,
    /// From one event of a stream to the next. Default: 5 min, because a model that thinks may say nothing meanwhile. It has no meaning for answers that
    /// come in one piece.
    pub stall: Duration,
    /// The whole turn. Default: 30 min.
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
