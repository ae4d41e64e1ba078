//! Journal of the host, with its panics as errors.

use std::{
    num::NonZeroU64,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{AppendError, Claim, Entry, Journal, ReadError, Seq, SessionFilter, Snapshot};
use crate::{
    future::{BoxFuture, BoxStream},
    session::SessionId,
    unwind::{self, Guarded, Panicked},
};

const PART: &str = "the journal";

/// Journal whose panics are errors: in its methods, in their futures and streams, and when these are dropped.
pub(crate) struct GuardedJournal(Arc<dyn Journal>);

impl GuardedJournal {
    pub(crate) fn new(journal: Arc<dyn Journal>) -> Self {
        Self(journal)
    }
}

impl AppendError {
    /// True if the journal panicked. It may be in any state, so its writer stops instead of trying again.
    pub(crate) fn is_panic(&self) -> bool {
        matches!(self, Self::Unavailable(source) if source.is::<Panicked>())
    }
}

fn unwritten(panic: Panicked) -> AppendError {
    AppendError::Unavailable(Box::new(panic))
}

impl Journal for GuardedJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let appended = unwind::finish(PART, || self.0.append(session, claim, after, entries));
            appended.await.map_err(unwritten)?
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        GuardedStream::boxed(|| self.0.read(session, after))
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        GuardedStream::boxed(|| self.0.sessions(filter))
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(async move {
            let released = unwind::finish(PART, || self.0.release(session, claim));
            released.await.map_err(unwritten)?
        })
    }

    fn put_blob<'a>(
        &'a self,
        session: &'a SessionId,
        bytes: &'a Arc<[u8]>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, AppendError>> {
        Box::pin(async move {
            let kept = unwind::finish(PART, || self.0.put_blob(session, bytes));
            kept.await.map_err(unwritten)?
        })
    }

    fn blob<'a>(
        &'a self,
        session: &'a SessionId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<[u8]>>, ReadError>> {
        Box::pin(async move {
            let found = unwind::finish(PART, || self.0.blob(session, name));
            found.await.map_err(ReadError::new)?
        })
    }

    fn remove<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        Box::pin(async move {
            let removed = unwind::finish(PART, || self.0.remove(session));
            removed.await.map_err(unwritten)?
        })
    }

    fn is_durable(&self) -> bool {
        // A session that is left can be closed later; a session that is closed is lost.
        unwind::call(PART, || self.0.is_durable()).unwrap_or(true)
    }

    fn snapshot_every(&self) -> Option<NonZeroU64> {
        unwind::call(PART, || self.0.snapshot_every()).unwrap_or_else(|panic| {
            tracing::error!(target: "async_tool::journal", "{} panicked, so no snapshots are made", panic.part());
            None
        })
    }

    fn keep_snapshot<'a>(
        &'a self,
        session: &'a SessionId,
        snapshot: Snapshot,
    ) -> BoxFuture<'a, Result<(), AppendError>> {
        Box::pin(async move {
            let kept = unwind::finish(PART, || self.0.keep_snapshot(session, snapshot));
            kept.await.map_err(unwritten)?
        })
    }

    fn snapshot<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Snapshot>, ReadError>> {
        Box::pin(async move {
            let found = unwind::finish(PART, || self.0.snapshot(session));
            found.await.map_err(ReadError::new)?
        })
    }
}

/// Stream that ends with an error where the journal's stream panics.
struct GuardedStream<'a, T> {
    stream: Option<Guarded<BoxStream<'a, Result<T, ReadError>>>>,
    error: Option<ReadError>,
}

impl<'a, T: 'a> GuardedStream<'a, T> {
    fn boxed(start: impl FnOnce() -> BoxStream<'a, Result<T, ReadError>>) -> BoxStream<'a, Result<T, ReadError>> {
        Box::pin(match unwind::call(PART, start) {
            Ok(stream) => Self {
                stream: Some(Guarded::new(PART, stream)),
                error: None,
            },
            Err(panic) => Self {
                stream: None,
                error: Some(ReadError::new(panic)),
            },
        })
    }
}

impl<T> Stream for GuardedStream<'_, T> {
    type Item = Result<T, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(this.error.take().map(Err));
        };
        match unwind::call(PART, || stream.get().as_mut().poll_next(cx)) {
            Ok(poll) => poll,
            Err(panic) => {
                this.stream = None;
                Poll::Ready(Some(Err(ReadError::new(panic))))
            }
        }
    }
}
