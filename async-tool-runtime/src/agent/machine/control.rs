//! Calls of the `task` tool.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::AgentAction;
use super::AgentMachine;
use crate::{
    agent::{
        ledger::Told,
        task_tool::{self, Control, Named, Part},
    },
    clock::Timestamp,
    context::frames,
    id::TaskNo,
    journal::CallAnswer,
    task::ResultPreview,
    tool::{ProgressReport, ToolError, ToolErrorKind, shorten},
};

/// Most tasks in one answer.
const LISTED: usize = 50;

/// Longest text of a task's report, in characters.
const MESSAGE: usize = 256;

/// Longest text of a partial result, in bytes.
const OUTPUT: usize = 1024;

impl AgentMachine {
    /// Carries out the actions of the `task` tool's calls in an ended turn. The caller then answers the turn, with the
    /// results of tasks that this ended.
    pub(super) fn obey(&mut self, calls: &[TaskNo]) {
        for call in calls {
            let Some(record) = self.ledger.tasks().get(call).filter(|record| record.own) else {
                continue;
            };
            // A call that can't be parsed gets its error as the answer.
            let Ok(control) = task_tool::read(&record.call) else {
                continue;
            };
            match control {
                Control::Cancel { tasks, reason } => {
                    let Ok(tasks) = self.resolve(&tasks, calls) else {
                        continue;
                    };
                    for number in tasks {
                        self.cancel(number, reason.clone(), &mut Vec::new());
                    }
                }
                Control::Send { task, text } => {
                    let Ok(tasks) = self.resolve(&[task], calls) else {
                        continue;
                    };
                    let mut submitted = tasks.into_iter().filter(|number| self.is_submitted(*number));
                    let task = submitted.find_map(|number| Some(self.ledger.tasks().get(&number)?.task));
                    if let Some(task) = task {
                        let call = *call;
                        self.actions.push(AgentAction::Send { call, task, text });
                    }
                }
                Control::Group {
                    name,
                    tasks,
                    join,
                    limit,
                } => {
                    let Ok(tasks) = self.resolve(&tasks, calls) else {
                        continue;
                    };
                    self.join(Arc::from(name), tasks, join, limit);
                }
                Control::List | Control::Check(_) | Control::Result { .. } | Control::Wait { .. } => {}
            }
        }
    }

    pub(super) fn on_sent(&mut self, call: TaskNo, refusal: Option<String>) {
        self.sent.insert(call, refusal);
        self.answer_if_due();
    }

    /// Time at which a call of the `task` tool can be answered, in a turn that ended at `ended`.
    pub(super) fn report_at(&self, call: TaskNo, ended: Timestamp, calls: &[TaskNo]) -> Timestamp {
        let Some(record) = self.ledger.tasks().get(&call) else {
            return ended;
        };
        match task_tool::read(&record.call) {
            Ok(Control::Wait { tasks, any, limit }) => match self.resolve(&tasks, calls) {
                Ok(tasks) if !self.is_over(&tasks, any) => ended.after(limit.min(self.policy.wait_limit)),
                _ => ended,
            },
            Ok(Control::Send { task, .. }) => match self.resolve(&[task], calls) {
                Ok(tasks)
                    if !self.sent.contains_key(&call) && tasks.iter().all(|number| self.is_submitted(*number)) =>
                {
                    ended.after(self.policy.grace)
                }
                _ => ended,
            },
            _ => ended,
        }
    }

    /// True if the wait is over. An empty list stands for all running tasks.
    fn is_over(&self, tasks: &[TaskNo], any: bool) -> bool {
        let ended = |number: &TaskNo| !self.ledger.is_open(*number);
        match (tasks, any) {
            ([], true) => self.ledger.inbox().next().is_some() || self.ledger.open_tasks().next().is_none(),
            ([], false) => self.ledger.open_tasks().next().is_none(),
            (tasks, true) => tasks.iter().any(ended),
            (tasks, false) => tasks.iter().all(ended),
        }
    }

    /// True if the task is submitted and has not ended.
    fn is_submitted(&self, number: TaskNo) -> bool {
        self.ledger.is_open(number) && !self.waiting.contains(&number)
    }

    /// Numbers of the tasks that a model names.
    fn resolve(&self, named: &[Named], calls: &[TaskNo]) -> Result<Vec<TaskNo>, ToolError> {
        let refuse = |problem: String| ToolError::new(ToolErrorKind::InvalidArguments, problem);
        let mut numbers = Vec::with_capacity(named.len());
        for name in named {
            let number = match name {
                Named::Number(number) => *number,
                Named::Call(place) => *calls
                    .get(place.wrapping_sub(1))
                    .ok_or_else(|| refuse(format!("this turn has no call #{place}")))?,
            };
            match self.ledger.tasks().get(&number) {
                Some(record) if record.is_task() => numbers.push(number),
                // The model may name a call that repeats a task by its place in the turn.
                Some(record) => match record.repeats {
                    Some(of) => numbers.push(of),
                    None => return Err(refuse(format!("{number} is a call of this tool, and no task"))),
                },
                None => {
                    return Err(refuse(format!(
                        "there is no task {number}; `list` says which there are"
                    )));
                }
            }
        }
        numbers.dedup();
        Ok(numbers)
    }

    /// Answer to a call of the `task` tool. Adds the results in it to `handed_over`, so that each result is handed over
    /// once.
    pub(super) fn report(&self, call: TaskNo, calls: &[TaskNo], handed_over: &mut Vec<TaskNo>) -> CallAnswer {
        let before = handed_over.len();
        let mut media = Vec::new();
        let content = self
            .content(call, calls, handed_over, &mut media)
            .unwrap_or_else(|error| {
                let message = match self.circle_of_control(call, calls) {
                    Some(circle) => format!("{}: {circle}", error.model_message()),
                    None => error.model_message().to_owned(),
                };
                json!({"error": {"kind": error.kind(), "message": message}})
            });
        CallAnswer::Report {
            number: call,
            content,
            tasks: handed_over[before..].to_vec(),
            media,
        }
    }

    /// Content of a report. Adds the tasks to `media` whose images, sounds and files go with it.
    fn content(
        &self,
        call: TaskNo,
        calls: &[TaskNo],
        handed_over: &mut Vec<TaskNo>,
        media: &mut Vec<TaskNo>,
    ) -> Result<Value, ToolError> {
        let record = self.ledger.tasks().get(&call);
        let record = record.ok_or_else(|| ToolError::new(ToolErrorKind::Internal, "the call is not known"))?;
        if let Some(of) = record.repeats {
            return Ok(self.repeated_answer(of, calls, handed_over));
        }
        Ok(match task_tool::read(&record.call)? {
            Control::List => {
                let tasks = self.ledger.tasks().iter();
                let owed: Vec<TaskNo> = tasks
                    .filter(|(_, record)| record.is_task() && record.is_owed())
                    .map(|(number, _)| *number)
                    .collect();
                listed(owed, |number| self.row(number))
            }
            Control::Check(tasks) => {
                let tasks = match tasks.as_slice() {
                    [] => self.ledger.open_tasks().collect(),
                    tasks => self.resolve(tasks, calls)?,
                };
                listed(tasks, |number| self.row(number))
            }
            Control::Result { task, part } => {
                let number = self.resolve(&[task], calls)?.into_iter().next();
                let number = number.ok_or_else(|| ToolError::new(ToolErrorKind::Internal, "the task is not known"))?;
                let mut row = self.row(number);
                match self.result_of(number) {
                    Some(result) => {
                        let piece = task_tool::PIECE.min(self.policy.prune.result_limit());
                        let read = task_tool::read_result(result, &part, piece)?;
                        merge(&mut row, read);
                        let is_news = self.hand_over(number, handed_over);
                        // Read again, a result shows its images again: the model's view may have lost them.
                        if !result.media.is_empty() && (is_news || matches!(part, Part::Range { offset: 0, .. })) {
                            media.push(number);
                        }
                    }
                    None => row["note"] = json!("there is no result yet"),
                }
                row
            }
            Control::Wait { tasks, .. } => {
                let tasks = match tasks.as_slice() {
                    [] => {
                        let inbox = self.ledger.inbox().map(|(number, _)| number);
                        inbox.chain(self.ledger.open_tasks()).collect()
                    }
                    tasks => self.resolve(tasks, calls)?,
                };
                // Only named tasks hand over their results here; all others are delivered as usual.
                listed(tasks, |number| self.waited_for(number, calls, handed_over, media))
            }
            Control::Send { task, .. } => {
                let number = self.resolve(&[task], calls)?.into_iter().next();
                match (self.sent.get(&call), number) {
                    (Some(Some(refusal)), _) => {
                        return Err(ToolError::new(ToolErrorKind::Failed, refusal.clone()));
                    }
                    (Some(None), Some(number)) => {
                        let mut row = self.row(number);
                        row["note"] = json!("it has the message, and reads it when it looks for messages");
                        row
                    }
                    (_, Some(number)) if !self.is_submitted(number) => {
                        let problem = match self.ledger.is_open(number) {
                            true => format!("{number} waits for the results it needs, and takes no messages yet"),
                            false => format!("{number} has ended"),
                        };
                        return Err(ToolError::new(ToolErrorKind::Failed, problem));
                    }
                    _ => json!({"note": "it is not known yet whether the task takes the message"}),
                }
            }
            Control::Cancel { tasks, .. } => {
                let tasks = self.resolve(&tasks, calls)?;
                let rows: Vec<Value> = tasks
                    .into_iter()
                    .map(|number| {
                        let mut row = self.row(number);
                        row["note"] = json!(match self.ledger.is_open(number) {
                            true => "told to stop; what it has done by then is not undone",
                            false => "it has ended",
                        });
                        row
                    })
                    .collect();
                json!({"tasks": rows})
            }
            Control::Group { name, tasks, join, .. } => {
                let tasks = self.resolve(&tasks, calls)?;
                json!({"group": name, "tasks": tasks, "join": join})
            }
        })
    }

    /// Row of a task, without its result.
    pub(super) fn row(&self, number: TaskNo) -> Value {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return Value::Null;
        };
        let ended = record.result.as_ref().map(|result| result.timing.settled);
        let elapsed = ended.unwrap_or(self.now).since(record.accepted);
        let mut row = Map::new();
        row.insert("task".into(), json!(number));
        row.insert("tool".into(), json!(record.call.name));
        row.insert("status".into(), json!(self.status(number)));
        row.insert("elapsed_ms".into(), frames::millis(elapsed));
        if let Some(progress) = self.progress.get(&number) {
            row.insert("progress".into(), shown(progress));
        }
        if let Some(waits_for) = self.waits_for(number) {
            row.insert(
                "waits_for".into(),
                json!(waits_for.to_model_text(&self.session, self.now)),
            );
        }
        if let Some(question) = self.question(number) {
            row.insert("asks".into(), question.to_model_json());
        }
        if record.result.is_none() && record.cancel.is_some() {
            row.insert("stopping".into(), json!(true));
        }
        Value::Object(row)
    }

    /// Row of a task that the model waited for, with its result unless the model already has it.
    fn waited_for(
        &self,
        number: TaskNo,
        calls: &[TaskNo],
        handed_over: &mut Vec<TaskNo>,
        media: &mut Vec<TaskNo>,
    ) -> Value {
        let mut row = self.row(number);
        let Some(result) = self
            .ledger
            .tasks()
            .get(&number)
            .and_then(|record| record.result.as_ref())
        else {
            row["note"] = json!("there is no result yet");
            return row;
        };
        if calls.contains(&number) {
            row["note"] = json!("its result is the answer to its own call");
        } else if self.hand_over(number, handed_over) {
            merge(&mut row, frames::describe(number, result, self.now));
            if !result.media.is_empty() {
                media.push(number);
            }
            return row;
        } else {
            row["note"] = json!("you have been given its result already");
        }
        row
    }

    /// Adds a result to `handed_over`; true if the model doesn't have it yet.
    pub(super) fn hand_over(&self, number: TaskNo, handed_over: &mut Vec<TaskNo>) -> bool {
        let is_news = self.told(number) == Some(Told::Ack) && !handed_over.contains(&number);
        if is_news {
            handed_over.push(number);
        }
        is_news
    }
}

/// Progress report, cut to its limits: the model reads it again with every look.
fn shown(
    ProgressReport {
        fraction,
        message,
        output,
    }: &ProgressReport,
) -> Value {
    let mut shown = json!({"fraction": fraction, "message": shorten(message, MESSAGE)});
    if let Some(output) = output {
        shown["output"] = match ResultPreview::of_value(output, OUTPUT, String::new) {
            None => (**output).clone(),
            Some(ResultPreview { text, bytes, .. }) => {
                json!({"preview": text, "bytes": bytes, "note": "this is only the beginning of what there is so far"})
            }
        };
    }
    shown
}

/// Rows of the first tasks, and the number of the rest.
fn listed(tasks: Vec<TaskNo>, mut row: impl FnMut(TaskNo) -> Value) -> Value {
    let more = tasks.len().saturating_sub(LISTED);
    let rows: Vec<Value> = tasks.into_iter().take(LISTED).map(&mut row).collect();
    let mut list = json!({"tasks": rows});
    if more > 0 {
        list["note"] = json!(format!("and {more} more"));
    }
    list
}

pub(super) fn merge(row: &mut Value, more: Value) {
    if let (Value::Object(row), Value::Object(more)) = (row, more) {
        row.extend(more);
    }
}
