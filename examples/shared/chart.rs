//! A chart of a session, for the terminal.

use std::{fmt, time::Duration};

use async_tool_runtime::TaskStatus;

use crate::{
    axis::{Axis, BLANK},
    layout::{Layout, Widths},
    timeline::{TaskRow, Timeline, TurnRow},
};

const QUEUED: char = '░';
const RUNNING: char = '█';
const WIDTHS: Widths = Widths {
    label: 20,
    axis: 60,
    axis_beside: 30,
};
/// One turn in a column. Several turns in a column are shown by their number.
const TURN: char = '┃';

/// A timeline as text: on a common axis, a row for the user, a row for the model, and a row for each task.
#[derive(Debug)]
pub struct Chart<'a> {
    timeline: &'a Timeline,
    columns: usize,
}

impl<'a> Chart<'a> {
    /// Width of a chart that isn't for a terminal.
    pub const COLUMNS: usize = 120;
    /// Column at which a broken caption goes on.
    pub const INDENT: usize = 4;

    /// A chart whose rows have at most this many columns, but at least 8. Where remarks don't fit beside the bars, they are below.
    #[must_use]
    pub fn new(timeline: &'a Timeline, columns: usize) -> Self {
        Self {
            timeline,
            columns: columns.max(8),
        }
    }
}

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((begin, end)) = self.timeline.span() else {
            return writeln!(f, "nothing happened");
        };
        let remarks: Vec<String> = self.timeline.tasks.iter().map(remark).collect();
        let longest = remarks.iter().map(|remark| remark.chars().count()).max();
        let (layout, is_beside) = Layout::new(&WIDTHS, self.columns, longest.unwrap_or_default());
        let axis = Axis {
            begin,
            // The axis needs a length, even if all events have the same time.
            length: end.since(begin).as_millis().max(1) as u64,
            width: layout.axis,
        };
        let numbers = axis.numbers(self.columns - layout.label - 2);
        writeln!(f, "{:label$}  {numbers}", "", label = layout.label)?;
        layout.row(f, "", &axis.marks(), "")?;
        let messages = axis.points(self.timeline.messages.iter().copied(), '▼');
        layout.row(f, "user", &messages, "")?;
        layout.row(f, "model turns", &turns(&axis, &self.timeline.turns), "")?;
        for (task, remark) in self.timeline.tasks.iter().zip(&remarks) {
            let remark = if is_beside { remark } else { "" };
            layout.row(f, &label(task), &bar(&axis, task), remark)?;
        }
        if !is_beside {
            writeln!(f)?;
            for (task, remark) in self.timeline.tasks.iter().zip(&remarks) {
                writeln!(f, "  {}: {remark}", label(task))?;
            }
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

fn label(task: &TaskRow) -> String {
    format!("{} {}", task.number, task.tool)
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
    use crate::layout::width_of;

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
        let drawn = Chart::new(&timeline, 98).to_string();
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
        assert!(drawn.contains(&format!("{}█│", " ".repeat(11))), "{drawn}");
    }

    #[test]
    fn no_row_is_wider_than_the_terminal_and_no_remark_is_lost() {
        let mut timeline = Timeline::default();
        timeline.messages = vec![at(0), at(7_000)];
        timeline.turns = vec![turn(0), turn(7_000)];
        timeline.tasks = vec![
            task(1, 0, Some(0), 7_300, TaskStatus::Completed),
            task(12, 0, Some(2000), 2900, TaskStatus::Failed),
        ];
        timeline.tasks[0].tool = "a_tool_with_quite_a_long_name".to_owned();
        for columns in 8..=200 {
            let drawn = Chart::new(&timeline, columns).to_string();
            for row in drawn.lines().take(6) {
                assert!(width_of(row) <= columns, "{columns}: {row:?}");
            }
            for remark in ["completed, ran 7.30 s", "FAILED, ran 900 ms, waited 2.00 s"] {
                assert!(drawn.contains(remark), "{columns}: {drawn}");
            }
            for row in drawn.lines().filter(|row| row.contains('│') && columns < 80) {
                assert!(width_of(row) <= columns, "{columns}: {row:?}");
            }
        }
    }

    #[test]
    fn an_empty_session_is_drawn_as_such() {
        assert_eq!(Chart::new(&Timeline::default(), 40).to_string(), "nothing happened\n");
    }
}
