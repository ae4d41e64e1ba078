//! Progress of a task: its latest report, and the time of publication.

use std::time::Duration;

use super::{Phase, TaskCell};
use crate::{clock::Timestamp, tool::ProgressReport};

/// The latest report.
pub(super) struct Reported {
    report: ProgressReport,
    /// Time at which a report was last published.
    published: Timestamp,
    /// True if this report came too soon after that and is not published yet.
    is_held: bool,
    /// True if a timer is set for its publication.
    is_timed: bool,
}

/// Next step of the caller for the latest report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reporting {
    /// Publish it.
    Now,
    /// Set a timer of this length, then call [`report_due`](TaskCell::report_due).
    In(Duration),
    Nothing,
}

/// Least time between two published reports.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

impl TaskCell {
    /// The latest report.
    pub(crate) fn progress(&self) -> Option<ProgressReport> {
        Some(self.state().extras.as_ref()?.progress.as_ref()?.report.clone())
    }

    /// Stores a report as the latest one.
    pub(crate) fn report(&self, mut report: ProgressReport, now: Timestamp) -> Reporting {
        let mut state = self.state();
        let progress = &mut state.extras().progress;
        let Some(known) = progress else {
            *progress = Some(Reported {
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

    /// Returns the next step of a timer that is due. The timer ends unless that is [`Reporting::In`].
    pub(crate) fn report_due(&self, now: Timestamp) -> Reporting {
        let mut state = self.state();
        let is_settled = matches!(state.phase, Phase::Settled(_));
        let Some(known) = state.extras.as_mut().and_then(|extras| extras.progress.as_mut()) else {
            return Reporting::Nothing;
        };
        if is_settled {
            return Reporting::Nothing;
        }
        let next = known.next(now);
        known.is_timed = matches!(next, Reporting::In(_));
        next
    }

    /// Forgets a timer that ended before it was due: the next report sets another.
    pub(crate) fn forget_report_timer(&self) {
        let mut state = self.state();
        if let Some(known) = state.extras.as_mut().and_then(|extras| extras.progress.as_mut()) {
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
