//! A chart of tasks and their child tasks, for the terminal.

use std::{fmt, time::Duration};

use async_tool_runtime::{AsyncTaskResult, TaskStatus};

use crate::{axis::Axis, lineage::Lineage};

const QUEUED: char = '░';
const RUNNING: char = '█';
const WAITING: char = '─';
const BETWEEN: char = '▒';
/// Width of the column of names, in characters.
const LABEL: usize = 22;

/// A [`Lineage`] as text: on a common axis, a row for each task, below the task that submitted it.
#[derive(Debug)]
pub struct Outline<'a> {
    lineage: &'a Lineage,
    width: usize,
    label: fn(&AsyncTaskResult) -> String,
}

impl<'a> Outline<'a> {
    /// An outline whose axis is `width` characters long, at least 10; `label` names the tasks.
    #[must_use]
    pub fn new(lineage: &'a Lineage, width: usize, label: fn(&AsyncTaskResult) -> String) -> Self {
        Self {
            lineage,
            width: width.max(10),
            label,
        }
    }

    /// Writes the row of a task and the rows of its child tasks. `before` precedes its name, `indent` precedes their names.
    fn branch(
        &self,
        f: &mut fmt::Formatter<'_>,
        axis: &Axis,
        task: &AsyncTaskResult,
        before: &str,
        indent: &str,
    ) -> fmt::Result {
        let label = format!("{before}{}", (self.label)(task));
        let bar = self.bar(axis, task);
        let timing = &task.timing;
        let began = timing.started.unwrap_or(timing.accepted).since(axis.begin);
        let (began, took) = (millis(began), millis(timing.running()));
        let status = status(task.status());
        writeln!(f, "{label:<LABEL$} │{bar}│ {began:>5} {took:>5}  {status}")?;
        let mut below = self.lineage.children(task.task).peekable();
        while let Some(child) = below.next() {
            let (branch, trunk) = if below.peek().is_some() {
                ("├ ", "│ ")
            } else {
                ("└ ", "  ")
            };
            self.branch(
                f,
                axis,
                child,
                &format!("{indent}{branch}"),
                &format!("{indent}{trunk}"),
            )?;
        }
        Ok(())
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
        let axis = Axis {
            begin,
            length: end.since(begin).as_millis().max(1) as u64,
            width: self.width,
        };
        let numbers = axis.numbers();
        writeln!(f, "{:LABEL$}  {numbers:<width$}  start  took", "", width = self.width)?;
        writeln!(f, "{:LABEL$} │{}│    ms    ms", "", axis.marks())?;
        for root in self.lineage.roots() {
            self.branch(f, &axis, root, "", "")?;
        }
        writeln!(
            f,
            "\n  {QUEUED} waits for a slot   {RUNNING} runs, with a slot   {WAITING} waits for its child tasks, without a slot\n  \
             {BETWEEN} between child tasks: runs, or waits for a slot"
        )
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
        let drawn = Outline::new(&lineage, 40, |task| task.tool.to_string()).to_string();
        let drawn: Vec<&str> = drawn.lines().collect();
        let expected = [
            "outer                  │░░░░░░░░████████─────────▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒│   200   800  completed",
            "└ outer                │                ░░░░█████               │   500   100  completed",
        ];
        assert_eq!(drawn[2..4], expected);
    }

    fn at(result: &AsyncTaskResult, (accepted, started, settled): (u64, u64, u64)) -> AsyncTaskResult {
        let call = ToolCall::new(result.call.clone(), Arc::clone(&result.tool), result.arguments.clone());
        let spec = TaskSpec::new(result.session.clone(), call).with_task(result.task);
        let at = Timestamp::from_millis;
        let timing = Timing::new(at(accepted), Some(at(started)), at(settled));
        AsyncTaskResult::new(&spec, TaskOutcome::Completed(Value::Null), timing, 1)
    }
}
