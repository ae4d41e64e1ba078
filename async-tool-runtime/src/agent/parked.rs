//! Waits of an agent for which only the outside can do something.

use serde::Serialize;

use crate::{
    clock::Timestamp,
    id::{TaskId, TaskNo},
    tool::InputRequest,
};

/// Waits of a parked agent, from [`run_until_parked`](super::AsyncAgent::run_until_parked).
///
/// ```
/// use async_tool_runtime::{agent::Parked, task::Timestamp};
///
/// /// Time at which the session must be resumed, even if nothing comes from outside.
/// fn alarm(parked: &Parked) -> Option<Timestamp> {
///     parked.waits.iter().filter_map(|wait| wait.until).min()
/// }
/// # assert_eq!(alarm(&Parked::default()), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Parked {
    /// The waits, in the order of the session's tasks.
    pub waits: Vec<ParkedTask>,
}

impl Parked {
    /// True if there are no waits: the agent is idle.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = AsyncAgent::builder(RulePlanner::new(), AsyncToolManager::builder().build()?).start().await?;
    /// agent.send("status").await?;
    /// assert!(agent.run_until_parked().await?.is_idle());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waits.is_empty()
    }
}

/// Wait of one task for the outside.
///
/// ```
/// use async_tool_runtime::{
///     agent::{AgentError, ParkedTask},
///     manager::ResolveError,
///     tool::InputRequest,
///     AsyncToolManager,
/// };
///
/// /// Approves all calls; all other waits go on.
/// fn approve(manager: &AsyncToolManager, wait: &ParkedTask) -> Result<(), ResolveError> {
///     match &wait.request {
///         Some(InputRequest::Approval { .. }) => manager.approve(wait.task),
///         _ => Ok(()),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ParkedTask {
    /// Number of the session's task.
    pub number: TaskNo,
    /// Task to complete or to answer: the session's task, or one below it.
    pub task: TaskId,
    /// Question to people; `None` if the task waits for its completion from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<InputRequest>,
    /// Deadline of the completion, if it has one. After it, the task fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}
