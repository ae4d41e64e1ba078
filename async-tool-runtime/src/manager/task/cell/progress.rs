//! Progress of a task: its latest report.

use super::TaskCell;
use crate::tool::ProgressReport;

impl TaskCell {
    /// The latest report.
    pub(crate) fn progress(&self) -> Option<ProgressReport> {
        self.state().extras.as_ref()?.progress.clone()
    }

    /// Stores a report as the latest one.
    pub(crate) fn report(&self, mut report: ProgressReport) {
        let mut state = self.state();
        let progress = &mut state.extras().progress;
        if let Some(known) = progress {
            report.output = report.output.or_else(|| known.output.take());
        }
        *progress = Some(report);
    }
}
