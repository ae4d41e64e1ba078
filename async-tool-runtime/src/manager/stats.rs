//! Counts of a manager: totals since it was built, and current numbers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

use super::{AsyncToolManager, Inner, counters::Count};
use crate::policy::Breaker;

/// Counts of a manager: totals since it was built, and current numbers.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// use serde_json::json;
///
/// /// Adds two numbers.
/// #[async_tool(effect = "read")]
/// fn add(a: i64, b: i64) -> i64 {
///     a + b
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let session = SessionId::new("example");
/// let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// manager.submit(&session, ToolCall::new("call_1", "add", json!({"a": 2, "b": 3})))?.outcome().await;
/// assert!(manager.submit(&session, ToolCall::new("call_2", "subtract", json!({}))).is_err());
///
/// let stats = manager.stats();
/// assert_eq!((stats.accepted, stats.completed, stats.rejected), (1, 1, 1));
/// assert_eq!((stats.open, stats.running, stats.waiting), (0, 0, 0));
/// # Ok(())
/// # }
/// ```
///
/// The counts are read one after the other while tasks go on, so they may not add up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ManagerStats {
    /// Tasks that wait for their first slot, a resource, their rate, or their next attempt. Tasks that wait for input
    /// or approval, or were deferred, don't count.
    pub waiting: usize,
    /// Waiting tasks that need a resource which another task reads or writes.
    pub waiting_for_resources: usize,
    /// Slots that are taken.
    pub running: usize,
    /// Tasks that have not ended.
    pub open: usize,
    /// Functions that were told to stop, still run, and can't be dropped. Their slots go to other tasks.
    pub quarantined: usize,
    /// Tools whose circuit breaker refuses calls now. A breaker whose cooldown has passed isn't listed, because it lets
    /// the next call through as a probe.
    pub open_breakers: Vec<Arc<str>>,
    /// Tasks accepted since the manager was built.
    pub accepted: u64,
    /// Calls refused: unknown tools, invalid arguments, a full queue, duplicates.
    pub rejected: u64,
    /// Tasks that ended with a value.
    pub completed: u64,
    /// Tasks that ended with an error.
    pub failed: u64,
    /// Tasks that were cancelled.
    pub cancelled: u64,
    /// Tasks whose outcome is unknown.
    pub unknown: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Calls refused by an open circuit breaker.
    pub breaker_refusals: u64,
    /// Calls answered from a cache.
    pub cache_hits: u64,
    /// Calls whose value was not in the cache.
    pub cache_misses: u64,
    /// Calls that joined the run of another call.
    pub shared: u64,
}

impl Inner {
    /// Counts an event of a call of this tool.
    pub(crate) fn count(&self, tool: &str, what: Count) {
        self.counters.count(tool, what);
    }
}

impl AsyncToolManager {
    /// Counts of the manager. The time it takes grows with the number of remembered tasks: read it now and then, not
    /// for every call.
    #[must_use]
    pub fn stats(&self) -> ManagerStats {
        let Inner {
            counters,
            executor,
            quarantine,
            conflicts,
            ..
        } = &*self.inner;
        let (waiting, running) = {
            let queue = self.inner.queue();
            (queue.positions(), queue.running())
        };
        let (open, accepted) = {
            let tasks = self.inner.tasks();
            (tasks.unsettled_count(), tasks.accepted())
        };
        let breakers = executor
            .all_layers()
            .values()
            .filter_map(|layers| layers.breaker.as_ref());
        let mut open_breakers: Vec<_> = breakers
            .filter(|breaker| breaker.turns_away())
            .map(Breaker::tool)
            .cloned()
            .collect();
        open_breakers.sort();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ManagerStats {
            waiting,
            waiting_for_resources: conflicts.waiting(),
            running,
            open,
            quarantined: quarantine.count(),
            open_breakers,
            accepted,
            rejected: get(&counters.rejected),
            completed: get(&counters.completed),
            failed: get(&counters.failed),
            cancelled: get(&counters.cancelled),
            unknown: get(&counters.unknown),
            retries: get(&counters.retries),
            breaker_refusals: get(&counters.breaker_refusals),
            cache_hits: get(&counters.cache_hits),
            cache_misses: get(&counters.cache_misses),
            shared: get(&counters.shared),
        }
    }
}
