//! End of a turn: the wait for results, and the answers to its calls.

use std::time::Duration;

use super::Timer;
use super::{AgentMachine, phase::Phase};
use crate::{
    agent::{
        AckPolicy,
        grace::{Turns, is_known},
        ledger::{TaskRecord, Waits},
        policy::Grace,
    },
    clock::Timestamp,
    id::TaskNo,
    journal::{CallAnswer, Entry},
    task::TaskStatus,
};

/// End of the wait for a call.
enum Wait {
    Until(Timestamp),
    /// As long as that is worth it, by the latencies of the call's tool.
    WhileWorth,
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
        let mut stragglers = Vec::new();
        for number in &open.calls {
            match self.wait_for(*number, ended, &open.calls) {
                Wait::Until(at) => wait_until = wait_until.max(at),
                Wait::WhileWorth => stragglers.push(*number),
                Wait::Forever => return,
            }
        }
        if !stragglers.is_empty() {
            let held = open.calls.iter().filter(|number| self.holds_result(**number)).count();
            let at = self.worth_waiting(&stragglers, held + self.ledger.inbox().count(), ended, Turns::Together);
            wait_until = wait_until.max(at);
        }
        if !self.asks_after_acks() && self.has_nothing_to_tell(&open.calls) {
            // The model is not asked before a result comes, so until then there is no hurry to acknowledge. A result that
            // takes the place of its acknowledgement costs half the tokens.
            let bound = self
                .policy
                .learned_grace
                .map_or(Duration::ZERO, |learned| learned.bound);
            wait_until = wait_until.max(ended.after(bound));
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
        match self.policy.grace_of(&record.call.name) {
            Grace::Fixed(grace) => Wait::Until(ended.after(grace)),
            Grace::Learned(_) if is_known(&self.latencies, &record.call.name) => Wait::WhileWorth,
            Grace::Learned(_) => Wait::Until(ended.after(self.policy.grace)),
            Grace::Forever => Wait::Forever,
        }
    }

    /// True if the answer to a call would be its result.
    fn holds_result(&self, number: TaskNo) -> bool {
        self.ledger
            .tasks()
            .get(&number)
            .is_some_and(|record| record.result.is_some())
    }

    /// True if the model is asked after acknowledgements alone.
    fn asks_after_acks(&self) -> bool {
        let asks = match self.policy.ack {
            AckPolicy::Eager => true,
            AckPolicy::WhileCalling => !self.ledger.rests_after_acks(),
            AckPolicy::Deferred => false,
        };
        asks && !self.batch
    }

    /// True if the answers to these calls would be acknowledgements alone, no result waits, and no setting of a tool says how
    /// long its calls are waited for.
    fn has_nothing_to_tell(&self, calls: &[TaskNo]) -> bool {
        let is_free = |number: &TaskNo| {
            let record = self.ledger.tasks().get(number);
            record.is_some_and(|record| {
                let is_learned = matches!(self.policy.grace_of(&record.call.name), Grace::Learned(_));
                let is_done = record.own || record.result.is_some() || self.promoted.contains(number);
                let asks = self.question(*number).is_some() || record.waits != Waits::Nothing;
                is_learned && !is_done && !asks
            })
        };
        !self.has_news() && calls.iter().all(is_free)
    }

    /// Time until which results are held back for calls that still run, by the price of both. `since` is the time since
    /// which the agent waits.
    pub(super) fn worth_waiting(
        &self,
        stragglers: &[TaskNo],
        held: usize,
        since: Timestamp,
        turns: Turns,
    ) -> Timestamp {
        let Some(learned) = self.policy.learned_grace else {
            return self.now;
        };
        let calls = stragglers.iter().filter_map(|number| {
            let record = self.ledger.tasks().get(number)?;
            Some((&*record.call.name, self.now.since(record.accepted)))
        });
        let calls: Vec<_> = calls.collect();
        // Without a result, the conversation itself is held back.
        let wait = learned.wait(&self.latencies, &calls, held.max(1), turns);
        self.now.after(wait).min(since.after(learned.bound))
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
        let only_repeats = handed_over.is_empty() && self.only_repeats(&calls);
        let eager = match only_repeats {
            true => !self.will_be_woken(),
            false => self.asks_after_acks(),
        };
        self.record(Entry::Answered {
            turn,
            answers,
            eager,
            instruction: self.policy.ack_instruction(),
            at: self.now,
        });
        self.rests_again = only_repeats && !eager;
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
