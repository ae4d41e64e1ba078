//! Calls of a turn that would wait for themselves.
//!
//! Only calls of the `task` tool can name later calls of their turn, so each circle leads through one of them. The manager finds the
//! circles among running tasks.

use super::AgentMachine;
use crate::{
    agent::task_tool::{self, Control, Named},
    id::TaskNo,
    tool::ToolCall,
};

impl AgentMachine {
    /// Circle that `call` closes, the last of `calls`, if its arguments wait for the call `source`.
    pub(super) fn circle_of_future(&self, call: &ToolCall, source: TaskNo, calls: &[TaskNo]) -> Option<String> {
        let number = *calls.last()?;
        let circle = match source == number {
            true => Vec::new(),
            false => self.line_of_calls(source, number, calls)?,
        };
        let mut names = vec![name_of(call, number)];
        names.extend(circle.iter().filter_map(|number| self.name_of(*number)));
        Some(shown(&names))
    }

    /// Circle that leads from a call of the `task` tool through other calls of the tool back to it.
    pub(super) fn circle_of_control(&self, call: TaskNo, calls: &[TaskNo]) -> Option<String> {
        let line = self.line_of_calls(call, call, calls)?;
        let names: Vec<String> = line.iter().filter_map(|number| self.name_of(*number)).collect();
        Some(shown(&names))
    }

    /// Calls of the `task` tool from `first` on, each of which names the next one, and the last names `end`.
    fn line_of_calls(&self, first: TaskNo, end: TaskNo, calls: &[TaskNo]) -> Option<Vec<TaskNo>> {
        let (mut line, mut at) = (vec![(first, 0)], 0);
        while let Some((call, _)) = line.get(at).copied() {
            for named in self.named_by(call, end, calls) {
                if named == end {
                    let mut found = vec![call];
                    while at > 0 {
                        at = line[at].1;
                        found.push(line[at].0);
                    }
                    found.reverse();
                    return Some(found);
                }
                if line.iter().all(|(known, _)| *known != named) {
                    line.push((named, at));
                }
            }
            at += 1;
        }
        None
    }

    /// Calls of the turn that a call of the `task` tool waits for or joins; with `end`, if it waits for all tasks.
    fn named_by(&self, call: TaskNo, end: TaskNo, calls: &[TaskNo]) -> Vec<TaskNo> {
        let record = self.ledger.tasks().get(&call);
        let Some(record) = record.filter(|record| record.own && calls.contains(&call)) else {
            return Vec::new();
        };
        let tasks = match task_tool::read(&record.call) {
            Ok(Control::Wait { tasks, .. }) if tasks.is_empty() && end != call => return vec![end],
            Ok(Control::Wait { tasks, .. } | Control::Group { tasks, .. }) => tasks,
            _ => return Vec::new(),
        };
        let number = |named: &Named| match named {
            Named::Number(number) => calls.contains(number).then_some(*number),
            Named::Call(place) => calls.get(place.wrapping_sub(1)).copied(),
        };
        tasks.iter().filter_map(number).collect()
    }

    fn name_of(&self, number: TaskNo) -> Option<String> {
        let record = self.ledger.tasks().get(&number)?;
        Some(name_of(&record.call, number))
    }
}

fn name_of(call: &ToolCall, number: TaskNo) -> String {
    format!("`{}` ({number})", call.name)
}

fn shown(names: &[String]) -> String {
    let ends = names.first().map_or("", String::as_str);
    format!("it would wait for itself: {} → {ends}", names.join(" → "))
}
