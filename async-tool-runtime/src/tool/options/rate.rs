//! Settings of a rate limit.

use std::{sync::Arc, time::Duration};

/// Sliding-window limit: at most `calls` starts in any window of `per`.
///
/// Every attempt counts, because a service's quota counts requests. The window slides, so the limit holds for each span of that length,
/// wherever it begins. Further attempts wait in the order in which they came, without a slot. While they wait, they count towards the
/// [capacity of the queue](crate::manager::AsyncToolManagerBuilder::queue_capacity).
///
/// The limiter keeps the starts of the last window, in 16 bytes each.
///
/// ```
/// use async_tool_runtime::{async_tool, policy::RateLimit, AsyncToolManager, SessionId, ToolCall};
/// use serde_json::json;
/// use std::time::Duration;
///
/// /// Searches the web.
/// #[async_tool(effect = "read")]
/// async fn search(query: String) -> String {
///     format!("hits for {query}")
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limit = RateLimit::new(2, Duration::from_secs(60));
/// let manager = AsyncToolManager::builder().tool(search::tool().rate(limit)).build()?;
/// let begin = tokio::time::Instant::now();
/// for (call, after) in [("call_1", 0), ("call_2", 0), ("call_3", 60)] {
///     let call = ToolCall::new(call, "search", json!({"query": "terns"}));
///     manager.submit(&SessionId::new("example"), call)?.outcome().await;
///     assert_eq!(begin.elapsed().as_secs(), after);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// Limit of starts in a window; the manager's `build()` refuses 0.
    pub calls: u32,
    /// Length of the window.
    pub per: Duration,
    /// Name under which tools share the limit; `None` for a limit of the tool's own.
    pub key: Option<Arc<str>>,
}

impl RateLimit {
    /// Limit of this many starts in any window of this length.
    #[must_use]
    pub const fn new(calls: u32, per: Duration) -> Self {
        Self { calls, per, key: None }
    }

    /// Shares the limit among all tools that name this key: the calls of one tool use up the limit of the rest. Tools that share a key must
    /// have the same limit.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, policy::RateLimit, AsyncToolManager};
    /// use std::time::Duration;
    ///
    /// /// Searches the tracker.
    /// #[async_tool(effect = "read")]
    /// async fn search_issues(query: String) -> Vec<String> {
    ///     vec![query]
    /// }
    ///
    /// let limit = RateLimit::new(100, Duration::from_secs(60)).shared("tracker");
    /// let other_limit = RateLimit::new(10, Duration::from_secs(60)).shared("tracker");
    /// let build = |limit: RateLimit, second: RateLimit| {
    ///     let tools = [search_issues::tool().rate(limit), search_issues::tool().name("search_users").rate(second)];
    ///     AsyncToolManager::builder().tools(tools.map(Into::into)).build()
    /// };
    /// assert!(build(limit.clone(), limit.clone()).is_ok());
    /// assert!(build(limit, other_limit).unwrap_err().to_string().contains("tracker"));
    /// ```
    #[must_use]
    pub fn shared(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }
}
