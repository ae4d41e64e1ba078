//! Summary of the work for one user message.

use super::RunTotals;

/// Summary of the work for one user message.
///
/// ```
/// # use async_tool_runtime::{async_tool, tools, AsyncAgent, AsyncToolManager, RulePlanner};
/// # /// Adds two numbers.
/// # #[async_tool(effect = "read")]
/// # fn add(a: i64, b: i64) -> i64 { a + b }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().tools(tools![add]).build()?;
/// # let agent = AsyncAgent::builder(RulePlanner::new(), manager).start().await?;
/// let summary = agent.run_to_completion("add 2 3").await?;
/// assert_eq!(summary.text, "t1 add is done: 5");
/// assert_eq!(summary.totals.tool_calls, 1);
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RunSummary {
    /// Last text of the model; empty if it wrote none.
    pub text: String,
    /// Totals of the run.
    pub totals: RunTotals,
    /// True if the last turn of the model was empty: it was given results and said nothing, or it announced calls and
    /// made none. The agent had asked once more. The text is then of an earlier turn, or empty.
    pub is_empty: bool,
    /// True if the host [interrupted](crate::AsyncAgent::interrupt) the run. The text is then the part that the model had said.
    pub is_interrupted: bool,
}
