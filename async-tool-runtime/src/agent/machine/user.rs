//! User messages.

use super::{AgentMachine, call::Start, phase::Phase};
use crate::{
    agent::{AgentState, MessagePolicy, ledger::Life},
    content::Content,
    journal::{Entry, InterruptCause, Withdrawal},
};

impl AgentMachine {
    pub(super) fn on_user(&mut self, content: Content, batch: bool, policy: MessagePolicy) {
        let traceparent = self.traceparent.take();
        if self.state() == AgentState::Closing || self.ledger.life() != Life::Open {
            return;
        }
        // Before the message, so that the calls of the ended turn don't count among those of the answer to it.
        if policy == MessagePolicy::Interrupt && matches!(self.phase, Phase::Thinking(_)) {
            self.break_off(InterruptCause::Message, Start::Now);
        }
        self.batch = batch;
        let (text, media) = content.into_parts();
        self.record(Entry::UserMessage {
            text,
            media,
            traceparent,
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
            Phase::Thinking(_) => {
                if self.withdraw(Withdrawal::UserMessage) {
                    self.begin_turn();
                }
            }
        }
    }
}
