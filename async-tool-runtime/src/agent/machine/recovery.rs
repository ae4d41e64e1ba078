//! How a session goes on whose process has ended.

use super::{AgentMachine, Phase};
use crate::{
    Effect, Entry, TaskNo, TaskOutcome,
    agent::{Timer, ledger::Life},
};

const LOST: &str = "the process that ran it has ended";

impl AgentMachine {
    /// Takes up the session where its journal ends.
    ///
    /// Nobody runs its tasks any more, and nobody hears of its turn. What may be repeated is submitted again, under the same id; of
    /// what must not happen twice nobody knows whether it has happened, and that is what the model is told.
    pub(super) fn on_recover(&mut self) {
        if self.ledger.life() == Life::Closed {
            return;
        }
        for record in self.ledger.tasks().values() {
            if let Some(result) = record.result.as_ref().filter(|result| result.attempts > 0) {
                self.latencies.note(&result.tool, result.timing.elapsed());
            }
        }
        let mut settled = Vec::new();
        let lost = self.ledger.open_turn().filter(|open| !open.ended);
        if let Some((turn, started)) = lost.map(|open| (open.turn, open.calls.clone())) {
            for number in &started {
                self.settle_here(*number, TaskOutcome::Cancelled(LOST.to_owned()), &mut settled);
            }
            self.undo_turn(turn, "the process that asked the model has ended", LOST);
        }
        let open: Vec<TaskNo> = self.ledger.open_tasks().collect();
        for number in open {
            self.take_up(number, &mut settled);
        }
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

    /// Goes on with a task that was accepted and has not ended.
    fn take_up(&mut self, number: TaskNo, settled: &mut Vec<TaskNo>) {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return;
        };
        let is_in = |source: TaskNo| {
            self.ledger
                .tasks()
                .get(&source)
                .is_none_or(|source| source.result.is_some())
        };
        if !record.awaits.iter().all(|awaited| is_in(awaited.task)) {
            // It has never been submitted.
            self.waiting.insert(number);
            return;
        }
        let may_repeat = self.policy.effect_of(&record.call.name) != Effect::Once;
        let attempt = record.attempt + 1;
        match (may_repeat, record.cancel.clone()) {
            (false, _) => {
                let why = format!("{LOST}, and it must not be done twice");
                self.settle_here(number, TaskOutcome::Unknown(why), settled);
            }
            (true, Some(reason)) => self.settle_here(number, TaskOutcome::Cancelled(reason), settled),
            (true, None) if attempt > self.policy.attempts => {
                let why = format!("{LOST}, for the {} time", ordinal(record.attempt));
                self.settle_here(number, TaskOutcome::Unknown(why), settled);
            }
            (true, None) => {
                self.record(Entry::Resubmitted {
                    task: number,
                    attempt,
                    at: self.now,
                });
                self.waiting.insert(number);
                self.submit_if_ready(number, settled);
            }
        }
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
