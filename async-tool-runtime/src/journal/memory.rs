//! Journal in memory.

use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;

use super::{AppendError, Asked, Claim, Claims, Entry, Journal, ReadError, Seq, SessionFilter};
use crate::{
    future::{BoxFuture, BoxStream},
    session::SessionId,
};

/// Entries that a reader copies under one lock.
const PAGE: usize = 256;

/// Journal that keeps entries as long as the process runs. The default of an agent, and the reference for other journals.
///
/// ```
/// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
/// use async_tool_runtime::journal::{Entry, MemoryJournal};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let manager = AsyncToolManager::builder().build()?;
/// let journal = Arc::new(MemoryJournal::new());
/// let agent = AsyncAgent::builder(RulePlanner::new(), manager).journal(journal.clone()).start().await?;
/// agent.send("help").await?;
/// agent.run_until_idle().await?;
/// let entries = journal.entries(agent.session());
/// assert!(matches!(entries[0], Entry::Opened { .. }));
/// assert!(matches!(entries.last(), Some(Entry::TurnEnded { text, .. }) if text.contains("It knows")));
/// # agent.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryJournal {
    sessions: Mutex<HashMap<SessionId, Vec<Entry>>>,
    claims: Claims,
}

impl MemoryJournal {
    /// Creates an empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies the entries of a session so far; empty for an unknown session.
    ///
    /// ```
    /// use async_tool_runtime::{SessionId, journal::MemoryJournal};
    ///
    /// assert_eq!(MemoryJournal::new().entries(&SessionId::new("unknown")), []);
    /// ```
    #[must_use]
    pub fn entries(&self, session: &SessionId) -> Vec<Entry> {
        self.logs().get(session).cloned().unwrap_or_default()
    }

    fn logs(&self) -> MutexGuard<'_, HashMap<SessionId, Vec<Entry>>> {
        // A poisoned lock is harmless: an append is one `extend` of a vector, so a panic can't leave half of it.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the hold on a session, as the end of its owner's process or lease does in other journals. The owner isn't told: it learns it
    /// at its next append. For tests of takeovers.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner};
    /// use async_tool_runtime::journal::MemoryJournal;
    /// use std::sync::Arc;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = || AsyncToolManager::builder().build();
    /// let journal = Arc::new(MemoryJournal::new());
    /// let hung = AsyncAgent::builder(RulePlanner::new(), manager()?).journal(journal.clone()).session("s").start().await?;
    ///
    /// let next = AsyncAgent::builder(RulePlanner::new(), manager()?).journal(journal.clone()).session("s");
    /// assert!(next.clone().resume().await.is_err());
    /// journal.expire(hung.session());
    /// let agent = next.resume().await?;
    /// assert!(hung.send("I am back").await.is_err());
    /// # agent.close().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn expire(&self, session: &SessionId) {
        self.claims.forget(session);
    }

    fn append_now(
        &self,
        session: &SessionId,
        claim: &Claim,
        after: Seq,
        entries: &[Entry],
    ) -> Result<Seq, AppendError> {
        let mut sessions = self.logs();
        let known = sessions.get(session);
        let is_closed = known.is_some_and(|log| is_closed(log));
        // A closed session needs no owner.
        let taking = match is_closed {
            true => None,
            false => Some(self.claims.take(session, claim)?),
        };
        let last = Seq::new(known.map_or(0, Vec::len) as u64);
        if last != after {
            return Err(AppendError::Conflict { last });
        }
        let mut is_open = !is_closed;
        let mut reached = last;
        if !entries.is_empty() {
            // Inserted only now, so that a conflict doesn't create an empty session.
            let log = match sessions.get_mut(session) {
                Some(log) => log,
                None => sessions.entry(session.clone()).or_default(),
            };
            log.extend_from_slice(entries);
            reached = Seq::new(log.len() as u64);
            is_open = !self::is_closed(log);
        }
        match taking {
            Some(taking) if is_open => {
                taking.keep();
                // The register lets no other claim in, so there is nothing to renew.
                claim.confirm(Asked::now(), Duration::MAX);
            }
            _ => self.claims.forget(session),
        }
        Ok(reached)
    }
}

fn is_closed(log: &[Entry]) -> bool {
    matches!(log.last(), Some(Entry::Closed { .. }))
}

impl Journal for MemoryJournal {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        let result = self.append_now(session, claim, after, entries);
        Box::pin(std::future::ready(result))
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        let until = self.logs().get(session).map_or(0, Vec::len);
        Box::pin(Later {
            journal: self,
            session: session.clone(),
            next: usize::try_from(after.as_u64()).unwrap_or(usize::MAX),
            until,
            page: VecDeque::new(),
        })
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        let logs = self.logs();
        let is_wanted = |log: &[Entry]| match filter {
            SessionFilter::All => true,
            SessionFilter::Open => !is_closed(log),
        };
        let names = logs.iter().filter(|(_, log)| is_wanted(log));
        let names = names.map(|(name, _)| Ok(name.clone())).collect();
        Box::pin(Listed(names))
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.claims.release(session, claim);
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, AppendError>> {
        let mut logs = self.logs();
        let is_open = logs.get(session).is_some_and(|log| !is_closed(log));
        if !is_open {
            logs.remove(session);
        }
        Box::pin(std::future::ready(Ok(!is_open)))
    }

    fn is_durable(&self) -> bool {
        false
    }
}

/// Entries of a session, copied a page at a time: a reader of a long session must not hold its writer up, nor copy more than it takes.
struct Later<'a> {
    journal: &'a MemoryJournal,
    session: SessionId,
    /// Entries before the next page.
    next: usize,
    /// Number of entries when the reader came.
    until: usize,
    page: VecDeque<(Seq, Entry)>,
}

impl Stream for Later<'_> {
    type Item = Result<(Seq, Entry), ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let later = &mut *self;
        if later.page.is_empty() && later.next < later.until {
            let end = later.until.min(later.next.saturating_add(PAGE));
            let logs = later.journal.logs();
            let page = logs.get(&later.session).and_then(|log| log.get(later.next..end));
            let numbers = (later.next as u64 + 1..).map(Seq::new);
            later.page = numbers.zip(page.into_iter().flatten().cloned()).collect();
            later.next = end;
        }
        Poll::Ready(later.page.pop_front().map(Ok))
    }
}

struct Listed<T>(VecDeque<T>);

impl<T: Unpin> Stream for Listed<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.pop_front())
    }
}
