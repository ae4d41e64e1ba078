//! End of a session.

use super::{AgentAction, Timer};
use super::{AgentMachine, phase::Phase};
use crate::{
    agent::{CloseMode, ledger::Life},
    id::TaskNo,
    journal::Entry,
};

const REASON: &str = "the session was closed";

impl AgentMachine {
    pub(super) fn on_close(&mut self, mode: CloseMode) {
        if self.ledger.life() != Life::Open {
            return;
        }
        match mode {
            CloseMode::Cancel => self.finish(),
            CloseMode::Detach => {
                self.begin_closing();
                let open: Vec<TaskNo> = self.ledger.open_tasks().collect();
                let (waiting, running): (Vec<TaskNo>, Vec<TaskNo>) =
                    open.into_iter().partition(|number| self.waiting.contains(number));
                if !running.is_empty() {
                    self.record(Entry::Detached {
                        tasks: running,
                        at: self.now,
                    });
                }
                for number in waiting {
                    self.cancel(number, REASON.to_owned(), &mut Vec::new());
                }
                self.close_if_done();
            }
            CloseMode::Drain { limit } => {
                let until = self.now.after(limit);
                if self.ledger.draining().is_none_or(|known| until < known) {
                    self.record(Entry::Draining { until, at: self.now });
                    self.set_timer(Timer::Drain, until);
                }
            }
        }
    }

    /// Ends the session, and tells its tasks to stop.
    pub(super) fn finish(&mut self) {
        self.begin_closing();
        let open: Vec<TaskNo> = self.ledger.open_tasks().collect();
        let mut settled = Vec::new();
        for number in open {
            self.cancel(number, REASON.to_owned(), &mut settled);
        }
        self.close_if_done();
    }

    fn begin_closing(&mut self) {
        match self.phase {
            // Every call gets its answer, so that the stored conversation is well-formed.
            Phase::Answering(_) => self.answer(),
            Phase::Thinking(_) => {
                if let Some(turn) = self.ledger.open_turn().map(|open| open.turn) {
                    self.actions.push(AgentAction::AbortTurn(turn));
                    self.undo_turn(turn, REASON, REASON);
                }
            }
            Phase::Idle | Phase::Backoff(_) => {}
        }
        self.phase = Phase::Idle;
        self.wake = None;
        self.record(Entry::Closing { at: self.now });
    }

    pub(super) fn close_if_done(&mut self) {
        if self.ledger.life() != Life::Closing || self.ledger.open_tasks().next().is_some() {
            return;
        }
        let untold: Vec<TaskNo> = self.ledger.inbox().map(|(number, _)| number).collect();
        if !untold.is_empty() {
            self.drop_results(untold, REASON);
        }
        if self.record(Entry::Closed { at: self.now }) {
            self.stalled = None;
        }
    }
}
