//! Progress reports.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Progress report of a task, made with [`Progress`](super::Progress).
///
/// It is in the task's snapshot and in its events:
///
/// ```
/// use async_tool_runtime::{async_tool, tool::{Progress, ProgressReport}, tools, AsyncToolManager, SessionId, ToolCall};
/// use serde_json::json;
///
/// fn bar(report: &ProgressReport) -> String {
///     match report.fraction {
///         Some(fraction) => format!("{:3.0} % {}", fraction * 100.0, report.message),
///         None => format!("    … {}", report.message),
///     }
/// }
///
/// /// Downloads a file.
/// #[async_tool(effect = "read")]
/// async fn download(#[inject] progress: Progress) {
///     progress.report(0.25, "reading");
///     std::future::pending().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![download]).build()?;
/// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "download", json!({})))?;
/// # while task.snapshot().progress.is_none() { tokio::task::yield_now().await; }
/// // Once the tool runs:
/// assert_eq!(bar(&task.snapshot().progress.unwrap()), " 25 % reading");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ProgressReport {
    /// Fraction done, from 0 to 1; `None` if unknown.
    pub fraction: Option<f64>,
    /// Current work.
    pub message: String,
    /// Result so far. A report without one keeps the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Arc<Value>>,
}
