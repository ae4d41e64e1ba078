//! Calls with which a model repeats itself, and the end of a run that only repeats.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{AgentMachine, control::merge};
use crate::{
    agent::{
        RunLimit,
        ledger::{TaskRecord, Told},
    },
    context::{Message, frames},
    id::TaskNo,
    journal::Awaited,
    policy::{canonical, is_same},
    task::TaskOutcome,
    tool::{DeliveryPolicy, Effect, ToolCall, ToolErrorKind},
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
            let result = record
                .result
                .as_ref()
                .filter(|result| !result.redacted && is_equal(record))?;
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

    /// True if the answers to all calls of the turn have no news, but for those that hand results over.
    pub(super) fn only_repeats(&self, calls: &[TaskNo]) -> bool {
        !calls.is_empty() && calls.iter().all(|number| self.ledger.waits_again(*number))
    }

    /// True if the result of an open task will wake the model.
    pub(super) fn will_be_woken(&self) -> bool {
        let mut open = self.ledger.open_tasks();
        open.any(|number| self.delivery_of(number) != DeliveryPolicy::Silent)
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
        let told = self.told_calls_of_run();
        let mut failures = told.into_iter().filter_map(|record| {
            let failure = match (&record.refusal, record.result.as_ref().map(|result| &result.outcome)) {
                (Some(refusal), _) => same_way(refusal),
                // An equal call runs. An end of the run would keep its result from the model.
                (None, Some(TaskOutcome::Failed(error))) if error.kind() == ToolErrorKind::Duplicate => return None,
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

    /// True if as many turns in a row as the run allows made the same calls and got the same values. Turns without calls, and turns that are
    /// answered with earlier tasks, neither count nor end the row. The result of another call ends it.
    fn succeeds_again(&self) -> bool {
        let limit = self.policy.limits.repetitions.max(2);
        let told = self.told_calls_of_run();
        let mut turns = told.chunk_by(|one, other| one.turn == other.turn);
        let (mut last, mut count): (&[&TaskRecord], _) = (&[], 0);
        // The next turn would tell the results that wait.
        let mut delivered: Vec<TaskNo> = self.ledger.inbox().map(|(number, _)| number).collect();
        for message in self.ledger.transcript().messages().iter().rev() {
            match &**message {
                Message::Answers(_) => {}
                Message::Assistant { calls, .. } if calls.is_empty() => {}
                Message::Assistant { calls, .. } => {
                    let Some(turn) = turns.next().filter(|turn| turn.len() == calls.len()) else {
                        return false;
                    };
                    if turn.iter().all(|record| record.repeats.is_some()) {
                        continue;
                    }
                    if !turn.iter().all(|record| self.may_repeat(record)) || !(last.is_empty() || end_alike(turn, last))
                    {
                        return false;
                    }
                    last = turn;
                    count += 1;
                }
                Message::Delivery { tasks, .. } => delivered.extend(tasks),
                Message::User { .. } | Message::Note { .. } => return false,
            }
            let is_of_row = |number: TaskNo| {
                let record = self.ledger.tasks().get(&number);
                record.is_some_and(|record| last.iter().any(|equal| is_equal_call(record, equal)))
            };
            if !last.is_empty() && !delivered.drain(..).all(is_of_row) {
                return false;
            }
            if count >= limit {
                return true;
            }
        }
        false
    }

    /// Calls of this run, the latest first, without those of turns that failed: the model was told nothing of them.
    fn told_calls_of_run(&self) -> Vec<&TaskRecord> {
        let calls = self.ledger.calls_of_run().map(|(_, record)| record);
        calls.filter(|record| record.told != Told::Dropped).collect()
    }

    /// True for a call that ended with a value, and whose repetition may end the run.
    fn may_repeat(&self, record: &TaskRecord) -> bool {
        record.is_task() && self.policy.counts_repeats(&record.call.name) && value_of(record).is_some()
    }
}

/// True if two turns made the same calls and got the same values.
fn end_alike(turn: &[&TaskRecord], other: &[&TaskRecord]) -> bool {
    let is_alike =
        |(one, other): (&&TaskRecord, &&TaskRecord)| is_equal_call(one, other) && value_of(one) == value_of(other);
    turn.len() == other.len() && turn.iter().zip(other).all(is_alike)
}

fn is_equal_call(one: &TaskRecord, other: &TaskRecord) -> bool {
    one.call.name == other.call.name && is_same(&one.call.arguments, &other.call.arguments)
}

fn value_of(record: &TaskRecord) -> Option<&Value> {
    record.result.as_ref().and_then(|result| result.outcome.value())
}

/// Message without its numbers, which may count attempts or tell a time.
fn same_way(message: &str) -> String {
    message.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}
