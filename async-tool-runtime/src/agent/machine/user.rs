//! User messages.

use super::{AgentMachine, phase::Phase};
use crate::{
    agent::{AgentState, ledger::Life},
    journal::{Entry, Withdrawal},
};

impl AgentMachine {
    pub(super) fn on_user(&mut self, text: String, batch: bool) {
        if self.state() == AgentState::Closing || self.ledger.life() != Life::Open {
            return;
        }
        self.batch = batch;
        self.record(Entry::UserMessage { text, at: self.now });
        self.failures = 0;
        match self.phase {
            Phase::Idle | Phase::Backoff(_) => self.begin_turn(),
            // The user doesn't wait for results: calls without one go on in the background.
            Phase::Answering(_) => {
                self.answer();
                self.carry_on();
            }
            Phase::Thinking(_) => {
                if self.withdraw(Withdrawal::UserMessage) {
                    self.begin_turn();
                }
            }
        }
    }
}
