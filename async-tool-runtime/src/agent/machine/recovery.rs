//! Recovery: resumes the session of a process that has ended.

use std::{collections::HashMap, sync::Arc};

use super::{AgentAction, Timer};
use super::{AgentMachine, phase::Phase};
use crate::{
    agent::{
        Resumption,
        ledger::{Life, TaskRecord, Waits},
    },
    clock::Timestamp,
    id::{TaskId, TaskNo},
    journal::{Entry, Format},
    task::{AsyncTaskResult, TaskOutcome},
    tool::{InputRequest, overdue},
};

pub(super) const LOST: &str = "the process that ran it has ended";

/// Fate of a task whose process has ended.
pub(super) enum Fate {
    /// Submitted as the same attempt: it has not run, or it runs elsewhere and is found again.
    Submit,
    /// Submitted as the next attempt.
    Again,
    /// Waits on for its completion from outside.
    Wait(Option<InputRequest>, Option<Timestamp>),
    /// Its tool is asked for the outcome.
    Reconcile,
    /// Settled here.
    End(TaskOutcome),
    /// Settled with the result that it had in this process.
    Known(Arc<AsyncTaskResult>),
}

impl AgentMachine {
    /// Resumes the session where its journal ends.
    ///
    /// Its tasks and its turn ended with the earlier process. A repeatable task is submitted again under the same id. A
    /// task that must not run twice ends as unknown, unless its tool can find the outcome. A task that waits for people
    /// or for completion from outside goes on waiting. A task whose result is known has it.
    pub(super) fn on_recover(&mut self, by: String, known: Vec<Arc<AsyncTaskResult>>) {
        if self.ledger.life() == Life::Closed {
            return;
        }
        let mut resumption = Resumption::default();
        resumption
            .undelivered
            .extend(self.ledger.inbox().map(|(number, _)| number));
        self.record(Entry::Resumed {
            format: Format::CURRENT,
            by,
            at: self.now,
        });
        for record in self.ledger.tasks().values() {
            if let Some(result) = &record.result {
                self.latencies.note(result);
            }
        }
        let mut settled = Vec::new();
        let lost = self.ledger.open_turn().filter(|open| !open.ended);
        if let Some((turn, started)) = lost.map(|open| (open.turn, open.calls.clone())) {
            for number in &started {
                self.settle_here(*number, TaskOutcome::Cancelled(LOST.to_owned()), &mut settled);
            }
            self.undo_turn(turn, "the process that asked the model has ended", LOST);
            resumption.repeats_turn = true;
        }
        let open: Vec<TaskNo> = self.ledger.open_tasks().collect();
        self.survivors.extend(&open);
        // Partitioned before any of them ends: a task that waits for another's result was never submitted.
        let (unready, ready): (Vec<TaskNo>, Vec<TaskNo>) =
            open.into_iter().partition(|number| self.is_unready(*number));
        self.waiting.extend(unready);
        let mut known: HashMap<TaskId, Arc<AsyncTaskResult>> =
            known.into_iter().map(|result| (result.task, result)).collect();
        for number in ready {
            let fate = self
                .ledger
                .tasks()
                .get(&number)
                .map(|record| match known.remove(&record.task) {
                    Some(result) => Fate::Known(result),
                    None => self.kept_fate_of(record),
                });
            if let Some(fate) = fate {
                resumption.note(number, &fate);
                self.meet(number, fate, &mut settled);
            }
        }
        self.resumption = Some(Arc::new(resumption));
        if let Some(until) = self.ledger.draining() {
            self.set_timer(Timer::Drain, until);
        }
        if self.ledger.life() == Life::Closing {
            self.close_if_done();
        } else if self.ledger.open_turn().is_some() {
            self.phase = Phase::Answering(self.now);
            self.begin_answering();
        } else {
            self.carry_on();
        }
    }

    /// True if a task waits for the result of a task that has not ended.
    fn is_unready(&self, number: TaskNo) -> bool {
        let tasks = self.ledger.tasks();
        let is_open = |source: &TaskNo| tasks.get(source).is_some_and(|source| source.result.is_none());
        let record = tasks.get(&number);
        record.is_some_and(|record| record.awaits.iter().any(|awaited| is_open(&awaited.task)))
    }

    /// Fate of a task, given that the journal may lack its arguments, and that its tool may have changed.
    fn kept_fate_of(&self, record: &TaskRecord) -> Fate {
        match self.fate_of(record) {
            // Neither needs the arguments.
            Fate::Again if self.refusal_of_unkept(record).is_some() && self.policy.reconciles(&record.call.name) => {
                Fate::Reconcile
            }
            Fate::Again if self.refusal_of_unkept(record).is_some() && self.policy.is_external(&record.call.name) => {
                Fate::Wait(None, None)
            }
            fate @ (Fate::Submit | Fate::Again) => {
                let end = self.end_of_unkept(record).or_else(|| self.end_of_unfit(record));
                end.map_or(fate, Fate::End)
            }
            fate @ (Fate::Wait(..) | Fate::Reconcile | Fate::End(_) | Fate::Known(_)) => fate,
        }
    }

    fn fate_of(&self, record: &TaskRecord) -> Fate {
        let tool = &record.call.name;
        if !self.policy.has_tool(tool) {
            return self.fate_of_gone(record);
        }
        let cancelled = record.cancel.clone().map(TaskOutcome::Cancelled);
        match (&record.waits, cancelled) {
            // The function of the task did nothing when the process ended.
            (Waits::Completion(_) | Waits::Answer(_), Some(cancelled)) => return Fate::End(cancelled),
            (Waits::Completion(Some(until)), None) if *until <= self.now => {
                return Fate::End(TaskOutcome::Failed(overdue()));
            }
            (Waits::Completion(until), None) => return Fate::Wait(None, *until),
            (Waits::Answer(InputRequest::Approval { .. }), None) => return Fate::Submit,
            _ if self.policy.is_attached => return Fate::Submit,
            // Its function has got that far. So the outcome is found out, even if the call could be repeated.
            _ if record.checkpoint.is_some() && self.policy.reconciles(tool) => return Fate::Reconcile,
            (Waits::Answer(_) | Waits::Nothing, cancelled) => {
                if self.policy.effect_of(tool).is_repeatable() {
                    return cancelled.map_or_else(|| self.repetition(record), Fate::End);
                }
            }
        }
        if self.policy.reconciles(tool) {
            return Fate::Reconcile;
        }
        match &record.waits {
            Waits::Answer(request) => Fate::Wait(Some(request.clone()), None),
            // The outside may have its id.
            Waits::Nothing if record.cancel.is_none() && self.policy.is_external(tool) => Fate::Wait(None, None),
            Waits::Nothing | Waits::Completion(_) => {
                let why = format!("{LOST}, and it must not be done twice");
                Fate::End(TaskOutcome::Unknown(why))
            }
        }
    }

    fn repetition(&self, record: &TaskRecord) -> Fate {
        if record.attempt < self.policy.attempts {
            return Fate::Again;
        }
        if self.policy.is_external(&record.call.name) {
            return Fate::Wait(None, None);
        }
        let why = format!("{LOST}, for the {} time", ordinal(record.attempt));
        Fate::End(TaskOutcome::Unknown(why))
    }

    fn meet(&mut self, number: TaskNo, fate: Fate, settled: &mut Vec<TaskNo>) {
        match fate {
            Fate::Submit => {
                if let Some(record) = self.ledger.tasks().get(&number).cloned() {
                    self.note_unasked(&record, number);
                }
                self.submit_if_ready(number, settled);
                let record = self.ledger.tasks().get(&number);
                if let Some((task, reason)) = record.and_then(|record| Some((record.task, record.cancel.clone()?))) {
                    self.actions.push(AgentAction::CancelTask(task, reason));
                }
            }
            Fate::Again => self.submit_again(number, settled),
            Fate::Wait(request, until) => {
                if request.is_none() {
                    // Written down, if the earlier process ended before it could.
                    self.defer(number, until);
                }
                self.launch(number, settled, |spec| AgentAction::Await(spec, request, until));
            }
            Fate::Reconcile => self.launch(number, settled, AgentAction::Reconcile),
            Fate::End(outcome) => self.settle_here(number, outcome, settled),
            Fate::Known(result) => self.settle(result, settled),
        }
    }

    fn submit_again(&mut self, number: TaskNo, settled: &mut Vec<TaskNo>) {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return;
        };
        if let Some(error) = self.refusal_of_unkept(record) {
            return self.settle_here(number, TaskOutcome::Failed(error), settled);
        }
        let attempt = record.attempt + 1;
        self.record(Entry::Resubmitted {
            task: number,
            attempt,
            at: self.now,
        });
        self.submit_if_ready(number, settled);
    }

    /// Submits a task that was never started, as its tool found out.
    pub(super) fn on_not_started(&mut self, task: TaskId) {
        let Some(number) = self.open(task) else { return };
        let cancelled = self
            .ledger
            .tasks()
            .get(&number)
            .and_then(|record| record.cancel.clone());
        let mut settled = Vec::new();
        match cancelled {
            Some(reason) => self.settle_here(number, TaskOutcome::Cancelled(reason), &mut settled),
            None => self.submit_again(number, &mut settled),
        }
        self.after_settling(&settled);
    }
}

impl Resumption {
    fn note(&mut self, number: TaskNo, fate: &Fate) {
        let list = match fate {
            Fate::Submit | Fate::Again => &mut self.again,
            Fate::Wait(..) => &mut self.waiting,
            Fate::Reconcile => &mut self.reconciled,
            Fate::Known(_) => &mut self.undelivered,
            Fate::End(TaskOutcome::Unknown(_)) => &mut self.unknown,
            Fate::End(_) => &mut self.ended,
        };
        list.push(number);
    }
}

fn ordinal(number: u32) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        other => format!("{other}th"),
    }
}
