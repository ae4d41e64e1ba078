//! Tasks of the engine in memory.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    backend::{CancelMode, Settlement},
    id::TaskId,
    session::SessionId,
    task::TaskOutcome,
    tool::CancellationToken,
};

/// Pause before a task that was handed back is given out again.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// A task as it was submitted.
pub(super) struct Submitted {
    pub(super) id: TaskId,
    pub(super) session: SessionId,
    pub(super) text: String,
}

/// Run of a task on a worker. A task has one at a time; what an older run says counts no more.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) task: TaskId,
    pub(super) run: u64,
    /// Fires when the task is cancelled.
    pub(super) token: CancellationToken,
}

#[derive(Debug)]
pub(super) struct Record {
    session: SessionId,
    pub(super) text: String,
    /// Latest heartbeat, as JSON.
    pub(super) heartbeat: Option<String>,
    /// End, as JSON.
    pub(super) end: Option<String>,
    ended: Option<Instant>,
    /// Reason of the cancellation, once the task was told to stop.
    reason: Option<String>,
    lease: Option<Lease>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) is_cut_off: bool,
    tasks: HashMap<TaskId, Record>,
    /// Tasks that wait for a worker, each with the time from which it may be given out.
    queue: VecDeque<(TaskId, Instant)>,
    runs: u64,
}

impl State {
    pub(super) fn submit(&mut self, task: Submitted) {
        let Submitted { id, session, text } = task;
        if self.tasks.contains_key(&id) {
            return;
        }
        let record = Record {
            session,
            text,
            heartbeat: None,
            end: None,
            ended: None,
            reason: None,
            lease: None,
        };
        self.tasks.insert(id, record);
        self.queue.push_back((id, Instant::now()));
    }

    pub(super) fn record(&self, task: TaskId) -> Option<&Record> {
        self.tasks.get(&task)
    }

    pub(super) fn open_tasks(&self, session: &SessionId) -> Vec<TaskId> {
        let is_open = |record: &Record| record.session == *session && record.end.is_none();
        let open = self.tasks.iter().filter(|(_, record)| is_open(record));
        open.map(|(task, _)| *task).collect()
    }

    /// Gives out the next task, or returns the time at which one will be due.
    pub(super) fn take(&mut self) -> Result<Lease, Option<Instant>> {
        let now = Instant::now();
        let Some(place) = self.queue.iter().position(|(_, due)| *due <= now) else {
            return Err(self.queue.iter().map(|(_, due)| *due).min());
        };
        let Some((task, _)) = self.queue.remove(place) else {
            return Err(None);
        };
        self.runs += 1;
        let lease = Lease {
            task,
            run: self.runs,
            token: CancellationToken::new(),
        };
        if let Some(record) = self.tasks.get_mut(&task) {
            record.lease = Some(lease.clone());
        }
        Ok(lease)
    }

    /// Record of a run's task, if the run still counts.
    pub(super) fn leased(&mut self, lease: &Lease) -> Option<&mut Record> {
        let record = self.tasks.get_mut(&lease.task)?;
        let is_current = record.lease.as_ref().is_some_and(|known| known.run == lease.run);
        is_current.then_some(record)
    }

    /// Keeps the end of a run, as JSON.
    pub(super) fn end(&mut self, lease: &Lease, end: String) {
        if let Some(record) = self.leased(lease) {
            record.finish(end);
        }
    }

    /// Puts the task of a run back into the queue. One that was told to stop ends.
    pub(super) fn put_back(&mut self, lease: &Lease, pause: Duration) {
        let Some(record) = self.leased(lease) else { return };
        record.lease = None;
        match record.reason.clone() {
            Some(reason) => record.finish(cancelled(reason)),
            None => self.queue.push_back((lease.task, Instant::now() + pause)),
        }
    }

    pub(super) fn cancel(&mut self, task: TaskId, mode: CancelMode, reason: &str) {
        let Some(record) = self.tasks.get_mut(&task).filter(|record| record.end.is_none()) else {
            return;
        };
        record.reason.get_or_insert_with(|| reason.to_owned());
        let lease = record.lease.clone();
        if let Some(lease) = &lease {
            lease.token.cancel();
        }
        if lease.is_none() || mode == CancelMode::Abort {
            record.finish(cancelled(reason.to_owned()));
            self.queue.retain(|(queued, _)| *queued != task);
        }
    }

    /// Forgets tasks that ended longer ago than this.
    pub(super) fn forget(&mut self, retention: Duration) {
        let is_kept = |record: &Record| record.ended.is_none_or(|ended| ended.elapsed() <= retention);
        self.tasks.retain(|_, record| is_kept(record));
    }
}

impl Record {
    fn finish(&mut self, end: String) {
        self.lease = None;
        self.end = Some(end);
        self.ended = Some(Instant::now());
    }
}

fn cancelled(reason: String) -> String {
    let settlement = Settlement::new(TaskOutcome::Cancelled(reason), 0);
    serde_json::to_string(&settlement).expect("a text is JSON")
}
