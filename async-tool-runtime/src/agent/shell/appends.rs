//! Appends to the journal, and the end of a session whose journal failed.

use std::time::Duration;

use tokio::{sync::oneshot, time::sleep};

use crate::{
    agent::{AgentEvent, AgentEventKind},
    broadcast::next,
    journal::{AppendError, Entry, Journal, Seq},
    model::{without_keys, words_of},
    session::SessionId,
};

use super::{Shell, blobs};

/// Backoff before each retry of a failed append.
const JOURNAL_PAUSES: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(200),
    Duration::from_secs(1),
];

impl Shell {
    pub(super) async fn append(&mut self, written: &[Entry]) -> Result<(), AppendError> {
        // Redacted once, before the first try: `has_written` compares the journal with exactly these entries.
        let redacted;
        let entries = match &mut self.redactor {
            Some(redactor) => {
                redacted = redactor.redact(&self.session, written)?;
                &redacted[..]
            }
            None => written,
        };
        let mut pauses = JOURNAL_PAUSES.iter();
        let mut is_repeated = false;
        loop {
            // First, because an entry must not name bytes that no store has.
            let appended = match blobs::put(&*self.journal, &self.session, entries).await {
                Ok(()) => self.journal.append(&self.session, &self.claim, self.seq, entries).await,
                Err(error) => Err(error),
            };
            let error = match appended {
                Ok(seq) => {
                    self.seq = seq;
                    self.note(written);
                    return Ok(());
                }
                Err(error) => error,
            };
            match (&error, pauses.next()) {
                // A failed append may have been written. Then the conflict is with our own entries.
                (AppendError::Conflict { last }, _)
                    if is_repeated && has_written(&*self.journal, &self.session, self.seq, entries, *last).await =>
                {
                    self.seq = *last;
                    self.note(written);
                    return Ok(());
                }
                (AppendError::Unavailable(source), Some(pause)) if !error.is_panic() => {
                    tracing::warn!(target: "async_tool::journal", error = words_of(&**source), session = %self.session, "the journal can't be written; trying again");
                    is_repeated = true;
                    sleep(*pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Answers a call that is about to begin. Drops the reply if the session is not this agent's any more, or may not be.
    pub(super) async fn prove(&mut self, reply: oneshot::Sender<()>) {
        if self.stopped.is_some() {
            return;
        }
        if !self.claim.is_confirmed()
            && let Err(error) = self.append(&[]).await
        {
            self.stop(&error);
            return self.show_status();
        }
        let _the_call_has_ended = reply.send(());
    }

    /// Stops the session because another agent has it.
    pub(super) fn give_way(&mut self) {
        self.stop(&AppendError::Taken { retry_after: None });
        self.show_status();
    }

    /// Stops the session after its journal failed: no more decisions, and no work without a record.
    pub(super) fn stop(&mut self, error: &AppendError) {
        let mut reason = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            reason = format!("{reason}: {source}");
        }
        // A client of a database repeats its URL, with the password.
        let reason = without_keys(&reason).into_owned();
        // The text of a panic may quote the conversation.
        let logged = match error.is_panic() {
            true => "the journal panicked".to_owned(),
            false => words_of(error),
        };
        tracing::warn!(target: "async_tool::agent", reason = logged, session = %self.session, "session stopped");
        self.disown_after(error);
        let why = match error {
            AppendError::Taken { .. } | AppendError::Conflict { .. } => "another agent has the session",
            AppendError::Unavailable(_) | AppendError::Unredacted { .. } => "the session's journal failed",
        };
        self.halted = self.halt(why);
        // This agent runs no more, so another one of this process may go on with the session.
        self.claim.lose();
        self.depart();
        self.emit(AgentEvent::new(
            self.manager.now(),
            AgentEventKind::JournalFailed { reason: reason.clone() },
        ));
        self.stopped = Some(reason);
    }

    /// Lets the journal give the session up, if it is still this agent's. Tries again after a failure. True if this call
    /// gave it up.
    pub(in crate::agent) async fn give_up(&mut self) -> Result<bool, AppendError> {
        let mut pauses = JOURNAL_PAUSES.iter();
        while self.is_owner {
            match (self.try_to_give_up().await, pauses.next()) {
                (Ok(()), _) => {
                    self.is_owner = false;
                    return Ok(true);
                }
                (Err(_), Some(pause)) => sleep(*pause).await,
                (Err(error), None) => return Err(error),
            }
        }
        Ok(false)
    }

    pub(in crate::agent) async fn try_to_give_up(&mut self) -> Result<(), AppendError> {
        self.journal.release(&self.session, &self.claim).await
    }

    /// Notes the loss of the session, if this error says so.
    pub(in crate::agent) fn disown_after(&mut self, error: &AppendError) {
        match error {
            AppendError::Conflict { .. } | AppendError::Taken { .. } => self.is_owner = false,
            // The entries may have been written nonetheless.
            AppendError::Unavailable(_) | AppendError::Unredacted { .. } => {}
        }
    }
}

/// True if exactly these entries follow the last known durable one.
async fn has_written(journal: &dyn Journal, session: &SessionId, known: Seq, entries: &[Entry], last: Seq) -> bool {
    if last.as_u64() != known.as_u64() + entries.len() as u64 {
        return false;
    }
    let mut written = journal.read(session, known);
    for expected in entries {
        match next(&mut written).await {
            Some(Ok((_, found))) if found == *expected => {}
            _ => return false,
        }
    }
    true
}
