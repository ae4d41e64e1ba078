//! Number of results in a group that wake the model.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Number of results in a group that make one wake-up.
///
/// A join decides when the model is called, never what it is told: a turn that starts for another reason delivers all results
/// that wait. A fulfilled join stays fulfilled; later results wake the model as if they were in no group.
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tools};
/// use async_tool_runtime::journal::{Entry, JoinPolicy, MemoryJournal};
/// # use std::{sync::Arc, time::Duration};
/// # /// Fetches a file from one mirror.
/// # #[async_tool(effect = "read")]
/// # async fn fetch(_mirror: u32) -> String {
/// #     std::future::pending().await
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![fetch]).build()?;
/// # let journal = Arc::new(MemoryJournal::new());
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(journal.clone()).start().await?;
/// # let mut events = agent.events();
/// agent.send("fetch 1; fetch 2; fetch 3").await?;
/// # while agent.tasks().await?.len() < 3 { events.next().await; }
/// let mirrors: Vec<_> = agent.tasks().await?.iter().map(|task| task.number).collect();
/// // Wake the model after two successes, or after a minute with the results so far.
/// agent.group("mirrors", mirrors, JoinPolicy::Quorum(2), Some(Duration::from_secs(60))).await?;
/// assert!(matches!(
///     journal.entries(agent.session()).last(),
///     Some(Entry::Grouped { tasks, join: JoinPolicy::Quorum(2), .. }) if tasks.len() == 3
/// ));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JoinPolicy {
    /// Any result. The default: every result wakes the model, and results that arrive together wake it once.
    #[default]
    Any,
    /// All results.
    All,
    /// The first success. The other tasks are told to stop, and their ends don't wake the model. If all fail, all results.
    FirstOk,
    /// This many successes; all results, if the number can no longer be reached.
    Quorum(u32),
}
