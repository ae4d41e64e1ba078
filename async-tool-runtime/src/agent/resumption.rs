//! Fates of the tasks of a resumed session.

use crate::id::TaskNo;

/// Fates of a session's tasks when the session was resumed after its process had ended.
///
/// A task that waits for another task's result is in none of the lists: it was never submitted, and goes on waiting.
///
/// ```
/// use async_tool_runtime::{
///     async_tool, journal::MemoryJournal, tools, AgentEventKind, AsyncAgent, AsyncToolManager, RulePlanner, TaskNo,
/// };
/// use std::sync::Arc;
///
/// /// Waits for the next release.
/// #[async_tool(effect = "read", background = "always")]
/// async fn next_release() -> String {
///     std::future::pending().await
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![next_release]).build()?;
/// # let builder = AsyncAgent::builder(RulePlanner::new(), manager).journal(Arc::new(MemoryJournal::new()));
/// let agent = builder.clone().start().await?;
/// # let mut events = agent.events();
/// agent.send("next_release").await?;
/// # while !matches!(events.next().await.map(|event| event.kind), Some(AgentEventKind::Acknowledged { .. })) {}
/// agent.leave().await?;
///
/// let agent = builder.resume().await?;
/// let resumption = agent.resumption().expect("the session was resumed");
/// assert_eq!(resumption.again, [TaskNo::new(1)]); // It only reads, so it was submitted again.
/// assert!(resumption.unknown.is_empty());
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resumption {
    /// Tasks that were submitted again, with the same id and idempotency key: they are repeatable, or had not begun.
    pub again: Vec<TaskNo>,
    /// Tasks that go on waiting for their completion from outside, even if their tool is no longer registered. Also tasks whose function had
    /// asked people and must not run twice, see [`AgentQuestion::is_gone`](super::AgentQuestion::is_gone).
    pub waiting: Vec<TaskNo>,
    /// Tasks whose tool is asked for their outcome.
    pub reconciled: Vec<TaskNo>,
    /// Tasks whose outcome is unknown.
    pub unknown: Vec<TaskNo>,
    /// Tasks that ended for another reason: they had been told to stop, their tool is no longer registered, or
    /// their arguments don't fit the tool any more.
    pub ended: Vec<TaskNo>,
    /// Tasks that had ended before, with results that the model had not seen. Results that this process still has are
    /// among them, although the journal had failed before they were written.
    pub undelivered: Vec<TaskNo>,
    /// True if a turn had begun whose end is not in the journal: the turn is repeated.
    pub repeats_turn: bool,
}
