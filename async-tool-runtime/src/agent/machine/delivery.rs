//! Delivery of late results, and wake-ups of the model.

use std::collections::BTreeSet;

use super::Timer;
use super::{
    AgentMachine,
    phase::{Phase, Wake},
};
use crate::{
    agent::{
        grace::{Turns, is_known},
        ledger::{Life, TaskRecord},
    },
    clock::Timestamp,
    context::{
        Message,
        frames::{self, Around},
    },
    id::TaskNo,
    journal::{Entry, JoinPolicy, Withdrawal},
    tool::DeliveryPolicy,
    wording::RESTARTED,
};

impl AgentMachine {
    pub(super) fn on_set_delivery(&mut self, number: TaskNo, policy: DeliveryPolicy) {
        let Some(record) = self.ledger.tasks().get(&number).filter(|record| record.is_task()) else {
            return;
        };
        let is_open = self.ledger.life() == Life::Open && record.is_owed();
        if !is_open || record.delivery == Some(policy) {
            return;
        }
        let before = self.delivery_of(number);
        let entry = Entry::DeliverySet {
            task: number,
            policy,
            at: self.now,
        };
        self.record(entry);
        let waits = self.ledger.inbox().any(|(waiting, _)| waiting == number);
        if waits && before != policy {
            self.forget_wake();
            self.on_late(number);
            self.reconsider();
        }
    }

    /// True if an undelivered result is reason to wake the model.
    pub(super) fn has_news(&self) -> bool {
        self.ledger.inbox().any(|(number, _)| self.is_news(number))
    }

    /// True if the model has something to answer now. In a batch, results of its calls wait until all tasks have ended.
    pub(super) fn has_to_ask(&self) -> bool {
        let waits = self.batch && !self.ledger.is_pressing() && self.ledger.open_tasks().next().is_some();
        self.ledger.is_unanswered() && !waits
    }

    /// True if an idle agent has reason to wake up.
    pub(super) fn wants_turn(&self) -> bool {
        self.has_news() || (self.stalled.is_none() && self.has_to_ask())
    }

    fn is_news(&self, number: TaskNo) -> bool {
        match self.delivery_of(number) {
            DeliveryPolicy::Interrupt => true,
            _ if self.batch => self.ledger.open_tasks().next().is_none(),
            DeliveryPolicy::Silent => false,
            DeliveryPolicy::WhenIdle => !self.is_held(number),
        }
    }

    /// First undelivered result with [`DeliveryPolicy::Interrupt`].
    pub(super) fn urgent(&self) -> Option<TaskNo> {
        let mut waiting = self.ledger.inbox().map(|(number, _)| number);
        waiting.find(|number| self.delivery_of(*number) == DeliveryPolicy::Interrupt)
    }

    /// True if an undelivered result must not wake the model yet, because related results are still to come.
    fn is_held(&self, number: TaskNo) -> bool {
        let Some(record) = self.ledger.tasks().get(&number) else {
            return false;
        };
        // The model wanted this result for another call, and gets both together.
        if self.feeds_open(record) {
            return true;
        }
        let Some(group) = self.group_of(number) else {
            return false;
        };
        let standing = self.standing(&group.tasks);
        let is_loser = group.join == JoinPolicy::FirstOk && standing.completed > 0 && !self.has_completed(number);
        let is_due = standing.fulfils(group.join) || group.until.is_some_and(|until| until <= self.now);
        is_loser || !is_due
    }

    /// True if a task whose arguments depend on this one, directly or through other tasks, has not ended.
    fn feeds_open(&self, record: &TaskRecord) -> bool {
        // Each task is visited once: a net of futures has more paths than tasks.
        let mut seen = BTreeSet::new();
        let mut followers = record.awaited_by.clone();
        while let Some(follower) = followers.pop() {
            if self.ledger.is_open(follower) {
                return true;
            }
            if let Some(record) = self.ledger.tasks().get(&follower).filter(|_| seen.insert(follower)) {
                followers.extend(&record.awaited_by);
            }
        }
        false
    }

    /// Decides when the model gets a late result.
    pub(super) fn on_late(&mut self, number: TaskNo) {
        match (self.delivery_of(number), self.phase) {
            (DeliveryPolicy::Interrupt, Phase::Thinking(began)) => {
                let at = began.after(self.policy.wake.quiet);
                if at <= self.now {
                    self.interrupt_for(number);
                } else if self.wake.is_none() {
                    // The turn has just begun: results that come together interrupt one turn, not one each.
                    self.wake = Some(Wake { first: self.now, at });
                    self.set_timer(Timer::Wake, at);
                }
            }
            (DeliveryPolicy::Interrupt, Phase::Answering(_)) => {
                self.answer();
                self.carry_on();
            }
            (DeliveryPolicy::Interrupt, Phase::Idle) => self.begin_turn(),
            (DeliveryPolicy::WhenIdle, Phase::Idle) if self.is_news(number) => self.wake_later(),
            (DeliveryPolicy::WhenIdle, Phase::Thinking(_)) if self.is_news(number) => {
                if self.withdraw(Withdrawal::Result) {
                    let may_come = self.ledger.open_tasks().next().is_some();
                    if may_come && self.urgent().is_none() {
                        self.wake_later();
                    } else {
                        // No other result can come, or one that is here can't wait.
                        self.begin_turn();
                    }
                }
            }
            // The next turn delivers it.
            (DeliveryPolicy::Interrupt, Phase::Backoff(_)) | (DeliveryPolicy::WhenIdle | DeliveryPolicy::Silent, _) => {
            }
        }
    }

    /// Wakes the agent if a change has released a result that was held back.
    pub(super) fn reconsider(&mut self) {
        if self.phase != Phase::Idle {
            return;
        }
        if self.wake.is_none() && self.wants_turn() {
            self.wake_later();
        }
        self.wait_for_join();
    }

    /// Cancels a wake-up or an interruption that has lost its reason.
    pub(super) fn forget_wake(&mut self) {
        let has_reason = match self.phase {
            Phase::Idle => self.wants_turn(),
            _ => self.urgent().is_some(),
        };
        if !has_reason {
            self.wake = None;
        }
    }

    /// Sets the timer for the first join whose deadline ends.
    pub(super) fn wait_for_join(&mut self) {
        let held = self
            .ledger
            .inbox()
            .filter(|(number, _)| self.delivery_of(*number) == DeliveryPolicy::WhenIdle && self.is_held(*number));
        let until = held
            .filter_map(|(number, _)| self.group_of(number)?.until)
            .filter(|until| *until > self.now)
            .min();
        if let Some(until) = until {
            self.set_timer(Timer::Join, until);
        }
    }

    /// Wakes the agent when no further result has come for a while, or when those that are here have waited for as long as
    /// that is worth it.
    pub(super) fn wake_later(&mut self) {
        let policy = self.policy.wake;
        let first = self.wake.map_or(self.now, |wake| wake.first);
        let quiet = self.now.after(policy.quiet).min(first.after(policy.cap));
        self.wake_at(first, quiet.max(self.worth_joining(first)));
    }

    /// Time until which the results that wait since `first` are held back, so that the model gets others with them.
    pub(super) fn worth_joining(&self, first: Timestamp) -> Timestamp {
        if self.ledger.is_unanswered() || self.urgent().is_some() {
            return self.now;
        }
        let known = self.ledger.open_tasks().filter(|number| self.is_known(*number));
        let known: Vec<TaskNo> = known.collect();
        self.worth_waiting(&known, self.ledger.inbox().count(), first, Turns::Each)
    }

    /// Wakes the agent at this time, for results of which the first has waited since `first`.
    pub(super) fn wake_at(&mut self, first: Timestamp, at: Timestamp) {
        if at <= self.now {
            self.begin_turn();
        } else {
            self.wake = Some(Wake { first, at });
            self.set_timer(Timer::Wake, at);
        }
    }

    /// True if the latencies of a task's tool say how long the task may take.
    fn is_known(&self, number: TaskNo) -> bool {
        let record = self.ledger.tasks().get(&number);
        record.is_some_and(|record| is_known(&self.latencies, &record.call.name))
    }

    /// Delivers all results in the inbox. They replace acknowledgements that the model hasn't seen; the rest go into
    /// one message, with the library's notice.
    pub(super) fn deliver(&mut self, notice: Option<&str>) {
        let waiting = self.ledger.inbox().map(|(number, _)| number);
        let (unseen, late): (Vec<TaskNo>, Vec<TaskNo>) = waiting.partition(|number| self.ledger.is_unseen(*number));
        if !unseen.is_empty() {
            self.record(Entry::Replaced {
                tasks: unseen,
                at: self.now,
            });
        }
        if late.is_empty() {
            return;
        }
        let results = late.iter().filter_map(|number| {
            let record = self.ledger.tasks().get(number)?;
            let arguments = self.is_far(record).then(|| record.call.arguments.value());
            Some((*number, record.result.as_deref()?, arguments))
        });
        let restart = self.ledger.is_restart_untold().then_some(RESTARTED);
        let notices: Vec<&str> = notice.into_iter().chain(restart).collect();
        let notices = (!notices.is_empty()).then(|| notices.join(" "));
        let around = Around {
            nonce: self.ledger.nonce(),
            wording: &self.policy.wording,
            notice: notices.as_deref(),
            with_message: self.ledger.transcript().ends_with_user(),
        };
        let text = frames::render(&around, results, self.now);
        self.record(Entry::Delivered {
            tasks: late,
            text,
            at: self.now,
        });
    }

    /// True if the model may no longer have the call in view, so that its result is shown with the arguments.
    fn is_far(&self, record: &TaskRecord) -> bool {
        /// Number of later turns that leave a call in view. It is a guess: a model finds its call in a few messages, not in a hundred.
        const NEAR: u32 = 8;
        let messages = self.ledger.transcript().messages();
        let shown = &messages[self.ledger.pruned().dropped.min(messages.len())..];
        let is_call = |message: &Message| matches!(message, Message::Assistant { calls, .. } if calls.iter().any(|call| call.id == record.call.id));
        let later = self.ledger.next_turn().as_u32().saturating_sub(record.turn.as_u32());
        later > NEAR || (shown.len() < messages.len() && !shown.iter().any(|message| is_call(message)))
    }

    pub(super) fn drop_results(&mut self, tasks: Vec<TaskNo>, reason: &str) {
        self.record(Entry::Dropped {
            tasks,
            reason: reason.to_owned(),
            at: self.now,
        });
    }
}
