//! Treatment of tasks when no slot is free.

use std::time::Duration;

/// Treatment of a task when no slot is free.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolErrorKind, async_tool, manager::WhenFull, tools};
/// use serde_json::json;
/// use std::time::Duration;
///
/// /// Watches a topic.
/// #[async_tool(effect = "read")]
/// async fn watch(topic: String) {
///     # let _ = topic;
///     std::future::pending().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let session = SessionId::new("example");
/// let retry_after = Duration::from_secs(5);
/// let manager = AsyncToolManager::builder()
///     .tools(tools![watch])
///     .concurrency(1)
///     .when_full(WhenFull::Reject { retry_after })
///     .build()?;
/// manager.submit(&session, ToolCall::new("call_1", "watch", json!({"topic": "tea"})))?;
///
/// let refused = manager.submit(&session, ToolCall::new("call_2", "watch", json!({"topic": "rum"}))).unwrap_err();
/// assert_eq!(refused.kind(), ToolErrorKind::Overloaded);
/// assert_eq!(refused.error().retry_after(), Some(retry_after));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The task waits for a slot, unless the [queue is full](crate::manager::AsyncToolManagerBuilder::queue_capacity).
    /// The default.
    #[default]
    Queue,
    /// The call is refused as [`ToolErrorKind::Overloaded`](crate::tool::ToolErrorKind::Overloaded), and its caller is
    /// told when to try again. A child task waits instead.
    ///
    /// A call that may need no slot is accepted: one whose tool has a cache, or whose calls
    /// [share](crate::policy::Dedupe::Share) their runs. If it needs a slot after all and none is free, its task fails
    /// with that error. The error says that the task was not started.
    ///
    /// That exception doesn't cover a tool that needs approval, or whose calls
    /// [replace](crate::policy::Dedupe::Replace) earlier ones. Otherwise a call that is refused later would have asked
    /// for approval or stopped another call in vain.
    ///
    /// Any other call is refused when it is submitted, or not at all. A call may first wait for approval, for
    /// resources, or in a layer of the host's. It then waits for its slot too, if none is free by then.
    Reject {
        /// Time after which the caller may try again.
        retry_after: Duration,
    },
    /// The task runs beyond the limit, at most one such task for each session; further tasks wait. So no session stands
    /// still, however full the manager is, and the limit is exceeded by at most the number of sessions.
    ///
    /// A call that needs something else before its slot waits for it in the queue, and is refused if the queue is full.
    /// Such calls have a cache, a shared run, approval, resources, a rate limit, or a layer of the host's.
    RunInline,
}
