//! Entries of the session itself: opening, user messages, pruning, end.

use super::{FoldError, Ledger, error::require, phase::Life};
use crate::{
    agent::RunTotals,
    content::Content,
    context::Message,
    journal::{Entry, Format},
};

impl Ledger {
    pub(super) fn apply_session(&mut self, entry: &Entry) -> Result<(), FoldError> {
        match entry {
            Entry::Opened {
                format,
                nonce,
                works_for,
                ..
            } => {
                require(entry, !self.opened, "the session is open already")?;
                self.note_format(entry, *format)?;
                self.opened = true;
                self.nonce.clone_from(nonce);
                self.works_for = *works_for;
            }
            Entry::Resumed { format, at, .. } => {
                self.note_format(entry, *format)?;
                self.move_deadlines(*at);
                self.is_restart_untold |= !self.open_tasks.is_empty() || !self.inbox.is_empty();
            }
            Entry::UserMessage {
                text,
                media,
                traceparent,
                ..
            } => {
                let is_draining = self.draining.is_some();
                require(entry, !is_draining, "a session that is draining takes no messages")?;
                self.run = RunTotals::default();
                self.ended_empty = false;
                self.is_halted = false;
                self.repetitions = 0;
                self.rests_after_acks = false;
                self.forging = 0;
                self.message_trace.clone_from(traceparent);
                let content = Content::new(text.clone(), media.clone());
                if self.open_turn.is_some() {
                    self.held_messages.push(content);
                } else {
                    self.push_user(content);
                }
            }
            Entry::Pruned { pruned, .. } => {
                let goes_on = self.pruned.allows(pruned, self.transcript.messages());
                require(
                    entry,
                    goes_on,
                    "only whole turns are pruned, and neither they nor cut parts are brought back",
                )?;
                self.pruned = pruned.clone();
            }
            Entry::Draining { until, .. } => {
                require(entry, self.life == Life::Open, "the session is closing already")?;
                self.draining = Some(*until);
            }
            Entry::Closing { .. } => {
                require(entry, self.life == Life::Open, "the session is closing already")?;
                self.life = Life::Closing;
            }
            Entry::Closed { .. } => {
                let has_ended = self.open_tasks.is_empty();
                require(entry, has_ended, "a session is closed when its tasks have ended")?;
                let is_told = self.inbox.is_empty();
                require(
                    entry,
                    is_told,
                    "undelivered results are dropped before the session is closed",
                )?;
                require(entry, self.open_turn.is_none(), "a turn is open")?;
                self.life = Life::Closed;
            }
            other => return Err(FoldError::of_another_family(other)),
        }
        Ok(())
    }

    fn note_format(&mut self, entry: &Entry, format: Format) -> Result<(), FoldError> {
        require(
            entry,
            !format.is_newer(),
            "the entries have a newer format than this program reads; update the program",
        )?;
        self.format = self.format.max(format);
        Ok(())
    }

    pub(super) fn push_user(&mut self, content: Content) {
        self.transcript.push(Message::user(content));
        self.answered_before = self.last_turn;
        self.press();
    }

    /// Marks the conversation as unanswered, and the next turn as due at once.
    pub(super) fn press(&mut self) {
        self.unanswered = true;
        self.pressing = true;
    }
}
