//! All that is looked at.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{SessionId, TaskHandle, TaskId, Tool, journal::Seq};
use serde_json::Value;
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time::Instant};

use super::{
    mirror::Mirror,
    overview::Overview,
    rows::{Facts, OpenTasks, row},
    watched::{Lease, Watched},
};
use crate::{book::SessionBook, sources::Sources};

/// Time that managers are followed after the last request.
const LINGER: Duration = Duration::from_secs(30);

/// All that is looked at.
pub(crate) struct Hub {
    pub(crate) sources: Sources,
    /// Name of this run, so that a place of an earlier one is known as such.
    epoch: String,
    is_read_only: bool,
    pub(super) overview: Overview,
    watched: Mutex<HashMap<SessionId, Entry>>,
    mirrors: Mutex<Mirrors>,
    viewers: AtomicUsize,
    max_viewers: usize,
    /// True once there was a viewer.
    was_viewed: watch::Sender<bool>,
    /// Reason of the end of all streams.
    end: watch::Sender<Option<String>>,
    /// Runtime of the requests. Acts run on another one, which must not follow anything.
    runtime: OnceLock<Handle>,
}

/// Session that is looked at, with the number of its book.
struct Entry {
    watched: Arc<Watched>,
    number: u64,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Mirrors {
    all: Vec<Arc<Mirror>>,
    tasks: Vec<JoinHandle<()>>,
    overview: Option<JoinHandle<()>>,
    used: Option<Instant>,
    books: u64,
}

impl Hub {
    pub(crate) fn new(sources: Sources, max_viewers: usize, is_read_only: bool) -> Arc<Self> {
        Arc::new(Self {
            sources,
            epoch: uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(),
            is_read_only,
            overview: Overview::new(),
            watched: Mutex::default(),
            mirrors: Mutex::default(),
            viewers: AtomicUsize::new(0),
            max_viewers,
            was_viewed: watch::Sender::new(false),
            end: watch::Sender::new(None),
            runtime: OnceLock::new(),
        })
    }

    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    pub(crate) const fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    pub(crate) const fn max_viewers(&self) -> usize {
        self.max_viewers
    }

    /// True if a registry can start agents of sessions.
    pub(super) fn can_start(&self) -> bool {
        self.sources.registries().next().is_some()
    }

    /// Ends all streams.
    pub(crate) fn end(&self, reason: String) {
        self.end.send_replace(Some(reason));
    }

    pub(super) fn ending(&self) -> watch::Receiver<Option<String>> {
        self.end.subscribe()
    }

    /// Counts a viewer; `None` if there are too many.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Admitted> {
        let admitted = Admitted(Arc::clone(self));
        let before = self.viewers.fetch_add(1, Ordering::SeqCst);
        let is_admitted = before < self.max_viewers;
        if is_admitted {
            self.was_viewed.send_replace(true);
        }
        is_admitted.then_some(admitted)
    }

    /// Waits for the first viewer. Cancel safe.
    pub(crate) async fn viewed(&self) {
        let mut was_viewed = self.was_viewed.subscribe();
        let _the_sender_is_here = was_viewed.wait_for(|was_viewed| *was_viewed).await;
    }

    /// Follows the managers and the list, if they aren't followed.
    pub(crate) fn wake(self: &Arc<Self>) {
        let _the_first_one_stays = self.runtime.get_or_init(Handle::current);
        let mut mirrors = self.mirrors_mut();
        mirrors.used = Some(Instant::now());
        if mirrors.overview.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        for task in mirrors.tasks.drain(..) {
            task.abort();
        }
        for mirror in mirrors.all.clone() {
            mirrors.tasks.push(self.spawn(async move { mirror.follow().await }));
        }
        let hub = Arc::clone(self);
        mirrors.overview = Some(self.spawn(async move {
            hub.overview.follow(&hub).await;
            for task in hub.mirrors_mut().tasks.drain(..) {
                task.abort();
            }
        }));
    }

    /// True if there are viewers, or were some moments ago.
    pub(super) fn is_in_use(&self) -> bool {
        let mut mirrors = self.mirrors_mut();
        if self.viewers.load(Ordering::SeqCst) > 0 {
            mirrors.used = Some(Instant::now());
        }
        mirrors.used.is_some_and(|used| used.elapsed() < LINGER)
    }

    /// Mirrors of all managers; new ones are followed from now on.
    pub(super) fn mirrors(&self) -> Vec<Arc<Mirror>> {
        let managers = self.sources.managers();
        let mut mirrors = self.mirrors_mut();
        for manager in managers {
            if !mirrors.all.iter().any(|known| known.manager().is_same(&manager)) {
                let mirror = Mirror::new(manager);
                mirrors.all.push(Arc::clone(&mirror));
                mirrors.tasks.push(self.spawn(async move { mirror.follow().await }));
            }
        }
        mirrors.all.clone()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.runtime.get_or_init(Handle::current).spawn(task)
    }

    /// Task of a manager, and its tool.
    pub(crate) fn call(&self, task: TaskId) -> Option<(TaskHandle, Option<Arc<dyn Tool>>)> {
        let managers = self.sources.managers();
        managers.iter().find_map(|manager| {
            let task = manager.task(task)?;
            let tool = manager.registry().find(&task.spec().call.name).cloned();
            Some((task, tool))
        })
    }

    /// Tool of this name.
    pub(crate) fn tool(&self, name: &str) -> Option<Arc<dyn Tool>> {
        let managers = self.sources.managers();
        managers
            .iter()
            .find_map(|manager| manager.registry().find(name).cloned())
    }

    /// Looks at a session, and follows it from now on.
    pub(crate) fn watch(self: &Arc<Self>, session: &SessionId) -> (Lease, u64) {
        self.wake();
        let mut all = self.watched_mut();
        if let Some(known) = all.get(session).filter(|known| !known.task.is_finished()) {
            return (known.watched.lease(), known.number);
        }
        let redacts = self.sources.agent(session).is_some_and(|agent| agent.redacts());
        let watched = Watched::new(session.clone(), redacts);
        let number = {
            let mut mirrors = self.mirrors_mut();
            mirrors.books += 1;
            mirrors.books
        };
        let lease = watched.lease();
        let task = self.spawn(Arc::clone(&watched).follow(Arc::clone(self)));
        all.insert(session.clone(), Entry { watched, number, task });
        (lease, number)
    }

    /// Forgets a session, unless someone looks at it again.
    pub(super) fn forget(&self, watched: &Arc<Watched>) -> bool {
        let mut all = self.watched_mut();
        let is_free = watched.is_free();
        if is_free {
            all.remove(watched.session());
        }
        is_free
    }

    /// Row of a session that is looked at.
    pub(super) fn row(&self, book: &SessionBook) -> Value {
        let agent = self.sources.agent(book.session());
        let facts = Facts {
            agent: agent.as_ref(),
            owner: book.owner.clone(),
            is_read_only: self.is_read_only,
            is_written: book.seq() != Seq::START,
            can_start: self.can_start(),
        };
        row(book.session(), &book.totals, &OpenTasks::of_book(book), &facts)
    }

    fn watched_mut(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mirrors_mut(&self) -> MutexGuard<'_, Mirrors> {
        self.mirrors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Count of a viewer, while it is connected.
pub(super) struct Admitted(Arc<Hub>);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::SeqCst);
    }
}
