//! How a record begins: new, or in the place of one that is of no use any more.

use std::sync::{Arc, OnceLock, PoisonError, atomic::AtomicBool};

use tokio::sync::SetOnce;

use super::{Mutex, TaskCell};
use crate::{
    SessionId, TaskId, TaskSpec, Timestamp, ToolCall,
    manager::{Path, Slot},
    tool::CancellationToken,
};

/// What a record has from the beginning, besides what there is to do.
pub(crate) struct Beginning<'a> {
    pub(crate) accepted: Timestamp,
    /// The way of its tool's calls.
    pub(crate) path: Option<&'a Arc<Path>>,
    pub(crate) slot: Option<Slot>,
    /// A record that has been [cleared](TaskCell::clear).
    pub(crate) spare: Option<Arc<TaskCell>>,
}

impl TaskCell {
    pub(crate) fn new(
        spec: TaskSpec,
        accepted: Timestamp,
        cancellation: Option<CancellationToken>,
        path: Option<Arc<Path>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            spec,
            accepted,
            cancellation: cancellation.map(OnceLock::from).unwrap_or_default(),
            path,
            result: SetOnce::new(),
            deferred: AtomicBool::new(false),
            run: Mutex::default(),
            more: OnceLock::new(),
        })
    }

    /// A record in the place of the spare one, if there is one that nobody else has.
    pub(crate) fn renew(beginning: Beginning<'_>, spec: TaskSpec) -> Arc<Self> {
        beginning.renew(spec, |place, spec| *place = spec, |spec| spec)
    }

    /// The same for a first attempt at a call. What it is to do is made where it stays, and not copied there.
    #[inline(always)]
    pub(crate) fn renew_for(
        beginning: Beginning<'_>,
        session: &SessionId,
        call: ToolCall,
        deadline: Option<Timestamp>,
    ) -> Arc<Self> {
        let task = TaskId::at(beginning.accepted);
        beginning.renew(
            call,
            |place, call| place.rename(task, session, call, deadline),
            |call| {
                let mut spec = TaskSpec::named(task, session.clone(), call);
                spec.deadline = deadline;
                spec
            },
        )
    }

    /// Drops what the task has come to, and keeps what it was to do; false if that is too much to be kept for the next one.
    pub(crate) fn clear(&mut self) -> bool {
        let Self {
            spec,
            accepted: _,
            cancellation,
            path: _,
            result,
            deferred,
            run,
            more,
        } = self;
        *cancellation = OnceLock::new();
        *result = SetOnce::new();
        *deferred = AtomicBool::new(false);
        *run = Mutex::default();
        *more = OnceLock::new();
        spec.call.arguments.is_short()
    }
}

impl Beginning<'_> {
    #[inline(always)]
    fn renew<W>(
        self,
        what: W,
        replace: impl FnOnce(&mut TaskSpec, W),
        make: impl FnOnce(W) -> TaskSpec,
    ) -> Arc<TaskCell> {
        let Self {
            accepted,
            path,
            slot,
            spare,
        } = self;
        if let Some(mut cell) = spare
            && let Some(place) = Arc::get_mut(&mut cell)
        {
            replace(&mut place.spec, what);
            place.accepted = accepted;
            // Mostly it is the same, and counting its owners is not for nothing.
            let is_same = place.path.as_ref().zip(path).is_some_and(|(a, b)| Arc::ptr_eq(a, b));
            if !is_same {
                place.path = path.cloned();
            }
            let run = place.run.get_mut().unwrap_or_else(PoisonError::into_inner);
            run.seat.slot = slot;
            return cell;
        }
        let cell = TaskCell::new(make(what), accepted, None, path.cloned());
        cell.seat(|seat| seat.slot = slot);
        cell
    }
}
