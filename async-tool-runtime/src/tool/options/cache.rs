//! Settings of a cache.

use std::time::Duration;

/// Cache: a call gets the value of an earlier call with equal arguments, and the function doesn't run.
///
/// Only tools whose effect is [`Effect::Read`](crate::tool::Effect::Read) can have a cache. The cache keeps values, never errors. A value
/// that a function returns after it was told to stop, or after its timeout, may be incomplete. Its own task gets it, but the cache
/// doesn't keep it.
///
/// The cache key is the name of the tool and the arguments as JSON values, so the order of keys doesn't count. The tool's
/// [`Scope`](crate::policy::Scope) says which calls share values. Needs the feature `cache`.
///
/// ```
/// use async_tool_runtime::{async_tool, policy::CachePolicy, AsyncToolManager, SessionId, ToolCall};
/// # use serde_json::json;
/// use std::{sync::atomic::{AtomicU32, Ordering}, time::Duration};
///
/// static RUNS: AtomicU32 = AtomicU32::new(0);
///
/// /// Looks up an exchange rate.
/// #[async_tool(effect = "read")]
/// async fn exchange_rate(currency: String) -> f64 {
///     # let _ = currency;
///     RUNS.fetch_add(1, Ordering::Relaxed);
///     1.09
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = CachePolicy::new(Duration::from_secs(300)).with_capacity(100);
/// # assert_eq!(cache.capacity, 100);
/// # #[cfg(feature = "cache")]
/// # {
/// let manager = AsyncToolManager::builder().tool(exchange_rate::tool().cache(cache)).build()?;
/// for _ in 0..3 {
///     let call = ToolCall::new("call", "exchange_rate", json!({"currency": "EUR"}));
///     manager.submit(&SessionId::new("example"), call)?.outcome().await;
/// }
/// assert_eq!(RUNS.load(Ordering::Relaxed), 1);
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachePolicy {
    /// Time for which a value is reused, from its arrival.
    pub ttl: Duration,
    /// Limit of cached values; the manager's `build()` refuses 0. Default: 1,024.
    pub capacity: usize,
}

impl CachePolicy {
    /// Reuses values for this long.
    #[must_use]
    pub const fn new(ttl: Duration) -> Self {
        Self { ttl, capacity: 1024 }
    }

    /// Sets the limit of cached values.
    #[must_use]
    pub const fn with_capacity(mut self, values: usize) -> Self {
        self.capacity = values;
        self
    }
}
