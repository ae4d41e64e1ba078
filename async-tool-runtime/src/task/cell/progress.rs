//! The progress of a task: the latest report, and when it goes out.

use std::time::Duration;

use super::TaskCell;
use crate::{Timestamp, tool::ProgressReport};

/// The latest report, and when one last went out.
pub(super) struct Reported {
    report: ProgressReport,
    published: Timestamp,
    /// Whether it came too soon after that, and is still to go out.
    is_held: bool,
    /// Whether a timer sees to that.
    is_timed: bool,
}

/// What is to be done with the latest report of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reporting {
    /// It goes out.
    Now,
    /// It came too soon after the last one that went out: it is due in this time, and whoever hears this sees to it.
    In(Duration),
    /// There is nothing to do, or somebody sees to it already.
    Nothing,
}

/// The least time between two reports that go out.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

impl TaskCell {
    /// The latest report.
    pub(crate) fn progress(&self) -> Option<ProgressReport> {
        Some(self.more.get()?.rest().progress.as_ref()?.report.clone())
    }

    /// Keeps the latest report; says what is to be done with it.
    pub(crate) fn report(&self, mut report: ProgressReport, now: Timestamp) -> Reporting {
        let mut rest = self.more().rest();
        let Some(known) = &mut rest.progress else {
            rest.progress = Some(Reported {
                report,
                published: now,
                is_held: false,
                is_timed: false,
            });
            return Reporting::Now;
        };
        report.output = report.output.or_else(|| known.report.output.take());
        known.report = report;
        known.is_held = true;
        match known.next(now) {
            Reporting::In(_) if known.is_timed => Reporting::Nothing,
            next => {
                known.is_timed |= next != Reporting::Now;
                next
            }
        }
    }

    /// What the timer is to do that was set for a report that came too soon. After anything but [`Reporting::In`] it is over.
    pub(crate) fn report_due(&self, now: Timestamp) -> Reporting {
        let Some(more) = self.more.get() else {
            return Reporting::Nothing;
        };
        let mut rest = more.rest();
        let Some(known) = rest.progress.as_mut().filter(|_| !self.is_settled()) else {
            return Reporting::Nothing;
        };
        let next = known.next(now);
        known.is_timed = matches!(next, Reporting::In(_));
        next
    }

    /// The timer is gone before its time: the next report sets another.
    pub(crate) fn forget_report_timer(&self) {
        let Some(more) = self.more.get() else { return };
        if let Some(known) = &mut more.rest().progress {
            known.is_timed = false;
        }
    }
}

impl Reported {
    fn next(&mut self, now: Timestamp) -> Reporting {
        let left = PROGRESS_PAUSE.saturating_sub(now.since(self.published));
        match (self.is_held, left) {
            (false, _) => Reporting::Nothing,
            (true, Duration::ZERO) => {
                self.is_held = false;
                self.published = now;
                Reporting::Now
            }
            (true, left) => Reporting::In(left),
        }
    }
}
