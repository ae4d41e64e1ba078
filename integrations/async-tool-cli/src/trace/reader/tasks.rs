//! Calls: their phases, ends and events.

use async_tool_runtime::{
    AsyncTaskResult, TaskNo, TaskOutcome,
    journal::{CallAnswer, Entry},
    task::{Timestamp, TurnNo},
    tool::InputRequest,
};

use super::{Reader, TaskSpan, event};
use crate::trace::{
    id::SpanId,
    phases::{Change, Changes, Function},
    span::{Kind, Value},
};

impl Reader<'_> {
    /// Reads the entries of single tasks.
    pub(super) fn task_entry(&mut self, entry: &Entry, at: Timestamp) {
        let waits = |what: &str| Some(Change::Waits(what.to_owned()));
        match entry {
            Entry::Accepted { .. } => self.accepted(entry, at),
            Entry::Resubmitted { task, attempt, .. } => {
                self.task_event(*task, "resubmitted", at, Some(Change::Goes));
                self.task_attribute(*task, "async_tool.task.attempt", Value::Number(u64::from(*attempt)));
            }
            Entry::Deferred { task, .. } => {
                self.task_event(*task, "deferred", at, waits("waits for a result from outside"));
            }
            Entry::Asked { task, request, .. } => match request {
                Some(InputRequest::Approval { .. }) => {
                    self.task_event(*task, "asks for consent", at, waits("waits for consent"));
                }
                Some(_) => self.task_event(*task, "asks for input", at, waits("waits for input")),
                None => self.task_event(*task, "asks no more", at, Some(Change::Goes)),
            },
            Entry::Checkpointed { task, .. } => self.task_event(*task, "checkpoint", at, None),
            Entry::CancelRequested { task, .. } => self.task_event(*task, "told to stop", at, None),
            Entry::Dropped { tasks, .. } => {
                for task in tasks {
                    self.task_event(*task, "result dropped", at, None);
                }
            }
            Entry::Detached { tasks, .. } => {
                for task in tasks {
                    self.task_event(*task, "detached", at, None);
                }
            }
            _ => {}
        }
    }

    pub(super) fn accepted(&mut self, entry: &Entry, at: Timestamp) {
        let Entry::Accepted {
            turn,
            task,
            number,
            call,
            awaits,
            own,
            repeats,
            ..
        } = entry
        else {
            return;
        };
        let above = self.turns.get(turn).map(|(turn, _)| &self.spans[*turn]);
        let (trace, parent) = above.map_or_else(
            || (self.ids.trace(self.place), None),
            |above| (above.trace, Some(above.id)),
        );
        let place = (trace, SpanId::task(*task), parent);
        let mut span = self.span(Kind::Task, format!("execute_tool {}", call.name), place, at);
        span.attributes
            .insert(0, ("gen_ai.operation.name", Value::from("execute_tool")));
        span.attributes.extend([
            ("gen_ai.tool.name", Value::from(&*call.name)),
            ("gen_ai.tool.type", Value::from("function")),
            ("gen_ai.tool.call.id", Value::from(call.id.as_str())),
            ("task", Value::Text(task.to_string())),
            ("async_tool.task.number", Value::Text(number.to_string())),
        ]);
        if self.contents {
            let arguments = Value::Text(call.arguments.to_string());
            span.attributes.push(("gen_ai.tool.call.arguments", arguments));
        }
        let mut sources: Vec<TaskNo> = awaits.iter().map(|awaited| awaited.task).collect();
        sources.sort_unstable();
        sources.dedup();
        span.links = self.links(&sources).chain(self.links(repeats.as_slice())).collect();
        sources.retain(|source| self.tasks.get(source).is_some_and(|source| source.is_open));
        for source in &sources {
            self.waiting.entry(*source).or_default().push(*number);
        }
        if *own || repeats.is_some() {
            self.answered_here.entry(*turn).or_default().push(*number);
        }
        let change = waits_for(&sources);
        let known = TaskSpan {
            span: self.spans.len(),
            turn: *turn,
            changes: Changes::new(at, change),
            awaits: sources,
            is_open: true,
        };
        self.tasks.insert(*number, known);
        self.spans.push(span);
    }

    pub(super) fn settled(&mut self, result: &AsyncTaskResult) {
        let at = result.timing.settled;
        let Some(number) = result.number else { return };
        let Some(task) = self.tasks.get_mut(&number) else {
            return;
        };
        task.is_open = false;
        let (place, phases) = (task.span, task.changes.phases(at, Function::of(result.timing.started)));
        let (error, text) = match &result.outcome {
            TaskOutcome::Completed(value) => (None, Some(value.to_string())),
            TaskOutcome::Failed(error) => (Some(error.kind().as_str()), Some(error.message().to_owned())),
            TaskOutcome::Cancelled(reason) => (Some("cancelled"), Some(reason.clone())),
            TaskOutcome::Unknown(why) => (Some("unknown"), Some(why.clone())),
            _ => (Some("_OTHER"), None),
        };
        self.end(place, at, error);
        let span = &mut self.spans[place];
        span.phases = phases;
        let attempts = Value::Number(u64::from(result.attempts));
        span.attributes.push(("async_tool.task.attempts", attempts));
        if self.contents {
            match error {
                None => span
                    .attributes
                    .extend(text.map(|text| ("gen_ai.tool.call.result", Value::Text(text)))),
                Some(_) => span.error_text = text,
            }
        }
        // Tasks that have waited for it go on, or wait for the others.
        for waiting in self.waiting.remove(&number).unwrap_or_default() {
            if let Some(waiting) = self.tasks.get_mut(&waiting) {
                waiting.awaits.retain(|source| *source != number);
                waiting.changes.push(at, waits_for(&waiting.awaits));
            }
        }
    }

    pub(super) fn answered(&mut self, turn: TurnNo, answers: &[CallAnswer], at: Timestamp) {
        for answer in answers {
            match answer {
                CallAnswer::Result(number) => self.told.push(*number),
                CallAnswer::Report { tasks, .. } => self.told.extend(tasks),
                _ => {}
            }
        }
        let mut ended = Vec::new();
        for number in self.answered_here.remove(&turn).unwrap_or_default() {
            if let Some(task) = self.tasks.get_mut(&number).filter(|task| task.is_open) {
                task.is_open = false;
                ended.push(task.span);
            }
        }
        for span in ended {
            self.end(span, at, None);
        }
    }

    pub(super) fn task_event(&mut self, task: TaskNo, name: &str, at: Timestamp, change: Option<Change>) {
        let Some(task) = self.tasks.get_mut(&task) else {
            return;
        };
        if let Some(change) = change.filter(|_| task.is_open) {
            task.changes.push(at, change);
        }
        self.spans[task.span].events.push(event(name.to_owned(), at));
    }

    fn task_attribute(&mut self, task: TaskNo, name: &'static str, value: Value) {
        let Some(task) = self.tasks.get(&task) else { return };
        let attributes = &mut self.spans[task.span].attributes;
        attributes.retain(|(known, _)| *known != name);
        attributes.push((name, value));
    }
}

fn waits_for(sources: &[TaskNo]) -> Change {
    if sources.is_empty() {
        return Change::Goes;
    }
    let names: Vec<_> = sources.iter().map(ToString::to_string).collect();
    Change::Waits(format!("waits for {}", names.join(", ")))
}
