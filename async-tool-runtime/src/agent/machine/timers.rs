//! Timers that fired.

use super::Timer;
use super::{AgentMachine, phase::Phase};
use crate::agent::ledger::Life;

impl AgentMachine {
    pub(super) fn on_timer(&mut self, timer: Timer) {
        if self.ledger.life() != Life::Open {
            return;
        }
        match (timer, self.phase) {
            (Timer::Grace(turn), Phase::Answering(_))
                if self.ledger.open_turn().is_some_and(|open| open.turn == turn) =>
            {
                self.answer_if_due();
            }
            (Timer::Wake, Phase::Idle) => {
                let due = self.wake.take_if(|wake| wake.at <= self.now);
                if due.is_some() && self.wants_turn() {
                    self.begin_turn();
                }
            }
            (Timer::Wake, Phase::Thinking(_)) => {
                let due = self.wake.take_if(|wake| wake.at <= self.now);
                if let Some(number) = due.and_then(|_| self.urgent()) {
                    self.interrupt_for(number);
                }
            }
            (Timer::Retry, Phase::Backoff(at)) if at <= self.now => self.begin_turn(),
            (Timer::Silence(turn), Phase::Thinking(_))
                if self.ledger.open_turn().is_some_and(|open| open.turn == turn) =>
            {
                self.fail_if_silent(turn);
            }
            (Timer::Join, _) => self.reconsider(),
            (Timer::Drain, _) if self.ledger.draining().is_some_and(|until| until <= self.now) => self.finish(),
            _ => {}
        }
    }
}
