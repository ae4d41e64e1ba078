//! The output: a JSON object for each event.
//!
//! Every object has `event`, and `at_ms`: the milliseconds since the first event. Tasks are written `t1`. A call is named by its task, and
//! by the id that the provider gave it.
//!
//! | event | meaning | fields |
//! |---|---|---|
//! | `user` | a message of the user | `text` |
//! | `turn_started` | a turn of the model has started | `turn` |
//! | `text` | a piece of the model's text | `turn`, `text` |
//! | `call` | the model made a call, which became a task | `turn`, `task`, `call`, `tool`, `arguments` |
//! | `call_refused` | the model made a call that can't become a task | `call`, `tool`, `reason` |
//! | `turn_ended` | the turn is complete | `turn`, `text`, `usage` |
//! | `usage` | follows `turn_ended` if the provider reports the cost of the turn | `turn`, `input`, `cached`, `output`, `reasoning`, and `session`: the sums so far |
//! | `turn_interrupted` | the turn was interrupted: by a result, the host, or a message | `turn`, `text`, `cause`: its `kind`, and the `task` of a result |
//! | `turn_failed` | the turn failed | `turn`, `error`, `retryable`, `retry_in_ms` or null |
//! | `started` | a task has started | `task`, `call`, `tool` |
//! | `settled` | a task has ended | `task`, `call`, `tool`, `status`, `result` or `error`, `elapsed_ms` |
//! | `cancelled` | a task has ended because it was cancelled | `task`, `call`, `tool`, `status`, `reason`, `elapsed_ms` |
//! | `cancel_requested` | a task is to be cancelled | `task`, `call`, `tool`, `reason` |
//! | `answer` | a call was answered with its result | `task`, `call`, `tool` |
//! | `ack` | a call was acknowledged; with `openai-native` it stays open | `task`, `call`, `tool` |
//! | `delivery` | late results were delivered to the model | `tasks`, `calls` |
//! | `dropped` | results will not be delivered | `tasks`, `calls`, `reason` |
//! | `pruned` | the messages for the model were pruned | `collapsed`, `dropped`: numbers of messages from the beginning |
//! | `corrected` | results that the model had made up were cut out | `turn`, `cuts` |
//! | `limit` | a limit was reached | `reason` |
//! | `missed` | events came too fast and were not printed | `events`: their number |
//! | `error` | the conversation failed | `message` |
//! | `summary` | always the last | `outcome` (`quiescent` or `failed`), `turns`, `turns_failed`, `calls`, `acks`, `answers`, `deliveries`, `delivered`, `cancelled`, `prunings`, `usage`, `text` (the last text of the model), `elapsed_ms` |

use std::collections::HashMap;

use async_tool_runtime::{
    AgentEvent, AgentEventKind, AsyncTaskResult, TaskNo, TaskOutcome, ToolCall, model::Usage, task::Timestamp,
};
use serde_json::{Value, json};

/// Turns events into lines, and counts them.
#[derive(Debug, Default)]
pub(crate) struct Record {
    began: Option<Timestamp>,
    last: Timestamp,
    calls: HashMap<TaskNo, ToolCall>,
    totals: Totals,
    text: String,
}

#[derive(Debug, Default)]
struct Totals {
    turns: u32,
    turns_failed: u32,
    calls: u32,
    acks: u32,
    answers: u32,
    deliveries: u32,
    delivered: usize,
    cancelled: u32,
    prunings: u32,
    usage: Usage,
}

impl Record {
    /// Lines for an event; none for events that are only for people, such as progress.
    pub(crate) fn tell(&mut self, event: &AgentEvent) -> Vec<Value> {
        self.began.get_or_insert(event.at);
        self.last = event.at;
        let lines = self.describe(event);
        lines.into_iter().map(|(name, what)| self.line(name, what)).collect()
    }

    /// Last lines: the error of a conversation that failed, and the summary.
    pub(crate) fn end(&self, error: Option<&anyhow::Error>) -> Vec<Value> {
        let error = error.map(|error| self.line("error", json!({"message": format!("{error:#}")})));
        let totals = &self.totals;
        let summary = json!({
            "outcome": if error.is_some() { "failed" } else { "quiescent" },
            "turns": totals.turns,
            "turns_failed": totals.turns_failed,
            "calls": totals.calls,
            "acks": totals.acks,
            "answers": totals.answers,
            "deliveries": totals.deliveries,
            "delivered": totals.delivered,
            "cancelled": totals.cancelled,
            "prunings": totals.prunings,
            "usage": totals.usage,
            "text": self.text,
            "elapsed_ms": self.elapsed_ms(),
        });
        error.into_iter().chain([self.line("summary", summary)]).collect()
    }

    fn describe(&mut self, event: &AgentEvent) -> Vec<(&'static str, Value)> {
        use AgentEventKind as Kind;

        let totals = &mut self.totals;
        let line = match &event.kind {
            Kind::UserMessage { text, .. } => ("user", json!({"text": text})),
            Kind::TurnStarted { turn, .. } => {
                totals.turns += 1;
                ("turn_started", json!({"turn": turn}))
            }
            Kind::Text { turn, text } => ("text", json!({"turn": turn, "text": text})),
            Kind::Called { turn, number, call, .. } => {
                totals.calls += 1;
                self.calls.insert(*number, call.clone());
                let mut what = self.of_task(*number);
                what["turn"] = json!(turn);
                what["arguments"] = json!(call.arguments);
                ("call", what)
            }
            Kind::CallRefused { call, reason } => {
                let what = json!({"call": call.id, "tool": call.name, "reason": reason});
                ("call_refused", what)
            }
            Kind::TurnEnded { turn, text, usage, .. } => {
                totals.usage = totals.usage.plus(*usage);
                let session = totals.usage;
                if !text.is_empty() {
                    self.text.clone_from(text);
                }
                let ended = ("turn_ended", json!({"turn": turn, "text": text, "usage": usage}));
                if *usage == Usage::default() {
                    return vec![ended];
                }
                let mut cost = json!(usage);
                cost["turn"] = json!(turn);
                cost["session"] = json!(session);
                return vec![ended, ("usage", cost)];
            }
            Kind::TurnInterrupted { turn, text, cause } => {
                let what = json!({"turn": turn, "text": text, "cause": cause});
                ("turn_interrupted", what)
            }
            Kind::ModelFailed { turn, error, retry_at } => {
                totals.turns_failed += 1;
                let retry_in = retry_at.map(|at| millis(event.at, at));
                let what = json!({
                    "turn": turn,
                    "error": error.to_string(),
                    "retryable": error.retryable(),
                    "retry_in_ms": retry_in,
                });
                ("turn_failed", what)
            }
            Kind::Started { number } => ("started", self.of_task(*number)),
            Kind::Settled { number, result } => self.settled(*number, result),
            Kind::CancelRequested { number, reason } => {
                let mut what = self.of_task(*number);
                what["reason"] = json!(reason);
                ("cancel_requested", what)
            }
            Kind::Acknowledged { number } => {
                totals.acks += 1;
                ("ack", self.of_task(*number))
            }
            Kind::Answered { number } => {
                totals.answers += 1;
                ("answer", self.of_task(*number))
            }
            Kind::Delivered { tasks } => {
                totals.deliveries += 1;
                totals.delivered += tasks.len();
                ("delivery", self.of_tasks(tasks))
            }
            Kind::Dropped { tasks, reason } => {
                let mut what = self.of_tasks(tasks);
                what["reason"] = json!(reason);
                ("dropped", what)
            }
            Kind::Pruned { pruned } => {
                totals.prunings += 1;
                let what = json!({"collapsed": pruned.collapsed, "dropped": pruned.dropped, "cut": pruned.cuts.len()});
                ("pruned", what)
            }
            Kind::TurnEmpty { turn } => ("turn_empty", json!({"turn": turn})),
            Kind::Corrected { turn, cuts } => ("corrected", json!({"turn": turn, "cuts": cuts})),
            Kind::LimitReached { limit } => ("limit", json!({"reason": limit.to_string()})),
            Kind::Missed { events } => ("missed", json!({"events": events})),
            Kind::JournalFailed { reason } => (
                "error",
                json!({"message": format!("can't write the journal: {reason}")}),
            ),
            Kind::Stopped { reason } => (
                "error",
                json!({"message": format!("the session has stopped: {reason}")}),
            ),
            Kind::Defect { reason } => ("error", json!({"message": format!("bug in the library: {reason}")})),
            _ => return Vec::new(),
        };
        vec![line]
    }

    fn settled(&mut self, number: TaskNo, result: &AsyncTaskResult) -> (&'static str, Value) {
        let mut what = self.of_task(number);
        what["status"] = json!(result.status());
        what["elapsed_ms"] = json!(millis(result.timing.accepted, result.timing.settled));
        match &result.outcome {
            TaskOutcome::Completed(value) => what["result"] = value.clone(),
            TaskOutcome::Failed(error) => what["error"] = json!(error.to_string()),
            TaskOutcome::Cancelled(reason) => {
                self.totals.cancelled += 1;
                what["reason"] = json!(reason);
                return ("cancelled", what);
            }
            other => what["error"] = json!(format!("{other:?}")),
        }
        ("settled", what)
    }

    fn of_task(&self, number: TaskNo) -> Value {
        let call = self.calls.get(&number);
        json!({
            "task": number.to_string(),
            "call": call.map(|call| &call.id),
            "tool": call.map(|call| &call.name),
        })
    }

    fn of_tasks(&self, numbers: &[TaskNo]) -> Value {
        let calls = numbers.iter().map(|number| self.calls.get(number).map(|call| &call.id));
        json!({
            "tasks": numbers.iter().map(TaskNo::to_string).collect::<Vec<_>>(),
            "calls": calls.collect::<Vec<_>>(),
        })
    }

    fn line(&self, event: &str, what: Value) -> Value {
        let mut line = json!({"event": event, "at_ms": self.elapsed_ms()});
        if let (Value::Object(line), Value::Object(what)) = (&mut line, what) {
            line.extend(what);
        }
        line
    }

    fn elapsed_ms(&self) -> u64 {
        self.began.map_or(0, |began| millis(began, self.last))
    }
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}
