//! End of a turn: the wait for results, and the answers to its calls.

use std::time::Duration;

use super::Timer;
use super::{AgentMachine, phase::Phase};
use crate::{
    agent::{AckPolicy, AgentEventKind, RunLimit, ledger::TaskRecord, policy::Grace},
    clock::Timestamp,
    id::TaskNo,
    journal::{CallAnswer, Entry},
    task::TaskStatus,
};

/// End of the wait for a call.
enum Wait {
    Until(Timestamp),
    Forever,
}

impl AgentMachine {
    /// Answers the calls of a turn that has just ended. Answers at once if a user message or an urgent result waits.
    pub(super) fn begin_answering(&mut self) {
        if self.ledger.has_held_messages() || self.urgent().is_some() {
            // A user message and an urgent result never wait for other results.
            self.answer();
            self.carry_on();
        } else {
            self.answer_if_due();
        }
    }

    /// Answers the calls of the ended turn, unless a call is worth a wait.
    pub(super) fn answer_if_due(&mut self) {
        let (Phase::Answering(ended), Some(open)) = (self.phase, self.ledger.open_turn()) else {
            return;
        };
        let mut wait_until = self.now;
        for number in &open.calls {
            match self.wait_for(*number, ended, &open.calls) {
                Wait::Until(at) => wait_until = wait_until.max(at),
                Wait::Forever => return,
            }
        }
        if wait_until > self.now {
            let timer = Timer::Grace(open.turn);
            self.set_timer(timer, wait_until);
            return;
        }
        self.answer();
        self.carry_on();
    }

    fn wait_for(&self, number: TaskNo, ended: Timestamp, calls: &[TaskNo]) -> Wait {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return Wait::Until(ended);
        };
        if record.repeats.is_some() {
            return Wait::Until(ended);
        }
        if record.own {
            return Wait::Until(self.report_at(number, ended, calls));
        }
        if record.result.is_some() || self.promoted.contains(&number) {
            return Wait::Until(ended);
        }
        if self.may_still_ask(number, record) {
            return Wait::Until(ended.after(self.policy.grace));
        }
        let age = ended.since(record.accepted);
        match self.policy.grace_of(&record.call.name) {
            Grace::Fixed(grace) => Wait::Until(ended.after(grace)),
            Grace::Learned(learned, otherwise) => {
                let wait = learned.wait(&self.latencies, &record.call.name, age);
                Wait::Until(ended.after(wait.unwrap_or(otherwise)))
            }
            Grace::Forever => Wait::Forever,
        }
    }

    /// True if a call without a wait of its own may be about to ask for consent. Its acknowledgement says so, if it is known by
    /// then.
    fn may_still_ask(&self, number: TaskNo, record: &TaskRecord) -> bool {
        self.policy.grace_of(&record.call.name) == Grace::Fixed(Duration::ZERO)
            && self.policy.may_need_approval(&record.call.name)
            && !self.waiting.contains(&number)
            && self.status(number) == Some(TaskStatus::Queued)
    }

    /// Gives every call of the ended turn its one answer: the result if there is one, otherwise an acknowledgement. A
    /// call of the `task` tool gets its report.
    pub(super) fn answer(&mut self) {
        let Some(open) = self.ledger.open_turn() else { return };
        let (turn, calls) = (open.turn, open.calls.clone());
        let mut handed_over = Vec::new();
        let answers: Vec<CallAnswer> = calls
            .iter()
            .map(|number| match self.status(*number) {
                None => self.report(*number, &calls, &mut handed_over),
                Some(status) if !status.is_terminal() => match self.question(*number) {
                    Some(question) => CallAnswer::Asking(*number, question),
                    None => CallAnswer::Ack(*number, status),
                },
                Some(_) => CallAnswer::Result(*number),
            })
            .collect();
        let only_repeats = self.only_repeats(&calls);
        self.record(Entry::Answered {
            turn,
            answers,
            eager: self.policy.ack == AckPolicy::Eager && !self.batch && !only_repeats,
            wording: self.policy.ack_wording(),
            at: self.now,
        });
        if only_repeats {
            let limit = RunLimit::Repetition;
            self.emit(AgentEventKind::LimitReached { limit });
        }
        self.phase = Phase::Idle;
        self.forget_wake();
        // The tasks that this stops were acknowledged above, so the next turn gets their results.
        for number in calls
            .into_iter()
            .filter(|number| self.has_completed(*number))
            .collect::<Vec<_>>()
        {
            self.stop_others(number, &mut Vec::new());
        }
    }

    pub(super) fn on_promote(&mut self, number: TaskNo) {
        if self.ledger.is_open(number) && self.promoted.insert(number) {
            self.answer_if_due();
        }
    }
}
