//! What a journal says in place of a stream and a clock, for a machine that is played again.

use std::time::Duration;

use super::{AgentMachine, Phase, Wake};
use crate::{
    Timestamp,
    agent::{AckPolicy, FrameGuard, TurnNo},
};

impl AgentMachine {
    /// The running turn has said this, of which so many results had been cut. With none cut the text passes the guard as any.
    pub(in crate::agent) fn give_text(&mut self, text: &str, cuts: u32) {
        let nonce = self.ledger.nonce();
        if cuts > 0 {
            text.clone_into(&mut self.turn.text);
            self.turn.guard = Some(Box::new(FrameGuard::with_cuts(nonce, cuts.into())));
        } else {
            let mut guard = FrameGuard::new(nonce);
            self.turn.text = guard.push(text).into_owned();
            self.turn.guard = Some(Box::new(guard));
        }
    }

    /// The turn that runs.
    pub(in crate::agent) fn running_turn(&self) -> Option<TurnNo> {
        let open = self.ledger.open_turn()?;
        matches!(self.phase, Phase::Thinking(_)).then_some(open.turn)
    }

    /// How many calls the running turn has made.
    pub(in crate::agent) fn calls_so_far(&self) -> usize {
        self.turn.calls.len()
    }

    /// Whether results that come now wake the model at once, or when a timer says so.
    pub(in crate::agent) fn wake_at_once(&mut self, at_once: bool) {
        let quiet = if at_once { Duration::ZERO } else { Duration::MAX };
        (self.policy.wake.quiet, self.policy.wake.cap) = (quiet, Duration::MAX);
    }

    /// Reports come as the model was shown them, and are not to be cut once more.
    pub(in crate::agent) fn give_shown_reports(&mut self) {
        self.has_shown_reports = true;
    }

    /// What waits to wake the model has waited until now.
    pub(in crate::agent) fn wake_is_due(&mut self, now: Timestamp) {
        self.wake = Some(Wake { first: now, at: now });
    }

    /// Whether acknowledgements alone ask the model again, where a message doesn't say otherwise.
    pub(in crate::agent) fn asks_eagerly(&self) -> bool {
        self.policy.ack == AckPolicy::Eager
    }

    /// What the machine knows beside its ledger: machines with the same do the same, whatever comes.
    pub(in crate::agent) fn aside(&self) -> String {
        let wakes = self.wake.is_some();
        let turn = (self.turn.calls.len(), &self.running, &self.progress, &self.waiting);
        let calls = (&self.promoted, &self.sent, &self.latencies);
        let failures = (self.failures, self.is_halved, &self.stalled);
        format!(
            "{:?} {turn:?} {calls:?} {failures:?} {} {wakes}",
            self.phase, self.batch
        )
    }
}
