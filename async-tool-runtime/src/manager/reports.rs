//! Progress reports of tasks, and the time of their publication.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{runtime::Handle, time::sleep};

use super::{
    Inner, TaskNews,
    task::{Reporting, TaskCell},
};
use crate::{task::TaskEvent, tool::ProgressReport};

/// Timer of a held report. If its runtime ends before it is due, its drop lets the next report set another: a tool may
/// report from a runtime of its own.
struct ReportTimer(Weak<TaskCell>);

impl Drop for ReportTimer {
    fn drop(&mut self) {
        if let Some(cell) = self.0.upgrade() {
            cell.forget_report_timer();
        }
    }
}

impl Inner {
    /// Publishes a report for all calls that the run serves.
    pub(super) fn report(self: &Arc<Self>, cell: &Arc<TaskCell>, report: ProgressReport) {
        let calls = cell.served();
        if !calls.iter().any(|call| Arc::ptr_eq(call, cell)) {
            // For calls that join later.
            cell.report(report.clone(), self.now());
        }
        for call in &calls {
            self.report_for(call, report.clone());
        }
    }

    /// Publishes a report now, or a little later unless another is published by then.
    pub(super) fn report_for(self: &Arc<Self>, cell: &Arc<TaskCell>, report: ProgressReport) {
        if cell.is_settled() {
            return;
        }
        match cell.report(report, self.now()) {
            Reporting::Now => self.tell_progress(cell),
            Reporting::In(pause) => self.report_later(cell, pause),
            Reporting::Nothing => {}
        }
    }

    fn report_later(self: &Arc<Self>, cell: &Arc<TaskCell>, mut pause: Duration) {
        // The manager's runtime first: a runtime that a tool made for itself may end before the report is due.
        let Some(runtime) = self.runtime().or_else(|| Handle::try_current().ok()) else {
            return;
        };
        // Weak, so that the timer keeps neither the manager nor an ended task alive.
        let (inner, mut timer) = (Arc::downgrade(self), ReportTimer(Arc::downgrade(cell)));
        runtime.spawn(async move {
            loop {
                sleep(pause).await;
                let cell = timer.0.upgrade();
                let (Some(inner), Some(cell)) = (inner.upgrade(), cell) else {
                    return;
                };
                match cell.report_due(inner.now()) {
                    Reporting::In(left) => pause = left,
                    done => {
                        drop(std::mem::take(&mut timer.0));
                        if done == Reporting::Now {
                            inner.tell_progress(&cell);
                        }
                        return;
                    }
                }
            }
        });
    }

    fn tell_progress(&self, cell: &Arc<TaskCell>) {
        if cell.spec.is_of_session()
            && let Some(report) = cell.progress()
        {
            let news = TaskNews::Progressed(cell.spec.task, Box::new(report));
            self.tell_session(&cell.spec.session, news);
        }
        self.publish(|| TaskEvent::Progressed(cell.snapshot()));
    }
}
