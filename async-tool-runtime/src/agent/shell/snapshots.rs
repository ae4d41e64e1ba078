//! Snapshots of a session, for its journal to keep.

use std::num::NonZeroU64;

use crate::{
    agent::Ledger,
    journal::{Journal, Seq},
    model::words_of,
    session::SessionId,
};

use super::Shell;

impl Shell {
    /// Keeps a snapshot if one is due. Between turns, so that no text of a turn waits for it.
    pub(super) async fn keep_snapshot(&mut self) {
        if !is_due(&*self.journal, self.seq, self.snapshot) {
            return;
        }
        // Set even if it fails, so that the next try comes when the next snapshot is due.
        self.snapshot = self.seq;
        // The fold of what was written: with redaction, the machine's ledger knows more.
        let written = match &self.redactor {
            Some(redactor) => redactor.written(),
            None => self.machine.ledger(),
        };
        keep_snapshot(&*self.journal, &self.session, written, self.seq).await;
    }
}

/// True if another snapshot is useful. Snapshots get rarer as the session grows and each costs more, so all of them
/// together cost as much as a few folds.
pub(in crate::agent) fn is_due(journal: &dyn Journal, seq: Seq, last: Seq) -> bool {
    let since = seq.as_u64() - last.as_u64();
    let every = journal.snapshot_every().map(NonZeroU64::get);
    every.is_some_and(|every| since >= every.max(seq.as_u64() / 4))
}

/// Asks the journal to keep a snapshot. A failure is only logged, because the entries suffice.
pub(in crate::agent) async fn keep_snapshot(journal: &dyn Journal, session: &SessionId, ledger: &Ledger, seq: Seq) {
    let Some(snapshot) = ledger.to_snapshot(seq) else {
        return;
    };
    if let Err(error) = journal.keep_snapshot(session, snapshot).await {
        let error = words_of(&error);
        tracing::warn!(target: "async_tool::journal", error, %session, "no snapshot of the session could be kept");
    }
}
