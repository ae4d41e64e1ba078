//! The trait of all journals.

use std::num::NonZeroU64;

use super::{AppendError, Entry, ReadError, Seq, SessionFilter, Snapshot};
use crate::{
    future::{BoxFuture, BoxStream},
    session::SessionId,
};

/// Keeps the entries of sessions.
///
/// `testing::JournalSuite` (feature `testing`) checks an implementation against all of the rules, in five lines.
pub trait Journal: Send + Sync + 'static {
    /// Adds entries after `after`, and gives the place of the last of them. When this returns `Ok`, the entries MUST be as
    /// durable as the journal promises. With no entries, it MUST only check the fence.
    ///
    /// # Errors
    ///
    /// [`AppendError::Conflict`] if `after` is not the last entry of the session; nothing has changed then.
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>>;

    /// The entries of a session after `after`, in order. A session nobody wrote to is empty.
    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>>;

    /// The sessions that have entries, in no particular order.
    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>>;

    /// After how many entries another snapshot is of use. Default: none is, and none is made.
    fn snapshot_every(&self) -> Option<NonZeroU64> {
        None
    }

    /// Keeps what a session was after an entry that is in the journal, so that the entries up to there need not be read again. It takes
    /// the place of an earlier snapshot. A journal MAY keep none: the entries are what counts.
    ///
    /// # Errors
    ///
    /// [`AppendError`]; the session goes on without.
    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        let _ = (session, snapshot);
        Box::pin(std::future::ready(Ok(())))
    }

    /// The last snapshot that was kept of a session.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the store can't be read.
    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        let _ = session;
        Box::pin(std::future::ready(Ok(None)))
    }
}

// `dyn Journal` must stay possible: an agent holds one of any kind.
const _: fn(&dyn Journal) = |_| {};

impl<J: Journal + ?Sized> Journal for std::sync::Arc<J> {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        (**self).append(session, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        (**self).read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        (**self).sessions(filter)
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        (**self).snapshot_every()
    }

    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        (**self).keep_snapshot(session, snapshot)
    }

    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        (**self).snapshot(session)
    }
}
