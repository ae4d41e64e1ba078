//! A chart of a session, for the terminal.

use std::{fmt, time::Duration};

use async_tool_runtime::TaskStatus;

use crate::{
    axis::{Axis, BLANK},
    timeline::{TaskRow, Timeline, TurnRow},
};

const QUEUED: char = '░';
const RUNNING: char = '█';
/// Width of the column of names, in characters.
const LABEL: usize = 20;
/// One turn in a column. Several turns in a column are shown by their number.
const TURN: char = '┃';

/// A timeline as text: on a common axis, a row for the user, a row for the model, and a row for each task.
#[derive(Debug)]
pub struct Chart<'a> {
    timeline: &'a Timeline,
    width: usize,
}

impl<'a> Chart<'a> {
    /// A chart whose axis is `width` characters long; at least 10.
    #[must_use]
    pub fn new(timeline: &'a Timeline, width: usize) -> Self {
        Self {
            timeline,
            width: width.max(10),
        }
    }
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((begin, end)) = self.timeline.span() else {
            return writeln!(f, "nothing happened");
        };
        let axis = Axis {
            begin,
            // The axis needs a length, even if all events have the same time.
            length: end.since(begin).as_millis().max(1) as u64,
            width: self.width,
        };
        writeln!(f, "{:LABEL$}  {}", "", axis.numbers())?;
        row(f, "", &axis.marks(), "")?;
        row(f, "user", &axis.points(self.timeline.messages.iter().copied(), '▼'), "")?;
        row(f, "model turns", &turns(&axis, &self.timeline.turns), "")?;
        for task in &self.timeline.tasks {
            let label = format!("{} {}", task.number, task.tool);
            row(f, &label, &bar(&axis, task), &remark(task))?;
        }
        let began = |row: &TurnRow| format!("{:.2}", row.began.since(begin).as_secs_f64());
        let starts: Vec<String> = self.timeline.turns.iter().map(began).collect();
        writeln!(
            f,
            "\n  {QUEUED} waits for a slot   {RUNNING} runs   ▼ a message   {TURN} a turn; a digit: that many turns in one column"
        )?;
        writeln!(f, "  turns began at {} s", starts.join(", "))
    }
}

fn row(f: &mut fmt::Formatter<'_>, label: &str, cells: &str, remark: &str) -> fmt::Result {
    let line = format!("{label:<LABEL$} │{cells}│ {remark}");
    writeln!(f, "{}", line.trim_end())
}

/// Draws a mark for each turn, or the number of turns if several share a column.
fn turns(axis: &Axis, rows: &[TurnRow]) -> String {
    let mut cells = axis.blank();
    for row in rows {
        let (from, to) = (axis.column(row.began), axis.column(row.ended.unwrap_or(row.began)));
        for cell in &mut cells[from..=to] {
            *cell = match *cell {
                BLANK => TURN,
                TURN => '2',
                '2'..='8' => char::from_u32(u32::from(*cell) + 1).unwrap_or('9'),
                _ => '9',
            };
        }
    }
    cells.into_iter().collect()
}

/// Draws the bar of a task. In a shared column, running covers queued. A task that is shorter than a column still gets one cell.
fn bar(axis: &Axis, task: &TaskRow) -> String {
    let mut cells = axis.blank();
    let timing = &task.timing;
    let (accepted, settled) = (axis.column(timing.accepted), axis.column(timing.settled));
    let started = timing.started.map(|at| axis.column(at));
    cells[accepted..=settled].fill(QUEUED);
    if let Some(started) = started {
        cells[started..=settled].fill(RUNNING);
    }
    cells.into_iter().collect()
}

fn remark(task: &TaskRow) -> String {
    let seconds = |time: Duration| match time.as_millis() {
        millis @ ..1000 => format!("{millis} ms"),
        _ => format!("{:.2} s", time.as_secs_f64()),
    };
    let status = match task.status {
        TaskStatus::Completed => "completed".to_owned(),
        TaskStatus::Failed => "FAILED".to_owned(),
        other => other.to_string(),
    };
    let queued = task.timing.queued();
    let waited = if queued < Duration::from_millis(10) {
        String::new()
    } else {
        format!(", waited {}", seconds(queued))
    };
    format!("{status}, ran {}{waited}", seconds(task.timing.running()))
}

#[cfg(test)]
mod tests {
    use async_tool_runtime::{
        TaskNo,
        task::{Timestamp, Timing, TurnNo},
    };

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(50_000 + millis)
    }

    fn task(number: u32, accepted: u64, started: Option<u64>, settled: u64, status: TaskStatus) -> TaskRow {
        TaskRow {
            number: TaskNo::new(number),
            tool: "work".to_owned(),
            turn: TurnNo::new(1),
            timing: Timing::new(at(accepted), started.map(at), at(settled)),
            status,
        }
    }

    fn turn(began: u64) -> TurnRow {
        TurnRow {
            turn: TurnNo::new(1),
            began: at(began),
            ended: Some(at(began)),
        }
    }

    #[test]
    fn tasks_and_turns_share_one_axis() {
        let mut timeline = Timeline::default();
        timeline.messages = vec![at(0)];
        timeline.turns = vec![turn(0), turn(1), turn(2000), turn(4000)];
        timeline.tasks = vec![
            task(1, 0, Some(0), 4000, TaskStatus::Completed),
            task(2, 0, Some(2000), 2900, TaskStatus::Failed),
            task(3, 1000, None, 2000, TaskStatus::Cancelled),
        ];
        let expected = [
            "                      0 s       1 s       2 s       3 s      4 s",
            "                     │┴─────────┴─────────┴─────────┴────────┴│",
            "user                 │▼                                       │",
            "model turns          │2                   ┃                  ┃│",
            "t1 work              │████████████████████████████████████████│ completed, ran 4.00 s",
            "t2 work              │░░░░░░░░░░░░░░░░░░░░██████████          │ FAILED, ran 900 ms, waited 2.00 s",
            "t3 work              │          ░░░░░░░░░░░                   │ cancelled, ran 0 ms, waited 1.00 s",
        ];
        let drawn = Chart::new(&timeline, 40).to_string();
        let drawn: Vec<&str> = drawn.lines().collect();
        assert_eq!(drawn[..7], expected);
    }

    #[test]
    fn what_is_shorter_than_a_column_is_drawn() {
        let mut timeline = Timeline::default();
        timeline.tasks = vec![
            task(1, 0, Some(0), 10_000, TaskStatus::Completed),
            task(2, 10_000, Some(10_000), 10_000, TaskStatus::Completed),
        ];
        let drawn = Chart::new(&timeline, 20).to_string();
        assert!(drawn.contains(&format!("{}█│", " ".repeat(19))), "{drawn}");
    }

    #[test]
    fn an_empty_session_is_drawn_as_such() {
        assert_eq!(Chart::new(&Timeline::default(), 40).to_string(), "nothing happened\n");
    }
}
