//! User messages.

use super::{AgentMachine, phase::Phase};
use crate::{
    agent::{AgentState, ledger::Life},
    content::Content,
    journal::Entry,
};

impl AgentMachine {
    pub(super) fn on_user(&mut self, content: Content, batch: bool) {
        if self.state() == AgentState::Closing || self.ledger.life() != Life::Open {
            return;
        }
        self.batch = batch;
        let (text, media) = content.into_parts();
        self.record(Entry::UserMessage {
            text,
            media,
            at: self.now,
        });
        self.failures = 0;
        match self.phase {
            Phase::Idle | Phase::Backoff(_) => self.begin_turn(),
            // The user doesn't wait for results: calls without one go on in the background.
            Phase::Answering(_) => {
                self.answer();
                self.carry_on();
            }
            Phase::Thinking(_) => {}
        }
    }
}
