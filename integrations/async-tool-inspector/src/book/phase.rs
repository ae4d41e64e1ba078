//! Phases of a task in time.

use async_tool_runtime::{
    SessionId, TaskNo,
    task::{Timestamp, WaitsFor},
};
use serde::Serialize;

use super::words::{name, waits_text};

/// Change of what a task does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

/// Doing of a task from a moment on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// Its arguments need the results of these tasks.
    Depends(Vec<TaskNo>),
    /// It waits.
    Waits(WaitsFor),
    /// Its function runs, for the n-th time.
    Runs(u32),
    /// Its process has ended, and no other one has taken it up.
    Lost,
}

/// Phase of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Phase {
    kind: &'static str,
    from: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    words: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<String>,
}

impl Phase {
    pub(crate) const fn from(&self) -> Timestamp {
        self.from
    }

    pub(crate) const fn to(&self) -> Option<Timestamp> {
        self.to
    }

    pub(crate) const fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) const fn attempt(&self) -> Option<u32> {
        self.attempt
    }

    fn of(what: &What, from: Timestamp, session: &SessionId) -> Self {
        let (kind, words, until, tasks, attempt) = match what {
            What::Depends(tasks) => {
                let names: Vec<String> = tasks.iter().map(TaskNo::to_string).collect();
                ("depends", depends_text(tasks), None, names, None)
            }
            What::Runs(attempt) => {
                let words = match attempt {
                    0 | 1 => "runs".to_owned(),
                    attempt => format!("attempt {attempt} runs"),
                };
                ("running", words, None, Vec::new(), Some((*attempt).max(1)))
            }
            What::Lost => ("lost", "its process ended".to_owned(), None, Vec::new(), None),
            What::Waits(wait) => {
                let (until, of) = match wait {
                    WaitsFor::Rate { until } => (Some(*until), &[][..]),
                    WaitsFor::Retry { at } => (Some(*at), &[][..]),
                    WaitsFor::Outside { until } => (*until, &[][..]),
                    WaitsFor::Resource { held_by } => (None, &held_by[..]),
                    WaitsFor::Result { of } => (None, &of[..]),
                    _ => (None, &[][..]),
                };
                let tasks = of.iter().take(16).map(|task| name(task, session)).collect();
                (kind_of(wait), waits_text(wait, session), until, tasks, None)
            }
        };
        Self {
            kind,
            from,
            to: None,
            attempt,
            words,
            until,
            tasks,
        }
    }
}

/// Wait for results that the arguments need, to be read after the name of the task.
pub(super) fn depends_text(tasks: &[TaskNo]) -> String {
    let names: Vec<String> = tasks.iter().map(TaskNo::to_string).collect();
    format!("needs the result of {}", names.join(", "))
}

const fn kind_of(wait: &WaitsFor) -> &'static str {
    match wait {
        WaitsFor::Rate { .. } => "rate",
        WaitsFor::Retry { .. } => "retry",
        WaitsFor::Resource { .. } => "resource",
        WaitsFor::Result { .. } => "result",
        WaitsFor::Agent { .. } => "agent",
        WaitsFor::Consent => "consent",
        WaitsFor::Input => "input",
        WaitsFor::Outside { .. } => "outside",
        WaitsFor::Worker => "worker",
        _ => "slot",
    }
}

/// Phases from changes that are sorted by their times, without gaps, from the acceptance to the end.
///
/// `stopping` is the time at which the task was told to stop: while it runs after that, it is stopping.
pub(super) fn phases(
    changes: &[Change],
    accepted: Timestamp,
    stopping: Option<Timestamp>,
    settled: Option<Timestamp>,
    session: &SessionId,
) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::with_capacity(changes.len() + 1);
    let mut add = |mut phase: Phase, to: Option<Timestamp>| {
        phase.to = to;
        if to == Some(phase.from) {
            return;
        }
        match phases.last_mut() {
            // A wait for the same things goes on, perhaps with another deadline.
            Some(last) if last.kind == phase.kind && last.attempt == phase.attempt && last.tasks == phase.tasks => {
                last.to = phase.to;
                last.until = phase.until;
            }
            _ => phases.push(phase),
        }
    };
    for (place, change) in changes.iter().enumerate() {
        let end = changes.get(place + 1).map(|next| next.at).or(settled);
        let clamp = |time: Timestamp| {
            let time = time.max(accepted);
            settled.map_or(time, |settled| time.min(settled))
        };
        let from = if place == 0 { accepted } else { clamp(change.at) };
        let to = end.map(clamp);
        let phase = Phase::of(&change.what, from, session);
        let stop = stopping.filter(|stop| phase.kind == "running" && to.is_none_or(|to| *stop < to));
        match stop {
            Some(stop) => {
                let stop = stop.max(from);
                let stopped = Phase {
                    kind: "stopping",
                    from: stop,
                    words: "was told to stop".to_owned(),
                    ..phase.clone()
                };
                add(phase, Some(stop));
                add(stopped, to);
            }
            None => add(phase, to),
        }
    }
    phases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn shown(changes: &[Change], stopping: Option<u64>, settled: Option<u64>) -> Vec<(&'static str, u64, Option<u64>)> {
        let session = SessionId::new("s");
        let phases = phases(changes, at(10), stopping.map(at), settled.map(at), &session);
        let times = |phase: &Phase| (phase.kind, phase.from.as_millis(), phase.to.map(Timestamp::as_millis));
        phases.iter().map(times).collect()
    }

    fn change(millis: u64, what: What) -> Change {
        Change { at: at(millis), what }
    }

    #[test]
    fn phases_have_no_gaps_and_begin_with_the_acceptance() {
        let changes = [
            change(12, What::Waits(WaitsFor::Slot)),
            change(20, What::Runs(1)),
            change(30, What::Waits(WaitsFor::Retry { at: at(40) })),
            change(40, What::Runs(2)),
        ];
        assert_eq!(
            shown(&changes, None, Some(50)),
            [
                ("slot", 10, Some(20)),
                ("running", 20, Some(30)),
                ("retry", 30, Some(40)),
                ("running", 40, Some(50))
            ]
        );
        assert_eq!(shown(&changes, None, None).last(), Some(&("running", 40, None)));
    }

    #[test]
    fn a_change_that_is_seen_after_the_end_is_cut_off_there() {
        let changes = [change(10, What::Runs(1)), change(60, What::Waits(WaitsFor::Slot))];
        assert_eq!(shown(&changes, None, Some(50)), [("running", 10, Some(50))]);
    }

    #[test]
    fn a_task_that_was_told_to_stop_is_stopping_while_it_runs_on() {
        let changes = [change(10, What::Runs(1))];
        assert_eq!(
            shown(&changes, Some(20), None),
            [("running", 10, Some(20)), ("stopping", 20, None)]
        );
        assert_eq!(shown(&changes, Some(60), Some(50)), [("running", 10, Some(50))]);
    }

    #[test]
    fn a_wait_that_is_told_again_is_one_phase() {
        let rate = |until| What::Waits(WaitsFor::Rate { until: at(until) });
        let changes = [change(10, rate(30)), change(20, rate(40)), change(40, What::Runs(1))];
        let session = SessionId::new("s");
        let phases = phases(&changes, at(10), None, None, &session);
        assert_eq!(phases.len(), 2);
        assert_eq!((phases[0].to, phases[0].until), (Some(at(40)), Some(at(40))));
    }
}
