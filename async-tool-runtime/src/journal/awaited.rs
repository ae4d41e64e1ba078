//! Result that an argument waits for.

use serde::{Deserialize, Serialize};

use crate::id::TaskNo;

/// Result that an argument waits for: a [`FutureArgument`](crate::task::FutureArgument) whose task is known.
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, TaskNo, async_tool, tools};
/// use async_tool_runtime::journal::{Awaited, Entry, MemoryJournal};
/// # use std::sync::Arc;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read", futures)]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let journal = Arc::new(MemoryJournal::new());
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(journal.clone()).start().await?;
/// agent.send(r##"add a=2 b=3; add {"a": {"$task": "#1"}, "b": 1}"##).await?;
/// agent.run_until_idle().await?;
/// let entries = journal.entries(agent.session());
/// let awaits: Vec<&Awaited> = entries
///     .iter()
///     .filter_map(|entry| match entry {
///         Entry::Accepted { awaits, .. } => Some(awaits),
///         _ => None,
///     })
///     .flatten()
///     .collect();
/// assert_eq!(awaits, [&Awaited::new("/a", TaskNo::new(1), "")]);
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Awaited {
    /// Position of the value: a JSON pointer into the arguments.
    pub position: String,
    /// The task that supplies the result. Its number is lower than that of the waiting task.
    pub task: TaskNo,
    /// Part of the result: a JSON pointer into it, empty for the whole result.
    pub pointer: String,
}

impl Awaited {
    /// Creates a wait of the argument at `position` for the part of `task`'s result at `pointer`.
    #[must_use]
    pub fn new(position: impl Into<String>, task: TaskNo, pointer: impl Into<String>) -> Self {
        Self {
            position: position.into(),
            task,
            pointer: pointer.into(),
        }
    }
}
