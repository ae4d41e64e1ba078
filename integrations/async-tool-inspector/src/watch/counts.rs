//! Counts of the sessions' entries, for the list.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use async_tool_runtime::{Journal, SessionId, journal::Seq};

use super::journal_reader::next;
use crate::book::Totals;

/// Entries of a session that are counted in one look.
const PAGE: usize = 2_048;

/// Counts of the sessions' entries, and the order in which they are counted on.
#[derive(Default)]
pub(super) struct Counts {
    all: HashMap<SessionId, Counted>,
    turn: VecDeque<SessionId>,
}

/// Count of a session's entries so far.
#[derive(Default)]
pub(super) struct Counted {
    pub(super) seq: Seq,
    pub(super) totals: Totals,
    pub(super) journal: Option<Arc<dyn Journal>>,
    pub(super) owner: Option<String>,
    /// Number of the journal that has listed it.
    pub(super) listed: Option<usize>,
}

impl Counts {
    /// Count of a session, from the start if it is new.
    pub(super) fn add(&mut self, session: &SessionId) -> &mut Counted {
        if !self.all.contains_key(session) {
            self.turn.push_back(session.clone());
        }
        self.all.entry(session.clone()).or_default()
    }

    pub(super) fn find(&self, session: &SessionId) -> Option<&Counted> {
        self.all.get(session)
    }

    pub(super) fn sessions(&self) -> impl Iterator<Item = &SessionId> {
        self.all.keys()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&SessionId, &Counted) -> bool) {
        let before = self.all.len();
        self.all.retain(|session, counted| is_kept(session, counted));
        if self.all.len() < before {
            self.turn.retain(|session| self.all.contains_key(session));
        }
    }

    /// Number of sessions that are counted on: all but the closed ones.
    pub(super) fn waiting(&self) -> usize {
        self.turn.len()
    }

    /// Takes out the session whose turn it is.
    pub(super) fn take(&mut self) -> Option<(SessionId, &mut Counted)> {
        let session = self.turn.pop_front()?;
        let counted = self.all.get_mut(&session)?;
        Some((session, counted))
    }

    pub(super) fn take_again(&mut self, session: SessionId) {
        self.turn.push_back(session);
    }
}

impl Counted {
    /// Counts the entries that are new.
    pub(super) async fn count(&mut self, session: &SessionId) {
        let Some(journal) = self.journal.clone() else { return };
        let mut entries = journal.read(session, self.seq);
        for _ in 0..PAGE {
            match next(&mut entries).await {
                Some(Ok((seq, entry))) => {
                    self.totals.apply(&entry);
                    self.seq = seq;
                }
                // The page of the session says what is wrong.
                Some(Err(_)) | None => return,
            }
        }
    }
}
