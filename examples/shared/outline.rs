//! A chart of tasks and their child tasks, for the terminal.

use std::{fmt, time::Duration};

use async_tool_runtime::{AsyncTaskResult, TaskId, TaskStatus, task::Timestamp};

use crate::{
    axis::Axis,
    layout::{Layout, Widths},
    lineage::Lineage,
};

const QUEUED: char = '░';
const RUNNING: char = '█';
const WAITING: char = '─';
const BETWEEN: char = '▒';
/// Width of a remark before its status.
const TIMES: usize = 13;
const WIDTHS: Widths = Widths {
    label: 22,
    axis: 60,
    axis_beside: 30,
};

/// A [`Lineage`] as text: on a common axis, a row for each task, below the task that submitted it.
#[derive(Debug)]
pub struct Outline<'a> {
    lineage: &'a Lineage,
    columns: usize,
    label: fn(&AsyncTaskResult) -> String,
}

impl<'a> Outline<'a> {
    /// Width of an outline that isn't for a terminal.
    pub const COLUMNS: usize = 120;
    /// Column at which a broken caption goes on.
    pub const INDENT: usize = 4;

    /// An outline whose rows have at most this many columns, but at least 8; `label` names the tasks. Where times and outcomes don't fit
    /// beside the bars, they are below.
    #[must_use]
    pub fn new(lineage: &'a Lineage, columns: usize, label: fn(&AsyncTaskResult) -> String) -> Self {
        Self {
            lineage,
            columns: columns.max(8),
            label,
        }
    }

    /// Collects the tasks below `parent`, each after its parent. `indent` precedes their names.
    fn collect(&self, parent: Option<TaskId>, indent: &str, rows: &mut Vec<Row<'a>>) {
        let mut below: Box<dyn Iterator<Item = &'a AsyncTaskResult>> = match parent {
            Some(parent) => Box::new(self.lineage.children(parent)),
            None => Box::new(self.lineage.roots()),
        };
        let mut next = below.next();
        while let Some(task) = next {
            next = below.next();
            let (branch, trunk) = match (parent, &next) {
                (None, _) => ("", ""),
                (Some(_), Some(_)) => ("├ ", "│ "),
                (Some(_), None) => ("└ ", "  "),
            };
            rows.push(Row {
                task,
                label: format!("{indent}{branch}{}", (self.label)(task)),
            });
            self.collect(Some(task.task), &format!("{indent}{trunk}"), rows);
        }
    }

    /// Draws the bar of a task. A task that is shorter than a column still gets one cell.
    fn bar(&self, axis: &Axis, task: &AsyncTaskResult) -> String {
        let mut cells = axis.blank();
        let timing = &task.timing;
        let last = axis.column(timing.settled);
        cells[axis.column(timing.accepted)..=last].fill(QUEUED);
        if let Some(started) = timing.started {
            cells[axis.column(started)..=last].fill(RUNNING);
        }
        let below = || self.lineage.children(task.task).map(|child| child.timing);
        if let Some(first) = below().map(|timing| timing.accepted).min() {
            // No event tells when a task that waited for its child tasks has its slot again.
            cells[axis.column(first)..=last].fill(BETWEEN);
        }
        for timing in below() {
            cells[axis.column(timing.accepted)..=axis.column(timing.settled).min(last)].fill(WAITING);
        }
        cells.into_iter().collect()
    }
}

impl fmt::Display for Outline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((begin, end)) = self.lineage.span() else {
            return writeln!(f, "nothing happened");
        };
        let mut rows = Vec::new();
        self.collect(None, "", &mut rows);
        let statuses = rows.iter().map(|row| status(row.task.status()).len());
        let (layout, is_beside) = Layout::new(&WIDTHS, self.columns, TIMES + statuses.max().unwrap_or_default());
        let axis = Axis {
            begin,
            length: end.since(begin).as_millis().max(1) as u64,
            width: layout.axis,
        };
        let (label, width) = (layout.label, layout.axis);
        if is_beside {
            let numbers = axis.numbers(width + 1);
            writeln!(f, "{:label$}  {numbers:<width$}  start  took", "")?;
            layout.row(f, "", &axis.marks(), "   ms    ms")?;
        } else {
            writeln!(f, "{:label$}  {}", "", axis.numbers(self.columns - label - 2))?;
            layout.row(f, "", &axis.marks(), "")?;
        }
        for row in &rows {
            let remark = if is_beside { row.remark(begin) } else { String::new() };
            layout.row(f, &row.label, &self.bar(&axis, row.task), &remark)?;
        }
        if !is_beside {
            writeln!(f, "\n  start and duration in ms:")?;
            for row in &rows {
                writeln!(f, "  {} {}", row.label, row.remark(begin))?;
            }
        }
        writeln!(
            f,
            "\n  {QUEUED} waits for a slot   {RUNNING} runs, with a slot   {WAITING} waits for its child tasks, without a slot\n  \
             {BETWEEN} between child tasks: runs, or waits for a slot"
        )
    }
}

/// A task, with its name behind the lines that lead to it.
struct Row<'a> {
    task: &'a AsyncTaskResult,
    label: String,
}

impl Row<'_> {
    fn remark(&self, begin: Timestamp) -> String {
        let timing = &self.task.timing;
        let began = timing.started.unwrap_or(timing.accepted).since(begin);
        let (began, took) = (millis(began), millis(timing.running()));
        format!("{began:>5} {took:>5}  {}", status(self.task.status()))
    }
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}

fn status(status: TaskStatus) -> String {
    match status {
        TaskStatus::Completed => "completed".to_owned(),
        TaskStatus::Failed => "FAILED".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_tool_runtime::{
        AsyncToolManager, SessionId, TaskEvent, TaskOutcome, ToolCall, ToolContext, async_tool,
        task::{TaskSpec, Timestamp, Timing},
        tools,
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::layout::width_of;

    /// Calls itself once.
    #[async_tool(effect = "read")]
    async fn outer(again: bool, #[inject] cx: ToolContext) {
        if again {
            let _drawn_from_its_record = cx.call_tool::<Value>("outer", json!({"again": false})).await;
        }
    }

    /// Uses the events of two real tasks, with fixed times.
    #[tokio::test]
    async fn a_task_waits_while_one_below_it_is_open() {
        let manager = AsyncToolManager::builder().tools(tools![outer]).build().unwrap();
        let mut events = manager.events();
        let call = ToolCall::new("call_1", "outer", json!({"again": true}));
        manager.submit(&SessionId::new("s"), call).unwrap();

        let mut lineage = Lineage::default();
        while lineage.roots().next().is_none() {
            let event = match events.next().await.unwrap() {
                TaskEvent::Settled(result) => {
                    let is_parent = result.arguments["again"] == json!(true);
                    let times = if is_parent { (0, 200, 1000) } else { (400, 500, 600) };
                    TaskEvent::Settled(Arc::new(at(&result, times)))
                }
                event => event,
            };
            lineage.observe(&event);
        }
        let drawn = Outline::new(&lineage, 22 + 3 + 40 + 1 + 22, |task| task.tool.to_string()).to_string();
        let drawn: Vec<&str> = drawn.lines().collect();
        let expected = [
            "outer                  │░░░░░░░░████████─────────▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│   200   800  completed",
            "└ outer                │                ░░░░█████               │   500   100  completed",
        ];
        assert_eq!(drawn[2..4], expected);

        for columns in 8..=200 {
            let drawn = Outline::new(&lineage, columns, |task| task.tool.to_string()).to_string();
            for row in drawn.lines().take(4) {
                assert!(width_of(row) <= columns, "{columns}: {row:?}");
            }
            assert_eq!(drawn.matches("completed").count(), 2, "{columns}: {drawn}");
        }
    }

    fn at(result: &AsyncTaskResult, (accepted, started, settled): (u64, u64, u64)) -> AsyncTaskResult {
        let call = ToolCall::new(result.call.clone(), Arc::clone(&result.tool), result.arguments.clone());
        let spec = TaskSpec::new(result.session.clone(), call).with_task(result.task);
        let at = Timestamp::from_millis;
        let timing = Timing::new(at(accepted), Some(at(started)), at(settled));
        AsyncTaskResult::new(&spec, TaskOutcome::Completed(Value::Null), timing, 1)
    }
}
