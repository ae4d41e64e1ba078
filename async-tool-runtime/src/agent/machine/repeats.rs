//! Calls with which a model repeats itself, and the end of a run that only repeats.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{AgentMachine, control::merge};
use crate::{
    agent::{
        RunLimit,
        ledger::{TaskRecord, Told},
    },
    context::frames,
    id::TaskNo,
    journal::Awaited,
    policy::{canonical, is_same},
    task::TaskOutcome,
    tool::{Effect, ToolCall},
};

/// Turns in a row that may only repeat calls whose results the model has. The first is answered with the results.
const REPETITIONS: u32 = 2;

impl AgentMachine {
    /// Task that a call repeats, if it is to be answered with that task.
    pub(super) fn repeated(&self, call: &ToolCall, awaits: &[Awaited]) -> Option<TaskNo> {
        if !self.policy.answers_repeats(&call.name) {
            return None;
        }
        let is_equal = |record: &TaskRecord| {
            record.is_task()
                && record.call.name == call.name
                && record.cancel.is_none()
                && record.told != Told::Dropped
                && record.awaits == awaits
                && record.call.redacted == call.redacted
                && is_same(&record.call.arguments, &call.arguments)
        };
        let tasks = self.ledger.tasks();
        let open = self.ledger.open_tasks().find(|number| is_equal(&tasks[number]));
        open.or_else(|| self.known(call, is_equal))
    }

    /// Completed task of this run whose result still holds for an equal call: no call with an effect ended since it began.
    fn known(&self, call: &ToolCall, is_equal: impl Fn(&TaskRecord) -> bool) -> Option<TaskNo> {
        let has_effect = |record: &TaskRecord| self.policy.effect_of(&record.call.name) != Effect::Read;
        if self.policy.effect_of(&call.name) != Effect::Read {
            return None;
        }
        let (number, began) = self.ledger.calls_of_run().find_map(|(number, record)| {
            let result = record.result.as_ref().filter(|_| is_equal(record))?;
            let began = result.timing.started.unwrap_or(result.timing.accepted);
            result.outcome.is_completed().then_some((number, began))
        })?;
        let ended_since = |record: &TaskRecord| {
            let result = record.result.as_ref();
            result.is_none_or(|result| result.timing.settled >= began)
        };
        let mut tasks = self.ledger.tasks().values().filter(|record| record.is_task());
        let is_stale = tasks.any(|record| has_effect(record) && ended_since(record));
        (!is_stale).then_some(number)
    }

    /// True if all calls of the turn repeat tasks that have not ended.
    pub(super) fn only_repeats(&self, calls: &[TaskNo]) -> bool {
        let is_open = |number: &TaskNo| {
            let of = self.ledger.tasks().get(number).and_then(|record| record.repeats);
            of.is_some_and(|of| self.ledger.is_open(of))
        };
        !calls.is_empty() && calls.iter().all(is_open)
    }

    /// Answer to a call that repeats the task `of`.
    pub(super) fn repeated_answer(&self, of: TaskNo, calls: &[TaskNo], handed_over: &mut Vec<TaskNo>) -> Value {
        let wording = &self.policy.wording;
        let Some(result) = self.result_of(of) else {
            let question = self.question(of);
            let running = wording.repeated.replace("{task}", &of.to_string());
            let instruction = question
                .as_ref()
                .map_or(running.as_str(), |question| question.instruction());
            let mut ack = json!({"task": of, "status": self.status(of), "instruction": instruction});
            if let Some(question) = &question {
                ack["asks"] = question.to_model_json();
            }
            return ack;
        };
        let mut row = self.row(of);
        if calls.contains(&of) {
            row["note"] = json!("its result is the answer to its own call");
            return row;
        }
        merge(&mut row, frames::describe(of, result, self.now));
        row["age_ms"] = frames::millis(self.now.since(result.timing.settled));
        if !self.hand_over(of, handed_over) {
            row["note"] = json!(wording.shown_again.replace("{task}", &of.to_string()));
        }
        row
    }

    /// Limit that the run has reached, if any.
    pub(super) fn limit_reached(&self) -> Option<RunLimit> {
        let limits = &self.policy.limits;
        let reached = limits.reached(self.ledger.run());
        reached.or_else(|| {
            let repeats = self.ledger.repetitions() >= REPETITIONS || self.fails_again();
            repeats.then_some(RunLimit::Repetition)
        })
    }

    /// True if a call has failed the same way as often as the run allows.
    fn fails_again(&self) -> bool {
        let limit = self.policy.limits.same_failures;
        let mut failures = self.ledger.calls_of_run().filter_map(|(_, record)| {
            let failure = match (&record.refusal, record.result.as_ref().map(|result| &result.outcome)) {
                (Some(refusal), _) => same_way(refusal),
                (None, Some(TaskOutcome::Failed(error))) => {
                    format!("{} {}", error.kind().as_str(), same_way(error.model_message()))
                }
                _ => return None,
            };
            let counts = record.own || self.policy.answers_repeats(&record.call.name);
            counts.then_some((record, failure))
        });
        let mut counts: HashMap<(&str, String, String), u32> = HashMap::new();
        failures.any(|(record, failure)| {
            let call = canonical(&record.call.arguments);
            let count = counts.entry((&record.call.name, call, failure)).or_default();
            *count += 1;
            *count >= limit
        })
    }
}

/// Message without its numbers, which may count attempts or tell a time.
fn same_way(message: &str) -> String {
    message.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}
