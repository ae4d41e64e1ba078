//! The calls that a server knows.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use async_tool_runtime::{
    AsyncTaskResult, AsyncToolManager, SessionId, TaskEvent, ToolCall, ToolError, ToolErrorKind,
    journal::ReadError,
    task::{TaskEventStream, TaskSnapshot, TaskSpec},
};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::{
    clock::Clock,
    kept::Found,
    outcome::{End, INTERRUPTED},
    principal::Principal,
    record::{Record, UNANSWERED},
    retention::Retention,
    store::Store,
};

/// All calls of a server, until their retention ends.
#[derive(Debug)]
pub(super) struct Tasks {
    manager: AsyncToolManager,
    clock: Clock,
    store: OnceLock<Store>,
    retention: Arc<Retention>,
    known: Mutex<Known>,
    /// Wakes the watcher when the next expiry may have changed.
    expiry: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Known {
    records: HashMap<SessionId, Arc<Record>>,
    expiring: BTreeSet<(Instant, SessionId)>,
    watcher: Option<JoinHandle<()>>,
    /// Removes ended tasks from the journal.
    sweeper: Option<JoinHandle<()>>,
}

impl Drop for Known {
    fn drop(&mut self) {
        for task in [&self.watcher, &self.sweeper].into_iter().flatten() {
            task.abort();
        }
    }
}

impl Tasks {
    pub(super) fn new(manager: AsyncToolManager) -> Arc<Self> {
        Arc::new(Self {
            manager,
            clock: Clock::start(),
            store: OnceLock::new(),
            retention: Arc::default(),
            known: Mutex::default(),
            expiry: Arc::default(),
        })
    }

    pub(super) const fn manager(&self) -> &AsyncToolManager {
        &self.manager
    }

    pub(super) const fn clock(&self) -> Clock {
        self.clock
    }

    /// Sets the journal of the tasks, once.
    pub(super) fn keep_in(&self, store: Store) {
        let _the_first_one_stays = self.store.set(store);
    }

    pub(super) fn store(&self) -> Option<&Store> {
        self.store.get()
    }

    /// Starts what goes on beside the requests.
    pub(super) fn attend(self: &Arc<Self>) {
        self.watch(&mut self.known());
    }

    /// End of a task in the journal, and its time.
    pub(super) async fn read_end(&self, id: &SessionId) -> Result<Option<(End, u64)>, ReadError> {
        let Some(store) = self.store() else { return Ok(None) };
        match store.read(id).await? {
            Found::Task(kept) => kept.end(store, &self.manager).await,
            Found::Empty | Found::Foreign => Ok(None),
        }
    }

    /// Removes the session of an ended task from the journal, after its retention.
    pub(super) fn remove_later(&self, record: &Record) {
        let at = record.until().unwrap_or_else(|| later(record.retention));
        self.retention.remove_at(record.id.clone(), at);
    }

    /// Removes a session that no client knows from the journal.
    pub(super) fn remove_now(&self, session: SessionId) {
        self.retention.remove_at(session, Instant::now());
    }

    /// Submits a call. Its record is known before its first event. A task that is to be kept is in the journal when this returns.
    pub(super) async fn submit(
        self: &Arc<Self>,
        owner: Principal,
        tool: &str,
        arguments: serde_json::Value,
        (takes_forms, patience): (bool, Duration),
        (is_kept, asks_first): (bool, bool),
        retention: impl FnOnce(&ToolCall) -> Duration,
    ) -> Result<Arc<Record>, ToolError> {
        let store = self.store().filter(|_| is_kept);
        let id = Store::name(Uuid::new_v4());
        let call = ToolCall::new(id.as_str(), tool, arguments);
        let retention = retention(&call);
        let mut record =
            Record::new(id.clone(), owner, call.clone(), takes_forms, retention, self.clock).patient(patience);
        if store.is_some() {
            let created = record.created();
            record = record.kept(created).asking_first(asks_first);
        }
        let record = Arc::new(record);
        self.insert(&record);
        let forgotten = Forget(self, Some(&id));
        match store {
            Some(store) => store.start(self, &record).await?,
            None => match self.manager.submit_task(TaskSpec::new(id.clone(), call)) {
                Ok(handle) => record.begin(handle),
                Err(error) => return Err(error.error().clone()),
            },
        }
        forgotten.disarm();
        // An event that came before the handle may have been the last one.
        self.refresh(&record);
        Ok(record)
    }

    /// Makes a record known.
    pub(super) fn insert(self: &Arc<Self>, record: &Arc<Record>) {
        let mut known = self.known();
        known.records.insert(record.id.clone(), Arc::clone(record));
        self.watch(&mut known);
    }

    /// Makes a record known, unless there is one of its id. Returns the one that is known, and if it is new.
    pub(super) fn insert_new(self: &Arc<Self>, record: Arc<Record>) -> (Arc<Record>, bool) {
        let mut known = self.known();
        if let Some(there) = known.records.get(&record.id) {
            return (Arc::clone(there), false);
        }
        known.records.insert(record.id.clone(), Arc::clone(&record));
        self.watch(&mut known);
        (record, true)
    }

    /// Finds a call of a principal. The calls of others are as unknown as those that never were.
    pub(super) async fn find(self: &Arc<Self>, id: &str, owner: &Principal) -> Result<Option<Arc<Record>>, ReadError> {
        let id = SessionId::new(id);
        let here = self.known().records.get(&id).cloned();
        let record = match (here, self.store()) {
            (Some(record), _) => record,
            (None, Some(store)) => match store.read(&id).await? {
                Found::Task(kept) if kept.is_task && kept.label.owner == *owner => store.adopt(&kept, self).await?,
                _ => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        if record.owner != *owner {
            return Ok(None);
        }
        self.refresh(&record);
        Ok((!record.is_over()).then_some(record))
    }

    pub(super) fn forget(&self, id: &SessionId) {
        let mut known = self.known();
        if let Some(record) = known.records.remove(id)
            && let Some(until) = record.until()
        {
            known.expiring.remove(&(until, id.clone()));
        }
    }

    /// Sets the time at which a call is given up if it still asks and no request waits for it.
    pub(super) fn park(&self, record: &Record) {
        if record.is_asking() && !record.is_task() {
            self.expire(record, record.patience);
        }
    }

    /// Reads the end of a call from its task, in case that its event was missed.
    fn refresh(&self, record: &Record) {
        if record.end().is_none()
            && !record.is_kept()
            && let Some(result) = record.handle().and_then(|handle| handle.result())
        {
            self.settle(record, &result);
        }
    }

    fn settle(&self, record: &Record, result: &AsyncTaskResult) {
        if !record.is_kept() {
            let end = End::of(result, self.manager.registry(), record.was_cancelled_by_client());
            self.end(record, end);
        }
    }

    /// Notes the end of a call. Its retention is counted from here, so that a long run is not taken off the time to fetch the result.
    pub(super) fn end(&self, record: &Record, end: End) {
        if record.settle(end) {
            self.expire(record, record.retention);
        }
    }

    fn expire(&self, record: &Record, after: Duration) {
        let until = later(after);
        let mut known = self.known();
        if let Some(before) = record.until() {
            known.expiring.remove(&(before, record.id.clone()));
        }
        record.set_until(until);
        if known.records.contains_key(&record.id) {
            known.expiring.insert((until, record.id.clone()));
        }
        drop(known);
        self.expiry.notify_one();
    }

    /// Starts the watcher and the sweeper, also again after their runtime was dropped.
    fn watch(self: &Arc<Self>, known: &mut Known) {
        let runs = |task: &Option<JoinHandle<()>>| task.as_ref().is_some_and(|task| !task.is_finished());
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if !runs(&known.watcher) {
            let events = self.manager.events();
            known.watcher = Some(runtime.spawn(watch(Arc::downgrade(self), Arc::clone(&self.expiry), events)));
        }
        if let Some(store) = self.store().filter(|_| !runs(&known.sweeper)) {
            let sweep = Arc::clone(&self.retention).attend(store.clone(), self.clock);
            known.sweeper = Some(runtime.spawn(sweep));
        }
    }

    fn apply(&self, event: &TaskEvent) {
        match event {
            TaskEvent::Snapshot { tasks } => {
                for snapshot in tasks {
                    self.note(snapshot, true);
                }
                // Events were missed, among them ends.
                let records: Vec<_> = self.known().records.values().cloned().collect();
                for record in records {
                    self.refresh(&record);
                }
            }
            TaskEvent::InputRequired(snapshot) => self.note(snapshot, true),
            TaskEvent::Settled(result) => {
                let record = self.known().records.get(&result.session).cloned();
                match record {
                    Some(record) if result.parent.is_none() => self.settle(&record, result),
                    Some(record) => record.close_questions(result.task),
                    None => {}
                }
            }
            TaskEvent::Accepted(snapshot)
            | TaskEvent::Started(snapshot)
            | TaskEvent::Progressed(snapshot)
            | TaskEvent::Waits(snapshot) => self.note(snapshot, false),
            _ => {}
        }
    }

    fn note(&self, snapshot: &TaskSnapshot, asks: bool) {
        let Some(record) = self.known().records.get(&snapshot.session).cloned() else {
            return;
        };
        if snapshot.parent.is_none() {
            if record.handle().is_none()
                && let Some(handle) = self.manager.task(snapshot.task)
            {
                record.begin(handle);
            }
            if let Some(progress) = &snapshot.progress {
                record.report(progress);
            }
        }
        if !asks {
            return;
        }
        match &snapshot.request {
            // The function that asked is gone with its process, so an answer would reach nothing.
            Some(_) if record.is_kept() && snapshot.deferred => {
                self.end(
                    &record,
                    End::Broken(format!("{INTERRUPTED}: the tool had asked a question")),
                );
                let error = ToolError::new(ToolErrorKind::Unknown, INTERRUPTED);
                if let Err(error) = self.manager.resolve_error(snapshot.task, error) {
                    tracing::debug!(target: "async_tool::mcp", %error, "a lost task was not ended");
                }
            }
            Some(request) if record.takes_forms => {
                record.ask(snapshot.task, &snapshot.tool, request);
                // A request that waits is told, or has its caller asked.
                if !record.is_awaited() {
                    self.park(&record);
                }
            }
            // The task may have ended in between.
            Some(_) => drop(self.manager.refuse(
                snapshot.task,
                "the caller can't be asked, because it doesn't declare elicitation with forms",
            )),
            None => record.close_questions(snapshot.task),
        }
    }

    /// Forgets calls whose retention has ended, and gives up those that ask while no request waits for them.
    fn sweep(&self) {
        let now = Instant::now();
        loop {
            let due = {
                let mut known = self.known();
                let Some((until, _)) = known.expiring.first() else {
                    return;
                };
                if *until > now {
                    return;
                }
                let Some((_, id)) = known.expiring.pop_first() else {
                    return;
                };
                let record = known.records.get(&id).cloned();
                if record.as_ref().is_some_and(|record| record.end().is_some()) {
                    known.records.remove(&id);
                    continue;
                }
                record
            };
            if let Some(record) = due
                && record.is_asking()
                && !record.is_awaited()
                && !record.is_task()
            {
                record.stop(UNANSWERED, false);
            }
        }
    }

    fn next_expiry(&self) -> Option<Instant> {
        self.known().expiring.first().map(|(until, _)| *until)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The moment after a time; far enough for any program, because `Instant` has no other limit.
fn later(after: Duration) -> Instant {
    Instant::now() + after.min(Duration::from_secs(60 * 60 * 24 * 365 * 30))
}

/// Forgets a call that was not submitted, also if its request is dropped meanwhile.
struct Forget<'a>(&'a Tasks, Option<&'a SessionId>);

impl Forget<'_> {
    fn disarm(mut self) {
        self.1 = None;
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.1 {
            self.0.forget(id);
        }
    }
}

/// Applies the manager's events to the records, and sweeps.
async fn watch(tasks: Weak<Tasks>, expiry: Arc<Notify>, mut events: TaskEventStream) {
    loop {
        let Some(next) = tasks.upgrade().map(|tasks| tasks.next_expiry()) else {
            return;
        };
        let due = async {
            match next {
                Some(next) => sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = events.next() => match (event, tasks.upgrade()) {
                (Some(event), Some(tasks)) => tasks.apply(&event),
                _ => return,
            },
            () = due => match tasks.upgrade() {
                Some(tasks) => tasks.sweep(),
                None => return,
            },
            () = expiry.notified() => {}
        }
    }
}
