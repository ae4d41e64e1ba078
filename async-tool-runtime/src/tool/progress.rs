//! Progress of a task.

use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::{context::ToolContext, error::ToolError, inject::FromToolContext, report::ProgressReport, writer::to_json};

/// Reporter of a task's progress: `#[inject] progress: Progress`.
///
/// The latest report wins. It is in the task's [`TaskSnapshot`](crate::task::TaskSnapshot) at once, and goes out as an event at most ten
/// times a second. If reports come faster, the last one goes out a tenth of a second after the previous event, unless the task has ended
/// by then. A call that joins a running call starts with that run's last report.
///
/// Reporting never waits. Cheap to clone. Of a task on a [`Backend`](crate::backend::Backend), the
/// engine's heartbeats carry the latest report, if the engine has them.
///
/// ```
/// use async_tool_runtime::{async_tool, task::TaskEvent, tool::Progress, tools, AsyncToolManager, SessionId, ToolCall};
/// use serde_json::json;
///
/// /// Reads files into the index.
/// #[async_tool(effect = "idempotent")]
/// async fn index(paths: Vec<String>, #[inject] progress: Progress) {
///     for (done, path) in paths.iter().enumerate() {
///         progress.report(done as f64 / paths.len() as f64, path.as_str());
///         # tokio::task::yield_now().await;
///         // …
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = AsyncToolManager::builder().tools(tools![index]).build()?;
/// let mut events = manager.events();
/// let call = ToolCall::new("call_1", "index", json!({"paths": ["a.md", "b.md"]}));
/// let _task = manager.submit(&SessionId::new("example"), call)?;
/// while let Some(event) = events.next().await {
///     if let TaskEvent::Progressed(snapshot) = event {
///         let report = snapshot.progress.unwrap();
///         assert_eq!((report.fraction, &*report.message), (Some(0.0), "a.md"));
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Progress(Option<ToolContext>);

impl ToolContext {
    /// Reporter of the task's progress.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress(Some(self.clone()))
    }
}

impl Progress {
    /// Reports the fraction done, from 0 to 1, and the current work. A fraction outside of that range is clamped; NaN counts as unknown.
    pub fn report(&self, fraction: f64, message: impl Into<String>) {
        let fraction = (!fraction.is_nan()).then(|| fraction.clamp(0.0, 1.0));
        self.send(fraction, message.into(), None);
    }

    /// Reports the current work, for tasks of unknown length.
    pub fn message(&self, message: impl Into<String>) {
        self.send(None, message.into(), None);
    }

    /// Reports the result so far, and the current work. A value that JSON can't express is left out, with a warning in the log.
    ///
    /// ```
    /// use async_tool_runtime::{async_tool, tool::Progress, tools, AsyncToolManager, SessionId, ToolCall};
    /// use serde_json::json;
    ///
    /// /// Writes a report.
    /// #[async_tool(effect = "read")]
    /// async fn write_report(#[inject] progress: Progress) -> String {
    ///     progress.partial("First,", "writing the introduction");
    ///     std::future::pending().await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = AsyncToolManager::builder().tools(tools![write_report]).build()?;
    /// let task = manager.submit(&SessionId::new("example"), ToolCall::new("call_1", "write_report", json!({})))?;
    /// # while task.snapshot().progress.is_none() { tokio::task::yield_now().await; }
    /// // Once the tool runs:
    /// let report = task.snapshot().progress.unwrap();
    /// assert_eq!(report.output.as_deref(), Some(&json!("First,")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn partial(&self, output: impl Serialize, message: impl Into<String>) {
        match to_json(&output) {
            Ok(output) => self.send(None, message.into(), Some(Arc::new(output))),
            Err(error) => {
                tracing::warn!(target: "async_tool::task", %error, "a partial result can't be written as JSON, and is left out of the report");
                self.send(None, message.into(), None);
            }
        }
    }

    fn send(&self, fraction: Option<f64>, message: String, output: Option<Arc<Value>>) {
        if let Some(cx) = &self.0
            && let Some(host) = cx.host()
        {
            let report = ProgressReport {
                fraction,
                message,
                output,
            };
            Arc::clone(host).report(report);
        }
    }
}

impl FromToolContext for Progress {
    fn from_tool_context(cx: &ToolContext) -> Result<Self, ToolError> {
        Ok(cx.progress())
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress(..)")
    }
}
