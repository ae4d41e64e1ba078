//! Settings of retries.

use std::time::Duration;

/// Retries of failed calls, with exponential backoff and full jitter.
///
/// Only [`retryable`](crate::tool::ToolError::retryable) errors are retried. The tool's effect must be
/// [repeatable](crate::tool::Effect::is_repeatable), unless the error says that
/// [the work was not started](crate::tool::ToolError::with_not_started). Every attempt has the same idempotency key.
///
/// The pause before attempt *n* + 1 is uniform between zero and `min(longest, first × 2ⁿ⁻¹)`. It is at least the error's
/// [`retry_after`](crate::tool::ToolError::retry_after). Source:
/// [Exponential Backoff and Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), AWS Architecture Blog.
/// Full jitter spreads calls that failed together best. The retries of a model wait for at least half of the bound
/// instead. There a session has one request at a time, and a provider judges each client by its pauses.
///
/// ```
/// use async_tool_runtime::{
///     async_tool, policy::RetryPolicy, AsyncToolManager, SessionId, ToolCall, ToolContext, ToolError, ToolErrorKind,
/// };
/// use serde_json::json;
///
/// /// Looks up the weather.
/// #[async_tool(effect = "read")]
/// async fn weather(#[inject] cx: ToolContext) -> Result<String, ToolError> {
///     match cx.attempt() {
///         1 => Err(ToolError::new(ToolErrorKind::Unavailable, "connection reset")),
///         _ => Ok("rain".to_owned()),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tool(weather::tool().retry(RetryPolicy::new(3))).build()?;
/// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "weather", json!({})))?;
/// let result = task.outcome().await;
/// assert_eq!((result.outcome.value(), result.attempts), (Some(&json!("rain")), 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Limit of attempts, including the first; 0 is the same as 1.
    pub attempts: u32,
    /// Upper bound of the first pause. Default: 200 ms.
    pub first: Duration,
    /// Upper bound of every pause, unless an error asks for a longer one. Default: 10 s.
    pub longest: Duration,
    /// Time limit of all attempts and the pauses between them. After it no attempt starts, and a running one ends with a timeout.
    /// Default: none.
    pub total: Option<Duration>,
}

impl RetryPolicy {
    /// Limit of this many attempts, with the default pauses and no limit on the total time.
    #[must_use]
    pub const fn new(attempts: u32) -> Self {
        Self {
            attempts,
            first: Duration::from_millis(200),
            longest: Duration::from_secs(10),
            total: None,
        }
    }

    /// Sets the upper bounds of the first pause and of every pause.
    ///
    /// The attribute writes the same as `retry(attempts = 4, backoff = "500ms..30s")`:
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, policy::RetryPolicy, Tool};
    /// use std::time::Duration;
    ///
    /// /// Looks up the weather.
    /// #[async_tool(effect = "read", retry(attempts = 4, backoff = "500ms..30s"))]
    /// async fn weather(city: String) -> String {
    ///     format!("rain in {city}")
    /// }
    ///
    /// let retry = RetryPolicy::new(4).with_backoff(Duration::from_millis(500), Duration::from_secs(30));
    /// assert_eq!(weather::tool().options().retry, Some(retry));
    /// ```
    #[must_use]
    pub const fn with_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first;
        self.longest = longest;
        self
    }

    /// Sets the time limit of all attempts and the pauses between them.
    ///
    /// ```
    /// use async_tool_runtime::{
    ///     async_tool, policy::RetryPolicy, AsyncToolManager, SessionId, ToolCall, ToolError, ToolErrorKind,
    /// };
    /// use serde_json::json;
    /// use std::time::Duration;
    ///
    /// /// Looks up the weather.
    /// #[async_tool(effect = "read")]
    /// async fn weather() -> Result<String, ToolError> {
    ///     Err(ToolError::new(ToolErrorKind::Unavailable, "quota used up").with_retry_after(Duration::from_secs(20)))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let retry = RetryPolicy::new(10).with_total(Duration::from_secs(60));
    /// let manager = AsyncToolManager::builder().tool(weather::tool().retry(retry)).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "weather", json!({})))?;
    /// assert!(task.outcome().await.attempts < 10);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn with_total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }
}
