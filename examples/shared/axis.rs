//! The time axis of a chart.

use std::time::Duration;

use async_tool_runtime::task::Timestamp;

/// Empty cell.
pub(crate) const BLANK: char = ' ';
/// Distances between marks on the axis, in milliseconds; the first that gives at most [`MARKS_AT_MOST`] marks is used.
const STEPS: [u64; 13] = [
    10, 50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 1_800_000,
];
const MARKS_AT_MOST: u64 = 6;

/// Maps times to columns.
pub(crate) struct Axis {
    pub(crate) begin: Timestamp,
    /// Length in milliseconds; not 0.
    pub(crate) length: u64,
    /// Width in characters; not 0.
    pub(crate) width: usize,
}

impl Axis {
    pub(crate) fn column(&self, at: Timestamp) -> usize {
        let column = at.since(self.begin).as_millis() as usize * self.width / self.length as usize;
        column.min(self.width - 1)
    }

    pub(crate) fn blank(&self) -> Vec<char> {
        vec![BLANK; self.width]
    }

    fn step(&self) -> u64 {
        let fits = |step: &&u64| self.length / **step <= MARKS_AT_MOST;
        STEPS.iter().find(fits).copied().unwrap_or(self.length)
    }

    fn times(&self) -> impl Iterator<Item = Duration> {
        (0..=self.length)
            .step_by(self.step() as usize)
            .map(Duration::from_millis)
    }

    /// Line with the times above the marks, at most `columns` wide: a time without room is left out.
    pub(crate) fn numbers(&self, columns: usize) -> String {
        let mut line = String::new();
        for time in self.times() {
            let column = self.column(self.begin.after(time));
            let used = line.chars().count();
            let text = self.name(time);
            if column >= used && column + text.chars().count() <= columns {
                line.push_str(&" ".repeat(column - used));
                line.push_str(&text);
                line.push(BLANK);
            }
        }
        line.trim_end().to_owned()
    }

    fn name(&self, time: Duration) -> String {
        if self.length < 1000 {
            format!("{} ms", time.as_millis())
        } else {
            format!("{} s", time.as_secs_f64())
        }
    }

    pub(crate) fn marks(&self) -> String {
        self.points(self.times().map(|time| self.begin.after(time)), '┴')
            .replace(BLANK, "─")
    }

    pub(crate) fn points(&self, times: impl Iterator<Item = Timestamp>, mark: char) -> String {
        let mut cells = self.blank();
        for at in times {
            cells[self.column(at)] = mark;
        }
        cells.into_iter().collect()
    }
}
