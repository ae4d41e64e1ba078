//! End of a task on a backend.

use serde::{Deserialize, Serialize};

use crate::task::TaskOutcome;

/// End of a task on a backend, as it travels from the worker to the agent.
///
/// ```
/// use async_tool_runtime::{TaskOutcome, backend::Settlement};
/// use serde_json::json;
///
/// // The engine ran the function twice, because the first worker was lost.
/// let end = Settlement::new(TaskOutcome::Completed(json!(5)), 2);
/// let wire = serde_json::to_string(&end)?;
/// assert_eq!(wire, r#"{"outcome":{"status":"completed","value":5},"attempts":2}"#);
/// assert_eq!(serde_json::from_str::<Settlement>(&wire)?, end);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Settlement {
    /// Outcome of the task.
    pub outcome: TaskOutcome,
    /// Number of times the function was started, as far as the last worker knows: runs that were handed back don't count.
    pub attempts: u32,
}

impl Settlement {
    /// Creates the end of a task after this many attempts.
    #[must_use]
    pub const fn new(outcome: TaskOutcome, attempts: u32) -> Self {
        Self { outcome, attempts }
    }
}
