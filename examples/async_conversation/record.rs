//! What is printed: one JSON object for each event.
//!
//! Every object has `event` and `at_ms`, the milliseconds since the first. Tasks are written `t1`; a call is named by the provider's id and the
//! task that carries it out.
//!
//! | event | when | with |
//! |---|---|---|
//! | `user` | the user said something | `text` |
//! | `turn_started` | the model was asked | `turn` |
//! | `text` | the model wrote some more | `turn`, `text` |
//! | `call` | the model made a call, which became a task | `turn`, `task`, `call`, `tool`, `arguments` |
//! | `call_refused` | it made a call that can't become one | `call`, `tool`, `reason` |
//! | `turn_ended` | its turn is complete | `turn`, `text`, `usage` |
//! | `usage` | the same, if it said what the turn cost | `turn`, `input`, `cached`, `output`, `reasoning`, and `session`: the sums so far |
//! | `turn_interrupted` | its turn was broken off for a result | `turn`, `text`, `task` |
//! | `turn_failed` | its turn failed | `turn`, `error`, `retryable`, `retry_in_ms` or null |
//! | `started` | a tool was started | `task`, `call`, `tool` |
//! | `settled` | a tool ended | the same, `status`, `result` or `error`, `elapsed_ms` |
//! | `cancelled` | it ended because it was told to | the same, with `reason` |
//! | `cancel_requested` | it was told to stop | `task`, `call`, `tool`, `reason` |
//! | `answer` | a call was answered with its result | `task`, `call`, `tool` |
//! | `ack` | a call was answered with an acknowledgement; where calls stay open, it stays open | the same |
//! | `delivery` | late results were put before the model | `tasks`, `calls` |
//! | `dropped` | results won't be | `tasks`, `calls`, `reason` |
//! | `pruned` | what the model is shown was cut down | `collapsed`, `dropped`: how many messages from the beginning |
//! | `corrected` | results that the model had made up were cut out | `turn`, `cuts` |
//! | `limit` | a limit was reached | `reason` |
//! | `missed` | events are not printed, because they came too fast | `events` |
//! | `error` | the conversation did not come to its end | `message` |
//! | `summary` | always the last | `outcome` (`quiescent` or `failed`), `turns`, `turns_failed`, `calls`, `acks`, `answers`, `deliveries`, `delivered`, `cancelled`, `prunings`, `usage`, `text` (what the model said last), `elapsed_ms` |

use std::collections::HashMap;

use async_tool_runtime::{
    AgentEvent, AgentEventKind, AsyncTaskResult, TaskNo, TaskOutcome, ToolCall, model::Usage, task::Timestamp,
};
use serde_json::{Value, json};

/// Makes lines of events, and counts.
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
    /// The lines for an event; none for those that only a person watches, such as progress.
    pub(crate) fn tell(&mut self, event: &AgentEvent) -> Vec<Value> {
        self.began.get_or_insert(event.at);
        self.last = event.at;
        let lines = self.describe(event);
        lines.into_iter().map(|(name, what)| self.line(name, what)).collect()
    }

    /// The last lines: why the conversation did not come to its end, if so, and the sums.
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
            Kind::UserMessage(text) => ("user", json!({"text": text})),
            Kind::TurnStarted(turn) => {
                totals.turns += 1;
                ("turn_started", json!({"turn": turn}))
            }
            Kind::Text(turn, text) => ("text", json!({"turn": turn, "text": text})),
            Kind::Called { turn, number, call, .. } => {
                totals.calls += 1;
                self.calls.insert(*number, call.clone());
                let mut what = self.of_task(*number);
                what["turn"] = json!(turn);
                what["arguments"] = json!(call.arguments);
                ("call", what)
            }
            Kind::CallRefused(call, reason) => {
                let what = json!({"call": call.id, "tool": call.name, "reason": reason});
                ("call_refused", what)
            }
            Kind::TurnEnded { turn, text, usage } => {
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
            Kind::TurnInterrupted { turn, text, by } => {
                let what = json!({"turn": turn, "text": text, "task": by.to_string()});
                ("turn_interrupted", what)
            }
            Kind::TurnFailed { turn, error, retry_at } => {
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
            Kind::Started(number) => ("started", self.of_task(*number)),
            Kind::Settled(number, result) => self.settled(*number, result),
            Kind::CancelRequested(number, reason) => {
                let mut what = self.of_task(*number);
                what["reason"] = json!(reason);
                ("cancel_requested", what)
            }
            Kind::Acknowledged(number) => {
                totals.acks += 1;
                ("ack", self.of_task(*number))
            }
            Kind::Answered(number) => {
                totals.answers += 1;
                ("answer", self.of_task(*number))
            }
            Kind::Delivered(tasks) => {
                totals.deliveries += 1;
                totals.delivered += tasks.len();
                ("delivery", self.of_tasks(tasks))
            }
            Kind::Dropped(tasks, reason) => {
                let mut what = self.of_tasks(tasks);
                what["reason"] = json!(reason);
                ("dropped", what)
            }
            Kind::Pruned(pruned) => {
                totals.prunings += 1;
                let what = json!({"collapsed": pruned.collapsed, "dropped": pruned.dropped});
                ("pruned", what)
            }
            Kind::Corrected { turn, cuts } => ("corrected", json!({"turn": turn, "cuts": cuts})),
            Kind::LimitReached(limit) => ("limit", json!({"reason": limit.to_string()})),
            Kind::Missed(events) => ("missed", json!({"events": events})),
            Kind::JournalFailed(reason) => (
                "error",
                json!({"message": format!("the journal can't be written: {reason}")}),
            ),
            Kind::Defect(what) => ("error", json!({"message": format!("a defect of the library: {what}")})),
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
