//! Order of a report.

use async_tool_runtime::{SessionId, TaskId};
use serde::{Deserialize, Serialize};

/// Payload of an `Event` invocation: the work, and all that its completion needs.
///
/// AWS returns nothing for such an invocation, so the function must be told where and for which task it reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Task that the report completes.
    pub task: TaskId,
    /// Session of the task. A process without it finds it in the journal.
    pub session: SessionId,
    /// Key of the task. AWS may run the function twice for one invocation, and the key is the same.
    pub idempotency_key: String,
    /// Customer of the report.
    pub customer: String,
    /// URL of the queue for the completion.
    pub reply_to: String,
}
