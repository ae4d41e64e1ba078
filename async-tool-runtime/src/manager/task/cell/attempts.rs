//! Attempts of a task: the runs of its function.

use std::{collections::VecDeque, sync::Arc};

use super::{Phase, Stopping, TaskCell};
use crate::{clock::Timestamp, task::TaskAttempt, tool::ToolError};

/// Failed attempts that are kept of a task.
const KEPT: usize = 16;

/// Attempts of a task in this process.
#[derive(Default)]
pub(super) struct Attempts {
    /// Start of the first attempt.
    pub(super) started: Option<Timestamp>,
    pub(super) count: u32,
}

/// Failed attempts of a task that has one.
#[derive(Default)]
pub(super) struct FailedAttempts {
    latest: VecDeque<TaskAttempt>,
    /// Start of the attempt that follows them; `None` before it.
    next: Option<Timestamp>,
}

impl TaskCell {
    /// Counts an attempt that begins now. Returns true for the first attempt, and the number of this one.
    pub(crate) fn begin(&self, now: Timestamp) -> (bool, u32) {
        let mut state = self.state();
        let is_first = state.attempts.started.is_none();
        state.attempts.started.get_or_insert(now);
        state.attempts.count = state.attempts.count.saturating_add(1);
        if state.stopping == Stopping::Partial {
            state.stopping = Stopping::No;
        }
        if let Some(failed) = state.extras.as_mut().and_then(|extras| extras.failed.as_mut()) {
            failed.next = Some(now);
        }
        (is_first, self.with_earlier(state.attempts.count))
    }

    /// Notes that the latest attempt has failed.
    pub(crate) fn fail_attempt(&self, error: &ToolError, now: Timestamp) {
        let mut state = self.state();
        let (first, number) = (state.attempts.started, self.with_earlier(state.attempts.count));
        let failed = &mut state.extras().failed;
        let started = match failed {
            None => first,
            Some(failed) => failed.next.take(),
        };
        let Some(started) = started else { return };
        let failed = failed.get_or_insert_default();
        let oldest = (failed.latest.len() >= KEPT).then(|| failed.latest.pop_front());
        failed.latest.push_back(TaskAttempt {
            number,
            started,
            ended: Some(now),
            error: Some(error.clone()),
        });
        drop(state);
        // An error may hold one of the host's.
        drop(oldest);
    }

    /// Adds the attempts of earlier processes; saturates, because a host or a backend may name any number.
    pub(super) fn with_earlier(&self, attempts: u32) -> u32 {
        (self.spec.attempt.max(1) - 1).saturating_add(attempts)
    }

    /// Start of the first attempt.
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.state().attempts.started
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.state().attempts.count
    }

    /// Attempts in all processes, with those of a shared run; 0 before the first.
    pub(super) fn all_attempts(self: &Arc<Self>) -> u32 {
        let own = self.attempts();
        let shared = self.shared_run().map_or(0, |run| run.attempts());
        match own.max(shared) {
            0 => 0,
            attempts => self.with_earlier(attempts),
        }
    }

    /// Latest attempts in this process, or of the shared run, in their order.
    pub(super) fn latest_attempts(&self) -> Vec<TaskAttempt> {
        let Some(run) = self.shared_run() else {
            return self.own_attempts();
        };
        let mut latest = run.own_attempts();
        if let Some(last) = latest.last_mut()
            && last.ended.is_none()
        {
            last.ended = self.result().map(|result| result.timing.settled);
        }
        latest
    }

    fn own_attempts(&self) -> Vec<TaskAttempt> {
        let state = self.state();
        let failed = state.extras.as_ref().and_then(|extras| extras.failed.as_deref());
        let mut latest: Vec<TaskAttempt> = failed.into_iter().flat_map(|failed| &failed.latest).cloned().collect();
        let started = failed.map_or(state.attempts.started, |failed| failed.next);
        // Of a worker's attempts, only their number is known.
        let is_known = !self.is_remote() || state.attempts.count <= 1;
        if let Some(started) = started.filter(|_| is_known) {
            let ended = match &state.phase {
                Phase::Settled(result) => Some(result.timing.settled),
                Phase::Open | Phase::Ended => None,
            };
            latest.push(TaskAttempt {
                number: self.with_earlier(state.attempts.count),
                started,
                ended,
                error: None,
            });
        }
        latest
    }

    /// Sets the number of attempts, of which nothing else is known.
    pub(crate) fn set_attempts(&self, attempts: u32) {
        let mut state = self.state();
        state.attempts.count = attempts;
        let forgotten = state.extras.as_mut().and_then(|extras| extras.failed.take());
        drop(state);
        drop(forgotten);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use serde_json::json;

    use super::*;
    use crate::{
        session::SessionId,
        task::{TaskOutcome, TaskSpec},
        tool::ToolCall,
    };

    fn cell(earlier: u32) -> Arc<TaskCell> {
        let mut spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "tool", json!({})));
        spec.attempt = earlier;
        TaskCell::new(spec, Timestamp::default(), None, Weak::new())
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn attempts_beyond_all_numbers_are_as_many_as_can_be_said() {
        let cell = cell(u32::MAX);
        assert_eq!(cell.begin(Timestamp::default()), (true, u32::MAX));
        assert_eq!(cell.begin(Timestamp::default()), (false, u32::MAX));
        cell.set_attempts(u32::MAX);
        cell.begin(Timestamp::default());
        let settled = cell.settle(TaskOutcome::Completed(json!(1)), Timestamp::default());
        assert_eq!(settled.unwrap().attempts, u32::MAX);
    }

    #[test]
    fn each_attempt_is_kept_with_its_times_and_its_error() {
        let cell = cell(3);
        assert_eq!(cell.latest_attempts(), []);
        cell.begin(at(10));
        cell.fail_attempt(&ToolError::failed("busy"), at(20));
        // A layer that fails before the function begins is no attempt.
        cell.fail_attempt(&ToolError::failed("open breaker"), at(25));
        let shown = || -> Vec<_> {
            let attempts = cell.latest_attempts().into_iter();
            let part = |attempt: TaskAttempt| {
                let error = attempt.error.map(|error| error.message().to_owned());
                (attempt.number, attempt.started, attempt.ended, error)
            };
            attempts.map(part).collect()
        };
        let first = (3, at(10), Some(at(20)), Some("busy".to_owned()));
        assert_eq!(shown(), std::slice::from_ref(&first));
        cell.begin(at(30));
        assert_eq!(shown(), [first.clone(), (4, at(30), None, None)]);
        cell.settle(TaskOutcome::Completed(json!(1)), at(40));
        assert_eq!(shown(), [first, (4, at(30), Some(at(40)), None)]);
    }

    #[test]
    fn of_many_attempts_the_latest_are_kept() {
        let cell = cell(1);
        for round in 0..100 {
            cell.begin(at(round));
            cell.fail_attempt(&ToolError::failed("busy"), at(round));
        }
        cell.begin(at(100));
        let numbers: Vec<u32> = cell.latest_attempts().iter().map(|attempt| attempt.number).collect();
        assert_eq!(numbers, (85..=101).collect::<Vec<_>>());
    }
}
