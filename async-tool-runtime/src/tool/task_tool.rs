//! Form of the tool with which a model manages its tasks.

/// Name of the tool.
pub(crate) const TASK_TOOL: &str = "task";

/// Form of the `task` tool, with which a model manages its tasks.
///
/// A model reads the definition with every request, so the small form has only what every conversation may need. Calls are read the
/// same in both forms: a model that was offered the small one may also use the other actions.
///
/// ```
/// use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, tool::TaskTool};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).task_tool(TaskTool::Full).start().await?;
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskTool {
    /// No tool, until a result is shown only in part: from then on the small form, which reads the rest.
    Off,
    /// The actions `list`, `cancel`, and `result` with `grep` or `offset`. The default. Offered if a tool can run in the background, or once
    /// a result is shown only in part.
    #[default]
    Small,
    /// All actions with all their arguments: also `check`, `wait`, `send` and `group`.
    Full,
}

impl From<bool> for TaskTool {
    /// The default for `true`, and [`Off`](Self::Off) for `false`.
    fn from(is_offered: bool) -> Self {
        if is_offered { Self::default() } else { Self::Off }
    }
}
