//! Settings of a circuit breaker.

use std::time::Duration;

/// Circuit breaker: pauses the calls of a tool that fails repeatedly.
///
/// - Closed: calls run. After `failures` failed calls in a row, the breaker opens.
/// - Open: every call fails at once with [`ToolErrorKind::Unavailable`](crate::tool::ToolErrorKind::Unavailable). The error says when to
///   [call again](crate::tool::ToolError::retry_after).
/// - Half-open: after `cooldown`, one call runs as a probe. If it succeeds, the breaker closes; otherwise it opens for another cooldown.
///
/// A probe may take longer than `cooldown`, for instance because it waits for people or for a result from outside. It doesn't block other
/// calls: the next call after that time is a probe too, and the first probe to end decides.
///
/// An error marked [`with_retryable(false)`](crate::tool::ToolError::with_retryable) is an answer, and counts as a success: "no such city"
/// is no sign of ill health. A cancelled call counts neither way, and nor does a call that never reached the function.
///
/// ```
/// use async_tool_runtime::{async_tool, policy::BreakerPolicy, AsyncToolManager, SessionId, ToolCall, ToolErrorKind};
/// use serde_json::json;
/// use std::time::Duration;
///
/// /// Looks up the weather.
/// #[async_tool(effect = "read")]
/// async fn weather(city: String) -> Result<String, String> {
///     Err(format!("no connection to the station in {city}"))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = BreakerPolicy::new(2, Duration::from_secs(30));
/// let manager = AsyncToolManager::builder().tool(weather::tool().breaker(breaker)).build()?;
/// let mut kinds = Vec::new();
/// for _ in 0..3 {
///     let call = ToolCall::new("call", "weather", json!({"city": "Oslo"}));
///     let result = manager.submit(&SessionId::new("example"), call)?.outcome().await;
///     kinds.push(result.outcome.error().unwrap().kind());
/// }
/// assert_eq!(kinds, [ToolErrorKind::Failed, ToolErrorKind::Failed, ToolErrorKind::Unavailable]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// Failed calls in a row that open the breaker; 0 is the same as 1.
    pub failures: u32,
    /// Time for which an open breaker rejects all calls.
    pub cooldown: Duration,
}

impl BreakerPolicy {
    /// Opens after this many failures in a row, for this long.
    #[must_use]
    pub const fn new(failures: u32, cooldown: Duration) -> Self {
        Self { failures, cooldown }
    }
}
