//! Progress reports of tasks.

use std::sync::Arc;

use super::{
    Inner,
    task::{Change, TaskCell},
};
use crate::tool::ProgressReport;

impl Inner {
    /// Publishes a report for all calls that the run serves.
    pub(super) fn report(self: &Arc<Self>, cell: &Arc<TaskCell>, report: ProgressReport) {
        let calls = cell.served();
        if !calls.iter().any(|call| Arc::ptr_eq(call, cell)) {
            // For calls that join later.
            cell.report(report.clone());
        }
        for call in &calls {
            self.report_for(call, report.clone());
        }
    }

    /// Publishes a report now, or a little later unless another is published by then.
    pub(super) fn report_for(self: &Arc<Self>, cell: &Arc<TaskCell>, report: ProgressReport) {
        if !cell.is_settled() {
            cell.report(report);
            self.changed(cell, Change::Progress);
        }
    }
}
