//! Journal that counts.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_tool_runtime::{
    Journal, SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter},
};

/// Journal that counts the appends to another one. On DynamoDB, an append is what costs.
#[derive(Clone, Debug)]
pub struct Counted<J> {
    journal: J,
    appends: Arc<AtomicUsize>,
}

impl<J> Counted<J> {
    /// Counts the appends to `journal` from now on.
    pub fn new(journal: J) -> Self {
        Self {
            journal,
            appends: Arc::default(),
        }
    }

    /// Number of appends so far.
    #[must_use]
    pub fn appends(&self) -> usize {
        self.appends.load(Ordering::Relaxed)
    }
}

impl<J: Journal> Journal for Counted<J> {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        self.appends.fetch_add(1, Ordering::Relaxed);
        self.journal.append(session, claim, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.journal.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.journal.sessions(filter)
    }

    fn inner(&self) -> Option<&dyn Journal> {
        Some(&self.journal)
    }
}
