//! Records of forgotten tasks, for new ones.
//!
//! A record is made by the thread that submits, and mostly forgotten by another one. If it went back to the allocator, both would
//! need the lock of the same part of that for every task, and wait for each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::apart::Apart;
use crate::task::TaskCell;

/// As many as are submitted in a bunch, before the first of them has ended.
const MOST: usize = 64;

/// Records that nobody has any more.
#[derive(Default)]
pub(super) struct Spares {
    kept: Apart<Mutex<Records>>,
    /// What was kept before and is taken now: so who keeps and who takes meet once for many records.
    taken: Apart<Mutex<Records>>,
}

type Records = Vec<Arc<TaskCell>>;

impl Spares {
    /// Keeps the record of a task that is forgotten, unless somebody still has it.
    pub(super) fn keep(&self, mut cell: Arc<TaskCell>) {
        // What the task has left behind is dropped here, and only then is the lock taken.
        if !Arc::get_mut(&mut cell).is_some_and(TaskCell::clear) {
            return;
        }
        let mut kept = lock(&self.kept);
        if kept.len() < MOST {
            kept.push(cell);
        }
    }

    pub(super) fn take(&self) -> Option<Arc<TaskCell>> {
        let mut taken = lock(&self.taken);
        if taken.is_empty() {
            std::mem::swap(&mut *taken, &mut *lock(&self.kept));
        }
        taken.pop()
    }
}

fn lock(records: &Mutex<Records>) -> MutexGuard<'_, Records> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Arguments, SessionId, TaskOutcome, TaskSpec, TaskStatus, Timestamp, ToolCall};

    fn ended(arguments: Arguments) -> Arc<TaskCell> {
        let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "tool", arguments));
        let cell = TaskCell::new(spec, Timestamp::default(), None, None);
        cell.begin(Timestamp::default());
        cell.request_cancel("enough".to_owned());
        cell.defer();
        cell.end(true);
        let settled = cell.settle(TaskOutcome::Completed(json!(1)), Timestamp::default());
        assert!(settled.is_some());
        cell
    }

    fn short() -> Arguments {
        Arguments::from_text("{}")
    }

    #[test]
    fn a_record_that_is_used_again_knows_nothing_of_the_task_before() {
        let (spares, before) = (Spares::default(), ended(short()));
        let (place, id) = (Arc::as_ptr(&before), before.spec.task);
        spares.keep(before);
        let spec = TaskSpec::new(SessionId::new("t"), ToolCall::new("call_2", "other", json!({})));
        let cell = TaskCell::renew(spares.take(), spec, Timestamp::from_millis(7), None);
        assert_eq!(Arc::as_ptr(&cell), place);
        let snapshot = cell.snapshot();
        assert_ne!(snapshot.task, id);
        assert_eq!((snapshot.session.as_str(), &*snapshot.tool), ("t", "other"));
        assert_eq!((snapshot.status, snapshot.started), (TaskStatus::Queued, None));
        assert_eq!(snapshot.accepted, Timestamp::from_millis(7));
        assert!(!snapshot.deferred && !cell.is_over() && !cell.is_cancelled());
        assert_eq!((cell.cancel_reason(), cell.attempts()), (None, 0));
        assert!(spares.take().is_none());
    }

    #[test]
    fn a_record_that_somebody_has_is_left_to_them() {
        let (spares, cell) = (Spares::default(), ended(short()));
        spares.keep(Arc::clone(&cell));
        assert!(spares.take().is_none());
        assert_eq!(cell.status(), TaskStatus::Completed);
        let child = Arc::downgrade(&cell);
        spares.keep(cell);
        assert!(spares.take().is_none());
        assert!(child.upgrade().is_none());
    }

    #[test]
    fn what_is_kept_takes_little_memory() {
        let spares = Spares::default();
        spares.keep(ended(Arguments::from_text(json!("a".repeat(1_000)).to_string())));
        // A value may be anything.
        spares.keep(ended(json!({}).into()));
        assert!(spares.take().is_none());
        for _ in 0..2 * MOST {
            spares.keep(ended(short()));
        }
        assert_eq!(std::iter::from_fn(|| spares.take()).count(), MOST);
    }
}
