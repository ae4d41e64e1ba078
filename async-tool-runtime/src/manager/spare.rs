//! Records of forgotten tasks, for new ones.
//!
//! A record is made by the thread that submits, and mostly forgotten by another one. If it went back to the allocator, both would
//! need the lock of the same part of that for every task, and wait for each other.

use std::sync::Arc;

use super::shelf::Shelf;
use crate::task::TaskCell;

/// Records that nobody has any more.
#[derive(Default)]
pub(super) struct Spares(Shelf<Arc<TaskCell>>);

impl Spares {
    /// Keeps the record of a task that is forgotten, unless somebody still has it.
    pub(super) fn keep(&self, mut cell: Arc<TaskCell>) {
        // What the task has left behind is dropped here, and only then is the lock taken.
        if Arc::get_mut(&mut cell).is_some_and(TaskCell::clear) {
            drop(self.0.keep(cell));
        }
    }

    /// Takes a record, as [`Shelf::take`] does.
    #[inline]
    pub(super) fn take(&self, taken: &mut Vec<Arc<TaskCell>>) -> Option<Arc<TaskCell>> {
        self.0.take(taken)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::shelf::MOST, *};
    use crate::{
        Arguments, IdempotencyKey, SessionId, TaskId, TaskNo, TaskOutcome, TaskSpec, TaskStatus, Timestamp, ToolCall,
        TurnNo, task::Beginning,
    };

    /// A task that has had all that a task can have.
    fn ended(arguments: Arguments) -> Arc<TaskCell> {
        let call = ToolCall::new("call_1", "tool", arguments);
        let spec = TaskSpec {
            parent: Some(TaskId::new()),
            idempotency_key: Some(IdempotencyKey::new(TaskId::new())),
            ..TaskSpec::new(SessionId::new("s"), call)
                .with_number(TaskNo::new(1))
                .with_turn(TurnNo::new(1))
                .with_attempt(2)
                .with_deadline(Timestamp::from_millis(8))
        };
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

    fn take(spares: &Spares) -> Option<Arc<TaskCell>> {
        spares.take(&mut Vec::new())
    }

    fn beginning(spare: Option<Arc<TaskCell>>) -> Beginning<'static> {
        Beginning {
            accepted: Timestamp::from_millis(7),
            path: None,
            slot: None,
            spare,
        }
    }

    /// A record that has been used, with what there was to do taken by `renew`.
    fn used_again(renew: impl FnOnce(Beginning<'_>) -> Arc<TaskCell>) {
        let (spares, before) = (Spares::default(), ended(short()));
        let (place, id) = (Arc::as_ptr(&before), before.spec.task);
        spares.keep(before);
        let cell = renew(beginning(take(&spares)));
        assert_eq!(Arc::as_ptr(&cell), place);
        let snapshot = cell.snapshot();
        assert_ne!(snapshot.task, id);
        assert_eq!((snapshot.session.as_str(), &*snapshot.tool), ("t", "other"));
        assert_eq!((snapshot.status, snapshot.started), (TaskStatus::Queued, None));
        assert_eq!(snapshot.accepted, Timestamp::from_millis(7));
        assert!(!snapshot.deferred && !cell.is_over() && !cell.is_cancelled());
        assert_eq!((cell.cancel_reason(), cell.attempts()), (None, 0));
        assert!(take(&spares).is_none());
    }

    fn other() -> (SessionId, ToolCall) {
        (SessionId::new("t"), ToolCall::new("call_2", "other", json!({})))
    }

    #[test]
    fn a_record_that_is_used_again_knows_nothing_of_the_task_before() {
        let (session, call) = other();
        used_again(|beginning| TaskCell::renew(beginning, TaskSpec::new(session, call)));
    }

    #[test]
    fn a_record_that_is_used_again_for_a_call_has_what_a_new_one_has() {
        let (session, call) = other();
        let deadline = Some(Timestamp::from_millis(9));
        used_again(|beginning| {
            let cell = TaskCell::renew_for(beginning, &session, call.clone(), deadline);
            let new = TaskCell::renew_for(super::tests::beginning(None), &session, call.clone(), deadline);
            assert_eq!(cell.spec, new.spec.clone().with_task(cell.spec.task));
            assert_eq!(
                cell.spec,
                TaskSpec {
                    deadline,
                    ..TaskSpec::named(cell.spec.task, session, call)
                }
            );
            cell
        });
    }

    #[test]
    fn a_record_that_somebody_has_is_left_to_them() {
        let (spares, cell) = (Spares::default(), ended(short()));
        spares.keep(Arc::clone(&cell));
        assert!(take(&spares).is_none());
        assert_eq!(cell.status(), TaskStatus::Completed);
        let child = Arc::downgrade(&cell);
        spares.keep(cell);
        assert!(take(&spares).is_none());
        assert!(child.upgrade().is_none());
    }

    #[test]
    fn what_is_kept_takes_little_memory() {
        let spares = Spares::default();
        spares.keep(ended(Arguments::from_text(json!("a".repeat(1_000)).to_string())));
        // A value may be anything.
        spares.keep(ended(json!({}).into()));
        assert!(take(&spares).is_none());
        for _ in 0..2 * MOST {
            spares.keep(ended(short()));
        }
        let mut taken = Vec::new();
        assert_eq!(std::iter::from_fn(|| spares.take(&mut taken)).count(), MOST);
    }
}
