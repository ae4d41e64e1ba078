//! Cause of a task's wait.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NamedTask;
use crate::{clock::Timestamp, session::SessionId};

/// Cause of a task's wait.
///
/// ```
/// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, task::WaitsFor, tools};
/// # use serde_json::json;
/// # /// Never ends.
/// # #[async_tool]
/// # async fn watch() {
/// #     std::future::pending().await
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![watch]).concurrency(1).build()?;
/// let session = SessionId::new("s");
/// let first = manager.submit(&session, ToolCall::new("call_1", "watch", json!({})))?;
/// let second = manager.submit(&session, ToolCall::new("call_2", "watch", json!({})))?;
/// assert_eq!(first.snapshot().waits_for, None);
/// assert_eq!(second.snapshot().waits_for, Some(WaitsFor::Slot));
/// assert_eq!(serde_json::to_value(second.snapshot().waits_for)?, json!({"kind": "slot"}));
/// # Ok(())
/// # }
/// ```
///
/// There is no wait for a circuit breaker: while it is open, calls of its tool fail at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum WaitsFor {
    /// A slot of the manager.
    Slot,
    /// The rate limit of the tool.
    Rate {
        /// Time of the start, if no earlier call gives up.
        until: Timestamp,
    },
    /// The next attempt, after one that failed.
    Retry {
        /// Time of the attempt.
        at: Timestamp,
    },
    /// Resources that other tasks use, such as a file.
    Resource {
        /// The tasks that use them, or come first.
        held_by: Vec<NamedTask>,
    },
    /// Results of other tasks, which may be child tasks.
    Result {
        /// The other tasks.
        of: Vec<NamedTask>,
    },
    /// An agent, whose tasks are to end.
    Agent {
        /// Session of the agent.
        session: SessionId,
    },
    /// The consent of people to the call.
    Consent,
    /// An answer of people.
    Input,
    /// Its completion from outside.
    Outside {
        /// Deadline of the completion, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A worker of the backend, which has the task.
    Worker,
}

impl WaitsFor {
    /// A few words for the model of a session; tasks of other sessions are named by their tools.
    pub(crate) fn to_model_text(&self, session: &SessionId, now: Timestamp) -> String {
        let list = |tasks: &[NamedTask]| {
            let name = |task: &NamedTask| match task.number {
                Some(number) if task.session == *session => number.to_string(),
                _ => format!("`{}`", task.tool),
            };
            let names: Vec<String> = tasks.iter().take(NAMED).map(name).collect();
            match tasks.len().saturating_sub(NAMED) {
                0 => names.join(", "),
                more => format!("{} and {more} more", names.join(", ")),
            }
        };
        let left = |until: Timestamp| format!("{} ms", until.since(now).as_millis());
        match self {
            Self::Slot => "a slot".to_owned(),
            Self::Rate { until } => format!("its rate limit, {}", left(*until)),
            Self::Retry { at } => format!("the next attempt, in {}", left(*at)),
            Self::Resource { held_by } => format!("a resource of {}", list(held_by)),
            Self::Result { of } => format!("the result of {}", list(of)),
            Self::Agent { .. } => "an agent".to_owned(),
            Self::Consent => "the user's consent".to_owned(),
            Self::Input => "the user's answer".to_owned(),
            Self::Outside { until: None } => "its completion from outside".to_owned(),
            Self::Outside { until: Some(until) } => {
                format!("its completion from outside, for at most {}", left(*until))
            }
            Self::Worker => "a worker".to_owned(),
        }
    }
}

/// Most tasks that the text names.
const NAMED: usize = 8;
