//! A journal in memory.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{AppendError, Entry, Journal, ReadError, Seq, SessionFilter};
use crate::{
    future::{BoxFuture, BoxStream},
    session::SessionId,
};

/// Keeps entries as long as the process runs: the default, and the reference that other journals are compared with.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    sessions: Mutex<HashMap<SessionId, Vec<Entry>>>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries of a session so far.
    #[must_use]
    pub fn entries(&self, session: &SessionId) -> Vec<Entry> {
        self.logs().get(session).cloned().unwrap_or_default()
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<SessionId, Vec<Entry>>> {
        // An append is one `extend` of a vector: a panic can't leave half of it.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_now(&self, session: &SessionId, after: Seq, entries: &[Entry]) -> Result<Seq, AppendError> {
        let mut sessions = self.logs();
        let last = Seq::new(sessions.get(session).map_or(0, Vec::len) as u64);
        if last != after {
            return Err(AppendError::Conflict { last, until: None });
        }
        if entries.is_empty() {
            return Ok(last);
        }
        // A session begins with its first entry, and not with a conflict.
        let log = match sessions.get_mut(session) {
            Some(log) => log,
            None => sessions.entry(session.clone()).or_default(),
        };
        log.extend_from_slice(entries);
        Ok(Seq::new(log.len() as u64))
    }
}

impl Journal for MemoryJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        let result = self.append_now(session, after, entries);
        Box::pin(std::future::ready(result))
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        let numbered = (1..).map(Seq::new).zip(self.entries(session));
        let later = numbered.filter(|(seq, _)| *seq > after).map(Ok);
        Box::pin(Listed(later.collect()))
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        let logs = self.logs();
        let is_wanted = |log: &[Entry]| match filter {
            SessionFilter::All => true,
            SessionFilter::Open => !matches!(log.last(), Some(Entry::Closed { .. })),
        };
        let names = logs.iter().filter(|(_, log)| is_wanted(log));
        let names = names.map(|(name, _)| Ok(name.clone())).collect();
        Box::pin(Listed(names))
    }
}

struct Listed<T>(VecDeque<T>);

impl<T: Unpin> Stream for Listed<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.pop_front())
    }
}
