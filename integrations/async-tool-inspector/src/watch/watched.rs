//! Session that is looked at, and the task that follows it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AgentEvent, AgentEventKind, AsyncAgent, Journal, SessionId,
    agent::{AgentEventStream, AgentState, WeakAgent},
};
use axum::body::Bytes;
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use super::{
    feed::Feed,
    hub::Hub,
    journal_reader::{ANSWER, first_with, next, words},
    mirror::{Inbox, TaskNews},
    now,
};
use crate::{book::SessionBook, redaction};

/// Time that a change waits for others.
const PAUSE: Duration = Duration::from_millis(80);
/// Time between two looks at a journal that another process writes: at first, and when nothing comes.
const POLLS: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(600));
/// Time that a session is followed after the last viewer has left.
const LINGER: Duration = Duration::from_secs(15);
/// Time between two questions who owns a session.
const OWNER: Duration = Duration::from_secs(1);
/// Entries that are applied under one lock.
const PAGE: usize = 256;
/// Ended tasks without a journal that are kept of a session.
const UNWRITTEN: usize = 2_000;

/// Error of a journal that doesn't answer.
const SILENT: &str = "the journal does not answer";

/// Session that is looked at.
pub(crate) struct Watched {
    session: SessionId,
    book: Mutex<SessionBook>,
    pub(super) feed: Feed,
    journal: Mutex<Option<Arc<dyn Journal>>>,
    leases: AtomicUsize,
    is_loaded: watch::Sender<bool>,
}

/// Use of a session that is looked at; it is followed while there is one.
pub(crate) struct Lease(Arc<Watched>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.leases.fetch_sub(1, Ordering::SeqCst);
    }
}

impl std::ops::Deref for Lease {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.0
    }
}

impl Watched {
    pub(super) fn new(session: SessionId, redacts: bool) -> Arc<Self> {
        Arc::new(Self {
            book: Mutex::new(SessionBook::new(session.clone(), redacts)),
            session,
            feed: Feed::new(),
            journal: Mutex::new(None),
            leases: AtomicUsize::new(0),
            is_loaded: watch::Sender::new(false),
        })
    }

    pub(super) fn lease(self: &Arc<Self>) -> Lease {
        self.leases.fetch_add(1, Ordering::SeqCst);
        Lease(Arc::clone(self))
    }

    pub(crate) fn session(&self) -> &SessionId {
        &self.session
    }

    /// Journal of the session; `None` for tasks without an agent.
    pub(crate) fn journal(&self) -> Option<Arc<dyn Journal>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_journal(&self, journal: Arc<dyn Journal>) {
        *self.journal.lock().unwrap_or_else(PoisonError::into_inner) = Some(journal);
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, SessionBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the entries that the journal had are read.
    pub(crate) async fn loaded(&self) {
        let mut is_loaded = self.is_loaded.subscribe();
        let _the_sender_is_here = is_loaded.wait_for(|is_loaded| *is_loaded).await;
    }

    /// The whole session as JSON, and the number of the last change in it.
    pub(super) fn snapshot(&self, hub: &Hub) -> (String, u64) {
        let mut book = self.book();
        self.flush(&mut book, hub);
        (book.to_json().to_string(), self.feed.last())
    }

    /// Sends the changes of the book.
    fn flush(&self, book: &mut SessionBook, hub: &Hub) {
        if book.is_row_dirty() {
            book.row = hub.row(book);
        }
        if let Some(delta) = book.delta() {
            self.feed
                .push(frame(&json!({"now": now(), "session": delta}).to_string()));
        }
    }

    /// Follows the session while there are leases.
    pub(super) async fn follow(self: Arc<Self>, hub: Arc<Hub>) {
        let mut follower = Follower::new();
        let mut idle_since: Option<Instant> = None;
        let mut poll = POLLS.0;
        let mut next_poll = Instant::now();
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let before = self.book().seq();
            let looked = timeout(ANSWER, self.look(&mut follower, &hub, next_poll)).await;
            let is_new = self.book().seq() != before;
            match looked {
                Ok(false) => {}
                Ok(true) => {
                    let is_live = follower.events.is_some();
                    poll = if is_new { POLLS.0 } else { (poll * 2).min(POLLS.1) };
                    next_poll = Instant::now() + if is_live { Duration::from_secs(2) } else { poll };
                }
                // A long session is read in parts.
                Err(_) if is_new => next_poll = Instant::now(),
                Err(_) => {
                    next_poll = Instant::now();
                    let mut book = self.book();
                    book.error = Some(SILENT.to_owned());
                    book.touch();
                }
            }
            {
                let mut book = self.book();
                follower.apply(&mut book, &hub);
                book.forget_unwritten(UNWRITTEN);
                self.flush(&mut book, &hub);
            }
            self.is_loaded.send_replace(true);
            if self.leases.load(Ordering::SeqCst) > 0 {
                idle_since = None;
            } else if idle_since.get_or_insert_with(Instant::now).elapsed() > LINGER && hub.forget(&self) {
                return;
            }
            ticks.tick().await;
            tokio::select! {
                () = follower.wait() => {}
                () = sleep_until(next_poll) => {}
            }
        }
    }

    /// Finds new sources, and reads what is new; true if the journal was read.
    async fn look(&self, follower: &mut Follower, hub: &Hub, next_poll: Instant) -> bool {
        follower.attach(self, hub).await;
        // A journal of this process is read when an event tells of an entry; another one is polled.
        let is_due = follower.has_entries() || Instant::now() >= next_poll;
        if is_due {
            self.read().await;
        }
        is_due
    }

    /// True if there is no lease.
    pub(super) fn is_free(&self) -> bool {
        self.leases.load(Ordering::SeqCst) == 0
    }

    /// Reads the entries that the book doesn't have.
    async fn read(&self) {
        let Some(journal) = self.journal() else { return };
        let mut after = self.book().seq();
        loop {
            let mut page = Vec::new();
            let mut error = None;
            {
                let mut entries = journal.read(&self.session, after);
                while page.len() < PAGE {
                    match next(&mut entries).await {
                        Some(Ok(entry)) => page.push(entry),
                        Some(Err(failed)) => {
                            error = Some(words(&failed));
                            break;
                        }
                        None => break,
                    }
                }
            }
            after = page.last().map_or(after, |(seq, _)| *seq);
            {
                let mut book = self.book();
                for (seq, entry) in &page {
                    book.apply(*seq, entry);
                }
                if book.error != error {
                    book.error = error;
                    book.touch();
                }
            }
            if page.len() < PAGE {
                return;
            }
            // A long session is read in turns with the rest of the runtime.
            tokio::task::yield_now().await;
        }
    }
}

/// A change as a server-sent event, without its id.
pub(super) fn frame(data: &str) -> Bytes {
    Bytes::from(format!("event: update\ndata: {data}\n\n"))
}

/// Sources of a session's news.
struct Follower {
    inbox: Arc<Inbox>,
    /// Mirrors that put their news into the inbox.
    mirrors: usize,
    /// Agent whose events are followed, without keeping it.
    agent: Option<WeakAgent>,
    events: Option<AgentEventStream>,
    heard: Vec<AgentEvent>,
    /// Time at which it was asked who owns the session.
    asked: Option<Instant>,
}

impl Follower {
    fn new() -> Self {
        Self {
            inbox: Arc::default(),
            mirrors: 0,
            agent: None,
            events: None,
            heard: Vec::new(),
            asked: None,
        }
    }

    /// Finds what is new: an agent that has started, a journal, a manager.
    async fn attach(&mut self, watched: &Watched, hub: &Hub) {
        let session = &watched.session;
        if self.agent.as_ref().is_some_and(|agent| agent.upgrade().is_none()) {
            self.agent = None;
            self.events = None;
            watched.book().touch();
        }
        // An agent whose events have ended is over; another one of the session may have started.
        if self.events.is_none()
            && let Some(agent) = hub.sources.agent(session)
            && !(self.agent.is_some() && is_over(&agent))
        {
            self.follow(&agent, watched);
        }
        if watched.journal().is_none() {
            let journals = hub.sources.journals_of(session);
            if let Some(journal) = first_with(&journals, session).await {
                watched.set_journal(journal);
                // It is not known what its agent redacts, so nothing that isn't in the journal is shown.
                if self.agent.is_none() && !hub.sources.managers().is_empty() {
                    watched.book().redacts = true;
                }
            }
        }
        if let Some(owners) = hub.sources.owners().filter(|_| self.events.is_none())
            && self.asked.is_none_or(|asked| asked.elapsed() >= OWNER)
        {
            self.asked = Some(Instant::now());
            // On a task of its own: it is the host's code, and may panic.
            let owner = tokio::spawn(owners(session.clone())).await.ok().flatten();
            let owner = owner.map(|owner| owner.name);
            let mut book = watched.book();
            if book.owner != owner {
                book.owner = owner;
                book.touch();
            }
        }
        let mirrors = hub.mirrors();
        for mirror in mirrors.iter().skip(self.mirrors) {
            mirror.listen(session, &self.inbox);
        }
        self.mirrors = mirrors.len();
    }

    fn follow(&mut self, agent: &AsyncAgent, watched: &Watched) {
        self.events = Some(agent.events());
        self.agent = Some(agent.downgrade());
        let mut book = watched.book();
        book.redacts = agent.redacts();
        book.touch();
        drop(book);
        if let Some(journal) = agent.journal() {
            watched.set_journal(journal);
        }
    }

    /// Waits for news. Cancel safe.
    async fn wait(&mut self) {
        let events = async {
            match &mut self.events {
                Some(events) => events.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.inbox.wait() => {}
            event = events => self.note(event),
        }
    }

    fn note(&mut self, event: Option<AgentEvent>) {
        match event {
            Some(event) => self.heard.push(event),
            None => self.events = None,
        }
    }

    /// Takes the events that have come; true if one of them is of an entry, or may be.
    fn has_entries(&mut self) -> bool {
        while let Some(events) = &mut self.events
            && let Some(event) = events.next().now_or_never()
        {
            self.note(event);
        }
        let tells = |event: &AgentEvent| event.id.is_some() || matches!(event.kind, AgentEventKind::Missed { .. });
        self.heard.iter().any(tells)
    }

    /// Adds the news to the book.
    fn apply(&mut self, book: &mut SessionBook, hub: &Hub) {
        for event in self.heard.drain(..) {
            if event.id.is_none() {
                book.hear(&event.kind, event.at);
            }
        }
        for news in self.inbox.take() {
            match news {
                TaskNews::State(snapshot) => {
                    let is_new = book.task(snapshot.task).is_none();
                    let tool = hub.tool(&snapshot.tool);
                    book.observe(&snapshot, redaction::has_secrets(tool.as_deref()));
                    if is_new
                        && book.is_unwritten(snapshot.task)
                        && let Some((task, tool)) = hub.call(snapshot.task)
                    {
                        let arguments = redaction::arguments(tool.as_deref(), task.spec().call.arguments.value());
                        book.show_arguments(snapshot.task, &arguments);
                    }
                }
                TaskNews::Ended(result) => {
                    let tool = hub.tool(&result.tool);
                    book.end_unwritten(&result, redaction::hides(tool.as_deref(), &result.outcome));
                }
            }
        }
    }
}

/// True if an agent does nothing more.
fn is_over(agent: &AsyncAgent) -> bool {
    agent.state() == AgentState::Closed || agent.stopped().is_some()
}
