//! State that all handles of a manager share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast, watch},
};

use super::{
    Executor, Resident, Traces, WhenFull, counters::Counters, latencies::Latencies, quarantine::Quarantine,
    queue::Queue, records::Records, remote_engine::Remote, route::Route, same::SameCalls, session_waits::SessionWaits,
    table::TaskTable, waiting::Waiting, watch::Watch,
};
use crate::{
    clock::{Clock, Timestamp},
    policy::Conflicts,
    session::SessionId,
    task::{AsyncTaskResult, TaskEvent, TaskSnapshot},
};

/// Callback of `on_complete`.
pub(crate) type Callback = Box<dyn Fn(&Arc<AsyncTaskResult>) + Send + Sync>;

pub(crate) struct Inner {
    pub(super) executor: Executor,
    /// Engine that runs the tasks; `None` if this process does.
    pub(super) remote: Option<Arc<Remote>>,
    pub(super) callbacks: Vec<Callback>,
    pub(super) clock: Clock,
    /// True if spans of calls hold their arguments and results.
    pub(super) traces_contents: bool,
    /// Propagator of the host's traces.
    pub(crate) traces: Traces,
    pub(super) when_full: WhenFull,
    pub(super) task_timeout: Option<Duration>,
    /// Limit of results of tools that set none, as the model is shown them.
    pub(super) result_limit: Option<usize>,
    pub(super) queue: Mutex<Queue<Waiting>>,
    pub(super) watch: Mutex<Watch>,
    pub(super) latencies: Mutex<Latencies>,
    pub(super) tasks: Mutex<TaskTable>,
    pub(super) same: Mutex<SameCalls>,
    pub(super) counters: Counters,
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) conflicts: Conflicts,
    pub(super) session_waits: SessionWaits,
    /// Runtime of the latest agent, or of the first caller; used for work without a caller.
    pub(super) runtime: Mutex<Option<Handle>>,
    /// Channel of each session, registered before its first task.
    pub(super) routes: Mutex<HashMap<SessionId, Route>>,
    /// Agents of sessions.
    pub(super) residents: Mutex<Vec<Arc<dyn Resident>>>,
    /// Statuses of the tasks that are in a journal.
    pub(super) records: Mutex<Records>,
    /// Changed whenever a task comes to rest or goes on, while a session waits for that.
    pub(super) stirs: watch::Sender<()>,
    /// Number of sessions that are being resumed.
    pub(super) resumptions: watch::Sender<usize>,
    pub(super) events: broadcast::Sender<TaskEvent>,
    /// Notified whenever the last open task has been settled.
    pub(super) idle: Notify,
}

impl Inner {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn open_snapshots(&self) -> Vec<TaskSnapshot> {
        let open = self.tasks().open();
        open.iter().map(|cell| cell.snapshot()).collect()
    }

    pub(super) fn open_tasks_changed(&self) {
        if self.tasks().open_count() == 0 {
            self.idle.notify_waiters();
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watch over the queue. Locked after the queue, if both are needed.
    pub(super) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn same(&self) -> MutexGuard<'_, SameCalls> {
        self.same.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tasks(&self) -> MutexGuard<'_, TaskTable> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runtime for work without a caller.
    pub(super) fn runtime(&self) -> Option<Handle> {
        self.runtime_slot().clone()
    }

    /// Notes the runtime of a caller, if none is known.
    pub(super) fn note_runtime(&self, runtime: &Handle) {
        self.runtime_slot().get_or_insert_with(|| runtime.clone());
    }

    /// Notes the runtime of a new agent: an earlier runtime may have been shut down.
    pub(super) fn renew_runtime(&self) {
        if let Ok(runtime) = Handle::try_current() {
            *self.runtime_slot() = Some(runtime);
        }
    }

    fn runtime_slot(&self) -> MutexGuard<'_, Option<Handle>> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn residents(&self) -> MutexGuard<'_, Vec<Arc<dyn Resident>>> {
        self.residents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn routes(&self) -> MutexGuard<'_, HashMap<SessionId, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
