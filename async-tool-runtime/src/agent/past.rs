//! Events of a session's journal, for a reader that comes later.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{AgentEvent, EventId, recorded::events_of};
use crate::{
    broadcast::next,
    future::BoxFuture,
    id::{TaskId, TaskNo},
    journal::{Entry, Journal, ReadError, Seq},
    session::SessionId,
};

/// Number of entries that are read at once.
const PAGE: usize = 256;

/// Events of the entries between two places of a journal, read in pages.
pub(super) struct Past {
    session: SessionId,
    journal: Arc<dyn Journal>,
    /// Numbers of the tasks at the end of the range.
    numbers: HashMap<TaskId, TaskNo>,
    /// Last event that the reader has.
    after: EventId,
    /// Last entry that is read.
    next: Seq,
    /// Last entry of the range; the live events begin behind it.
    until: Seq,
    events: VecDeque<AgentEvent>,
    page: Option<BoxFuture<'static, Result<Vec<(Seq, Entry)>, ReadError>>>,
}

impl Past {
    pub(super) fn new(
        session: SessionId,
        journal: Arc<dyn Journal>,
        numbers: HashMap<TaskId, TaskNo>,
        after: EventId,
        until: Seq,
    ) -> Self {
        Self {
            session,
            journal,
            numbers,
            after,
            // The reader may have only some events of that entry.
            next: Seq::new(after.seq().as_u64().saturating_sub(1)),
            until,
            events: VecDeque::new(),
            page: None,
        }
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<AgentEvent, ReadError>>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.next >= self.until {
                return Poll::Ready(None);
            }
            let page = self.page.get_or_insert_with(|| {
                let (journal, session) = (Arc::clone(&self.journal), self.session.clone());
                Box::pin(read(journal, session, self.next, self.until))
            });
            let page = ready!(page.as_mut().poll(cx));
            self.page = None;
            let entries = match page {
                Ok(entries) => entries,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            // A page without entries is the end, also of a journal that has lost some.
            self.next = entries.last().map_or(self.until, |(seq, _)| *seq);
            for (seq, entry) in &entries {
                let events = events_of(*seq, entry, &self.numbers);
                self.events
                    .extend(events.filter(|event| event.id.is_some_and(|id| id > self.after)));
            }
        }
    }
}

/// Reads up to [`PAGE`] entries.
async fn read(
    journal: Arc<dyn Journal>,
    session: SessionId,
    after: Seq,
    until: Seq,
) -> Result<Vec<(Seq, Entry)>, ReadError> {
    let mut stream = journal.read(&session, after);
    let mut entries = Vec::new();
    while entries.len() < PAGE
        && let Some(read) = next(&mut stream).await
    {
        let (seq, entry) = read?;
        if seq > until {
            break;
        }
        entries.push((seq, entry));
    }
    Ok(entries)
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Past")
            .field("after", &self.after)
            .field("next", &self.next)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
