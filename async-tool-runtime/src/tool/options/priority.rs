//! Priority of tasks that wait for a slot.

use serde::{Deserialize, Serialize};

/// Priority in the queue for slots: no task starts while a task of a higher priority waits.
///
/// Within a priority, sessions share the slots by their weights. A child task has at least the priority of its parent, and comes before
/// new tasks of its session. A task that has begun, has waited and now goes on comes before all of these.
///
/// ```
/// use async_tool_runtime::{async_tool, policy::Priority, AsyncToolManager, SessionId, ToolCall};
/// use serde_json::json;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static HANDLED: AtomicU32 = AtomicU32::new(0);
///
/// /// Handles a ticket, and returns its place in the order.
/// #[async_tool(effect = "read")]
/// async fn handle() -> u32 {
///     HANDLED.fetch_add(1, Ordering::Relaxed) + 1
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let urgent = handle::tool().name("urgent").priority(Priority::High);
/// let manager = AsyncToolManager::builder().tool(handle::tool()).tool(urgent).concurrency(1).build()?;
/// let submit = |tool| manager.submit(&SessionId::new("example"), ToolCall::new("call", tool, json!({})));
///
/// let _has_the_slot = submit("handle")?;
/// let (waiting, urgent) = (submit("handle")?, submit("urgent")?);
/// assert_eq!(waiting.outcome().await.outcome.value(), Some(&json!(3)));
/// assert_eq!(urgent.outcome().await.outcome.value(), Some(&json!(2)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Priority {
    /// Starts only when no task of another priority waits.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Starts before tasks of any other priority.
    High,
}
