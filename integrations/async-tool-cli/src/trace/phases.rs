//! Phases of a task, from the entries of its session.

use async_tool_runtime::task::Timestamp;

use super::span::Phase;

/// Phase of a task that is open: the journal does not say when its function began.
const OPEN: &str = "open";

/// Changes of a task, in order, each with the phase that it begins.
pub(super) struct Changes(Vec<(Timestamp, Change)>);

/// Beginning of a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The task waits for a slot or its policies, or runs.
    Goes,
    /// The task waits for something with a name.
    Waits(String),
}

/// Beginning of a task's function.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    /// The task is open, so the journal does not say.
    Unknown,
    NeverBegan,
    BeganAt(Timestamp),
}

impl Function {
    /// Beginning of the function of a task that has ended.
    pub(super) fn of(started: Option<Timestamp>) -> Self {
        started.map_or(Self::NeverBegan, Self::BeganAt)
    }
}

impl Changes {
    pub(super) fn new(at: Timestamp, change: Change) -> Self {
        Self(vec![(at, change)])
    }

    pub(super) fn push(&mut self, at: Timestamp, change: Change) {
        // A process may have written the time of another clock.
        let last = self.0.last().map_or(at, |(last, _)| *last);
        self.0.push((at.max(last), change));
    }

    /// Phases up to `end`.
    pub(super) fn phases(&self, end: Timestamp, function: Function) -> Vec<Phase> {
        let mut phases: Vec<Phase> = Vec::new();
        let ends = self.0.iter().skip(1).map(|(at, _)| *at).chain([end]);
        for ((start, change), end) in self.0.iter().zip(ends) {
            let end = end.max(*start);
            match (change, function) {
                (Change::Waits(what), _) => add(&mut phases, what, *start, end),
                (Change::Goes, Function::Unknown) => add(&mut phases, OPEN, *start, end),
                (Change::Goes, Function::NeverBegan) => add(&mut phases, "queued", *start, end),
                (Change::Goes, Function::BeganAt(started)) => {
                    let started = started.clamp(*start, end);
                    add(&mut phases, "queued", *start, started);
                    add(&mut phases, "runs", started, end);
                }
            }
        }
        phases
    }
}

fn add(phases: &mut Vec<Phase>, name: &str, start: Timestamp, end: Timestamp) {
    if start == end {
        return;
    }
    match phases.last_mut() {
        Some(last) if last.name == name => last.end = end,
        _ => phases.push(Phase {
            name: name.to_owned(),
            start,
            end,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn shown(changes: &Changes, end: u64, function: Function) -> Vec<(String, u64, u64)> {
        let phases = changes.phases(at(end), function);
        let shown = phases
            .into_iter()
            .map(|phase| (phase.name, phase.start.as_millis(), phase.end.as_millis()));
        shown.collect()
    }

    #[test]
    fn a_task_is_queued_until_its_function_begins() {
        let mut changes = Changes::new(at(0), Change::Waits("waits for t1".to_owned()));
        changes.push(at(10), Change::Goes);
        changes.push(at(30), Change::Waits("waits for consent".to_owned()));
        changes.push(at(40), Change::Goes);
        let phase = |name: &str, start, end| (name.to_owned(), start, end);
        let waits = [
            phase("waits for t1", 0, 10),
            phase("queued", 10, 30),
            phase("waits for consent", 30, 40),
        ];
        let ended = shown(&changes, 90, Function::BeganAt(at(50)));
        assert_eq!(
            ended,
            [&waits[..], &[phase("queued", 40, 50), phase("runs", 50, 90)]].concat()
        );
        let began_early = shown(&changes, 90, Function::BeganAt(at(20)));
        assert_eq!(
            began_early,
            [
                phase("waits for t1", 0, 10),
                phase("queued", 10, 20),
                phase("runs", 20, 30),
                phase("waits for consent", 30, 40),
                phase("runs", 40, 90)
            ]
        );
        assert_eq!(
            shown(&changes, 90, Function::NeverBegan).last(),
            Some(&phase("queued", 40, 90))
        );
        assert_eq!(
            shown(&changes, 90, Function::Unknown).last(),
            Some(&phase(OPEN, 40, 90))
        );
    }

    #[test]
    fn a_clock_that_goes_back_leaves_no_phase_of_negative_length() {
        let mut changes = Changes::new(at(100), Change::Goes);
        changes.push(at(20), Change::Waits("waits for consent".to_owned()));
        changes.push(at(110), Change::Goes);
        for phase in changes.phases(at(5), Function::BeganAt(at(1))) {
            assert!(phase.start < phase.end, "{phase:?}");
        }
    }
}
