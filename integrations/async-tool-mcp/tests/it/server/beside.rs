//! A journal in memory that stores entries as text, with media beside them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_tool_runtime::{
    Journal, SessionId,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, MemoryJournal, ReadError, Seq, SessionFilter},
};
use tokio::time::Instant;

type Blobs = HashMap<(SessionId, Arc<str>), Arc<[u8]>>;

#[derive(Default)]
pub(super) struct Beside {
    pub(super) entries: MemoryJournal,
    pub(super) blobs: Mutex<Blobs>,
    /// Removed sessions, with their times.
    pub(super) removed: Mutex<Vec<(Instant, SessionId)>>,
    /// True while nothing can be read.
    pub(super) is_away: AtomicBool,
    /// Number of reads that see no end of a session, as if it came just after them.
    pub(super) early_reads: AtomicUsize,
}

impl Beside {
    pub(super) fn count(&self, filter: SessionFilter) -> usize {
        let mut sessions = self.entries.sessions(filter);
        let mut count = 0;
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        while let std::task::Poll::Ready(Some(_)) = sessions.as_mut().poll_next(&mut cx) {
            count += 1;
        }
        count
    }
}

impl Journal for Beside {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let text = serde_json::to_string(entries).unwrap();
            let stored: Vec<Entry> = serde_json::from_str(&text).unwrap();
            self.entries.append(session, claim, after, &stored).await
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        if self.is_away.load(Ordering::Relaxed) {
            return Box::pin(Failed(Some(ReadError::new(std::io::Error::other("the disk is away")))));
        }
        let entries = self.entries.read(session, after);
        let is_early = |reads: usize| reads.checked_sub(1);
        match self
            .early_reads
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_early)
        {
            Ok(_) => Box::pin(Early(entries)),
            Err(_) => entries,
        }
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.entries.sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.entries.release(session, claim)
    }

    fn put_blob<'a>(
        &'a self,
        session: &'a SessionId,
        bytes: &'a Arc<[u8]>,
    ) -> BoxFuture<'a, Result<Option<Arc<str>>, AppendError>> {
        let mut blobs = self.blobs.lock().unwrap();
        let name: Arc<str> = format!("blob {}", blobs.len()).into();
        blobs.insert((session.clone(), Arc::clone(&name)), Arc::clone(bytes));
        Box::pin(std::future::ready(Ok(Some(name))))
    }

    fn blob<'a>(
        &'a self,
        session: &'a SessionId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<[u8]>>, ReadError>> {
        let found = self.blobs.lock().unwrap().get(&(session.clone(), name.into())).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn remove<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        Box::pin(async move {
            let is_gone = self.entries.remove(session).await?;
            if is_gone {
                self.blobs.lock().unwrap().retain(|(known, _), _| known != session);
                self.removed.lock().unwrap().push((Instant::now(), session.clone()));
            }
            Ok(is_gone)
        })
    }
}

/// Entries up to the end of a task.
struct Early<'a>(BoxStream<'a, Result<(Seq, Entry), ReadError>>);

impl futures_core::Stream for Early<'_> {
    type Item = Result<(Seq, Entry), ReadError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let next = self.0.as_mut().poll_next(cx);
        match next {
            std::task::Poll::Ready(Some(Ok((_, Entry::Settled { .. } | Entry::Closed { .. })))) => {
                std::task::Poll::Ready(None)
            }
            next => next,
        }
    }
}

struct Failed(Option<ReadError>);

impl futures_core::Stream for Failed {
    type Item = Result<(Seq, Entry), ReadError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take().map(Err))
    }
}
