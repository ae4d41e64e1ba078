//! Tasks of an agent, for its host.

use serde::Serialize;

use crate::{
    clock::Timestamp,
    id::{TaskId, TaskNo},
    task::{TaskStatus, WaitsFor},
    tool::{DeliveryPolicy, InputRequest, ProgressReport, ToolCall},
};

/// Task, as its agent sees it.
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
/// agent.run_to_completion("add 2 3").await?;
/// for task in agent.tasks().await? {
///     let row = format!("{} {} {}", task.number, task.call.name, task.status.as_str());
///     assert_eq!(row, "t1 add completed");
/// }
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgentTask {
    /// Number of the task in the session.
    pub number: TaskNo,
    /// Id of the task.
    pub task: TaskId,
    /// Call that the task carries out.
    pub call: ToolCall,
    /// Status of the task.
    pub status: TaskStatus,
    /// Time at which the task was accepted.
    pub accepted: Timestamp,
    /// Delivery policy of the result, if it comes late.
    pub delivery: DeliveryPolicy,
    /// Cause of the task's wait; `None` while it runs, and once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// Open question, while the status is [`TaskStatus::InputRequired`]: the task's own, or the first one below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<InputRequest>,
    /// Task that asks it: this task, or one below it. [`AsyncAgent::questions`](super::AsyncAgent::questions) has all questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asking: Option<TaskId>,
    /// Last progress of the tool, while the manager remembers the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressReport>,
}
