//! Duration of the same work under other schedules.

use std::{fmt, time::Duration};

use crate::timeline::Timeline;

/// Duration of a session, and its durations if the model had waited for its tools.
///
/// The two blocking schedules replay the record. Messages come at their recorded times, and turns and tasks take their recorded
/// times. A turn begins when its message has come and all earlier calls have ended. The replay has unlimited slots, unlike the
/// recorded run, so the blocking times are rather too short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Time from the first message to the last event.
    pub this_run: Duration,
    /// Longest running time of a task, and its label.
    pub longest: Option<(Duration, String)>,
    /// Time if the model waits for the calls of each turn, which run concurrently.
    pub parallel_blocking: Duration,
    /// Time if the model waits for each call, one after the other.
    pub blocking: Duration,
}

impl Comparison {
    /// Column at which the remarks of its text begin.
    pub const INDENT: usize = 32;

    /// Computes the durations for a recorded session.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Self {
        let longest = timeline.tasks.iter().max_by_key(|row| row.timing.running());
        Self {
            this_run: timeline
                .span()
                .map_or(Duration::ZERO, |(first, last)| last.since(first)),
            longest: longest.map(|row| (row.timing.running(), format!("{} {}", row.number, row.tool))),
            parallel_blocking: replay(timeline, |calls| calls.iter().copied().max().unwrap_or_default()),
            blocking: replay(timeline, |calls| calls.iter().sum()),
        }
    }
}

/// Duration of the session if the model waits after each turn; `wait` computes that time from the running times of the calls.
fn replay(timeline: &Timeline, wait: impl Fn(&[Duration]) -> Duration) -> Duration {
    let Some((first, _)) = timeline.span() else {
        return Duration::ZERO;
    };
    let mut clock = Duration::ZERO;
    for turn in &timeline.turns {
        let message = timeline.messages.iter().rfind(|at| **at <= turn.began);
        let arrival = message.map_or(Duration::ZERO, |at| at.since(first));
        let length = turn.ended.map_or(Duration::ZERO, |ended| ended.since(turn.began));
        let calls = timeline.tasks.iter().filter(|row| row.turn == turn.turn);
        let running: Vec<Duration> = calls.map(|row| row.timing.running()).collect();
        clock = clock.max(arrival) + length + wait(&running);
    }
    clock
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (longest, label) = self.longest.clone().unwrap_or_default();
        let rows = [
            ("this run", self.this_run, "from the first message to the last event"),
            ("longest task", longest, &label),
            (
                "parallel, blocking",
                self.parallel_blocking,
                "after each turn the model waits for the slowest of its calls",
            ),
            (
                "blocking",
                self.blocking,
                "after each turn the model waits for its calls, one after the other",
            ),
        ];
        for (name, time, how) in rows {
            writeln!(f, "  {name:<18}{:>7.2} s   {how}", time.as_secs_f64())?;
        }
        let note = "The last two replay the recorded messages, turns and running times, with unlimited slots.";
        writeln!(f, "\n  {note}")
    }
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{
        TaskNo, TaskStatus,
        task::{Timestamp, Timing, TurnNo},
    };

    use super::*;
    use crate::timeline::{TaskRow, TurnRow};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn turn(number: u32, began: u64, ended: u64) -> TurnRow {
        TurnRow {
            turn: TurnNo::new(number),
            began: at(began),
            ended: Some(at(ended)),
        }
    }

    /// Creates a row; `started` is `None` for a task that was cancelled in the queue.
    fn task(number: u32, turn: u32, accepted: u64, started: Option<u64>, settled: u64) -> TaskRow {
        TaskRow {
            number: TaskNo::new(number),
            tool: "work".to_owned(),
            turn: TurnNo::new(turn),
            timing: Timing::new(at(accepted), started.map(at), at(settled)),
            status: TaskStatus::Completed,
        }
    }

    fn session() -> Timeline {
        let mut timeline = Timeline::default();
        timeline.messages = vec![at(1000), at(1500)];
        timeline.turns = vec![turn(1, 1000, 1100), turn(2, 1500, 1600), turn(3, 6100, 6200)];
        timeline.tasks = vec![
            task(1, 1, 1100, Some(1100), 6100),
            task(2, 1, 1100, Some(1100), 3100),
            task(3, 2, 1600, Some(3100), 4100),
            task(4, 2, 1600, None, 2000),
        ];
        timeline
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_blocking_schedule_waits_for_each_call() {
        // 5000 + 2000 after turn 1, 1000 + 0 after turn 2, and three turns of 100.
        assert_eq!(Comparison::of(&session()).blocking, millis(8300));
    }

    #[test]
    fn a_parallel_blocking_schedule_waits_for_the_slowest_call_of_each_turn() {
        // 5000 after turn 1, 1000 after turn 2, and three turns of 100.
        assert_eq!(Comparison::of(&session()).parallel_blocking, millis(6300));
    }

    #[test]
    fn no_schedule_answers_a_message_before_it_is_there() {
        let mut timeline = session();
        timeline.messages[1] = at(20_000);
        timeline.turns = vec![turn(1, 1000, 1100), turn(2, 20_000, 20_100)];
        // The message comes 19 s after the first one; then a turn of 100, and 1000 of calls.
        assert_eq!(Comparison::of(&timeline).blocking, millis(20_100));
        assert_eq!(Comparison::of(&timeline).parallel_blocking, millis(20_100));
    }

    #[test]
    fn this_run_is_measured_from_its_first_to_its_last_event() {
        let comparison = Comparison::of(&session());
        assert_eq!(comparison.this_run, millis(5200));
        assert_eq!(comparison.longest, Some((millis(5000), "t1 work".to_owned())));
    }

    #[test]
    fn a_session_without_events_takes_no_time() {
        let comparison = Comparison::of(&Timeline::default());
        assert_eq!(comparison.blocking, Duration::ZERO);
        assert_eq!(comparison.this_run, Duration::ZERO);
        assert_eq!(comparison.longest, None);
    }
}
