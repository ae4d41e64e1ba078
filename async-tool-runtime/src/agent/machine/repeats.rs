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

    /// True if the answers to all calls of the turn have no news, and results that are still to come will have some.
    pub(super) fn only_repeats(&self, calls: &[TaskNo]) -> bool {
        !calls.is_empty() && calls.iter().all(|number| self.ledger.waits_again(*number))
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
            // The first of equal turns is no repetition.
            let repeats = self.ledger.repetitions() >= limits.repetitions.saturating_sub(1).max(1);
            (repeats || self.fails_again() || self.succeeds_again()).then_some(RunLimit::Repetition)
        })
    }

    /// True if a call has failed the same way as often as the run allows.
    fn fails_again(&self) -> bool {
        let limit = self.policy.limits.repetitions;
        let mut failures = self.ledger.calls_of_run().filter_map(|(_, record)| {
            let failure = match (&record.refusal, record.result.as_ref().map(|result| &result.outcome)) {
                (Some(refusal), _) => same_way(refusal),
                (None, Some(TaskOutcome::Failed(error))) => {
                    format!("{} {}", error.kind().as_str(), same_way(error.model_message()))
                }
                _ => return None,
            };
            let counts = record.own || self.policy.counts_repeats(&record.call.name);
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

    /// True if as many turns in a row as the run allows made the same calls and got the same values.
    fn succeeds_again(&self) -> bool {
        let calls: Vec<&TaskRecord> = self.ledger.calls_of_run().map(|(_, record)| record).collect();
        let turns = calls.chunk_by(|one, other| one.turn == other.turn);
        // A turn that was answered with other calls' tasks has no values of its own.
        let mut turns = turns.filter(|turn| turn.iter().any(|record| record.repeats.is_none()));
        let Some(last) = turns.next() else { return false };
        let counts = |record: &&TaskRecord| {
            record.is_task() && self.policy.counts_repeats(&record.call.name) && value_of(record).is_some()
        };
        let is_equal = |(one, other): (&&TaskRecord, &&TaskRecord)| {
            one.call.name == other.call.name
                && is_same(&one.call.arguments, &other.call.arguments)
                && value_of(one) == value_of(other)
        };
        let limit = usize::try_from(self.policy.limits.repetitions.max(2)).unwrap_or(usize::MAX);
        let equal = turns.take_while(|turn| turn.len() == last.len() && turn.iter().zip(last).all(is_equal));
        last.iter().all(counts) && equal.take(limit).count() + 1 >= limit
    }
}

fn value_of(record: &TaskRecord) -> Option<&Value> {
    record.result.as_ref().and_then(|result| result.outcome.value())
}

/// Message without its numbers, which may count attempts or tell a time.
fn same_way(message: &str) -> String {
    message.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}
