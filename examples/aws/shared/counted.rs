//! Journal that counts.

use std::{
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_tool_runtime::{
    Journal, SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter, Snapshot},
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

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.journal.release(session, claim)
    }

    fn is_durable(&self) -> bool {
        self.journal.is_durable()
    }

    fn put_blob<'a>(
        &'a self,
        session: &'a SessionId,
        bytes: &'a Arc<[u8]>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, AppendError>> {
        self.journal.put_blob(session, bytes)
    }

    fn blob<'a>(
        &'a self,
        session: &'a SessionId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<[u8]>>, ReadError>> {
        self.journal.blob(session, name)
    }

    fn remove<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        self.journal.remove(session)
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        self.journal.snapshot_every()
    }

    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        self.journal.keep_snapshot(session, snapshot)
    }

    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        self.journal.snapshot(session)
    }
}
