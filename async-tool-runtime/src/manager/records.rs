//! Statuses of tasks that are in a journal, for answers and results from outside that come too late.
//!
//! The manager forgets ended tasks, and a task of an earlier process may have ended there. The session's record decides
//! then: a result that comes twice must not look like one for a task that never existed.

use std::collections::{HashMap, VecDeque};

use crate::{id::TaskId, session::SessionId, task::TaskStatus};

/// Tasks that are remembered after their session has ended here.
const DEPARTED: usize = 16_384;

/// Statuses of the tasks of sessions that have, or had, an agent here.
#[derive(Default)]
pub(super) struct Records {
    tasks: HashMap<TaskId, Record>,
    /// Tasks of sessions that have ended here, oldest first.
    departed: VecDeque<TaskId>,
}

struct Record {
    status: Recorded,
    /// True while the session has an agent here.
    is_live: bool,
}

/// Status of a task in its session's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// Accepted, and not settled.
    Open,
    /// Found not to have begun; this session is about to submit it again.
    Between(SessionId),
    /// Ended with this status here; this session has yet to write that.
    Ended(TaskStatus, SessionId),
    /// Open when its session stopped here or was left.
    Left,
    /// Open when its session was closed; its end is in no journal.
    Detached,
    Settled(TaskStatus),
}

impl Records {
    pub(super) fn set(&mut self, task: TaskId, status: Recorded) {
        self.tasks.insert(task, Record { status, is_live: true });
    }

    /// Status of a task; `None` if no journal here has it.
    pub(super) fn of(&self, task: TaskId) -> Option<Recorded> {
        self.tasks.get(&task).map(|record| match &record.status {
            Recorded::Open | Recorded::Between(_) | Recorded::Ended(..) if !record.is_live => Recorded::Left,
            status => status.clone(),
        })
    }

    /// Notes that a task is withdrawn and submitted again, or no longer.
    pub(super) fn set_between(&mut self, task: TaskId, session: Option<&SessionId>) {
        if let Some(record) = self.tasks.get_mut(&task)
            && matches!(record.status, Recorded::Open | Recorded::Between(_))
        {
            record.status = session.map_or(Recorded::Open, |session| Recorded::Between(session.clone()));
        }
    }

    /// Notes the end of a task of a session. The session must have been told before.
    pub(super) fn note_end(&mut self, task: TaskId, status: TaskStatus, session: &SessionId) {
        let Some(record) = self.tasks.get_mut(&task) else {
            return;
        };
        match record.status {
            Recorded::Open | Recorded::Between(_) => record.status = Recorded::Ended(status, session.clone()),
            Recorded::Detached => record.status = Recorded::Settled(status),
            Recorded::Ended(..) | Recorded::Left | Recorded::Settled(_) => {}
        }
    }

    /// Notes that the session of a task has ended here. The oldest of such tasks are forgotten.
    pub(super) fn depart(&mut self, task: TaskId) {
        let Some(record) = self.tasks.get_mut(&task) else {
            return;
        };
        record.is_live = false;
        self.departed.push_back(task);
        if self.departed.len() > DEPARTED
            && let Some(oldest) = self.departed.pop_front()
            && self.tasks.get(&oldest).is_some_and(|record| !record.is_live)
        {
            self.tasks.remove(&oldest);
        }
    }
}
