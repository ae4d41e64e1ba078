//! Answer to one call, as the journal keeps it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::TaskNo,
    task::{TaskStatus, ToolQuestion},
};

/// Answer to one call of a turn.
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, TaskNo, async_tool, tools};
/// use async_tool_runtime::journal::{CallAnswer, Entry, MemoryJournal};
/// # use std::sync::Arc;
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 {
/// #     a + b
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let journal = Arc::new(MemoryJournal::new());
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(journal.clone()).start().await?;
/// agent.send("add a=2 b=3").await?;
/// agent.run_until_idle().await?;
/// let entries = journal.entries(agent.session());
/// let answers = entries.iter().find_map(|entry| match entry {
///     Entry::Answered { answers, .. } => Some(answers),
///     _ => None,
/// });
/// // The tool ended within the grace window, so its call was answered with the result.
/// assert_eq!(answers, Some(&vec![CallAnswer::Result(TaskNo::new(1))]));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum CallAnswer {
    /// Acknowledgement, with the task's status at that moment.
    Ack(TaskNo, TaskStatus),
    /// Acknowledgement of a task that waits for people: it, or a task below it, asks this.
    Asking(TaskNo, ToolQuestion),
    /// Result of the task.
    Result(TaskNo),
    /// Report of the `task` tool, or answer to a call that repeats another one.
    Report {
        /// Number of the call.
        number: TaskNo,
        /// Content, as the model reads it.
        content: Value,
        /// The tasks whose results are in the report. The report is the delivery of these results.
        tasks: Vec<TaskNo>,
        /// The tasks whose images, sounds and files the model sees beside the report.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        media: Vec<TaskNo>,
    },
}

impl CallAnswer {
    /// Number of the answered call.
    ///
    /// ```
    /// use async_tool_runtime::{TaskNo, TaskStatus, journal::CallAnswer};
    ///
    /// let answer = CallAnswer::Ack(TaskNo::new(2), TaskStatus::Running);
    /// assert_eq!(answer.number(), TaskNo::new(2));
    /// ```
    #[must_use]
    pub const fn number(&self) -> TaskNo {
        match self {
            Self::Ack(number, _) | Self::Asking(number, _) | Self::Result(number) | Self::Report { number, .. } => {
                *number
            }
        }
    }
}
