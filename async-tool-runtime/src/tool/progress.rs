//! How far a task has come.

use std::{fmt, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::{context::ToolContext, error::ToolError, inject::FromToolContext, report::ProgressReport};

/// Says how far a task has come: `#[inject] progress: Progress`.
///
/// The latest report wins: it is in the task's [`TaskSnapshot`](crate::task::TaskSnapshot) at once, and goes out as an event, at most ten times a
/// second. Of reports that come faster, the last one goes out a tenth of a second after the one before, unless the task has ended by then.
/// A call that joins another one's run begins with what that one reported last. Reporting never waits. Cheap to clone. The reports of a task that runs on a [`Backend`](crate::backend::Backend) go nowhere.
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
    /// Says that this much is done, from 0 to 1, and what is being done. A fraction outside of that is taken to its nearer end.
    pub fn report(&self, fraction: f64, message: impl Into<String>) {
        let fraction = (!fraction.is_nan()).then(|| fraction.clamp(0.0, 1.0));
        self.send(fraction, message.into(), None);
    }

    /// Says what is being done, where nobody knows how much there is to do.
    pub fn message(&self, message: impl Into<String>) {
        self.send(None, message.into(), None);
    }

    /// Shows what there is of the result so far, and says what is being done. A value that JSON can't write is left out.
    pub fn partial(&self, output: impl Serialize, message: impl Into<String>) {
        match serde_json::to_value(output) {
            Ok(output) => self.send(None, message.into(), Some(Arc::new(output))),
            Err(error) => {
                tracing::warn!(%error, "a partial output can't be written as JSON");
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
