//! Waits of a task, as its snapshot and the events show them.

use std::sync::{Arc, Weak};

use super::{Holding, TaskCell, throttle::Throttle};
use crate::{
    policy::Held,
    task::{NamedTask, WaitsFor},
    tool::InputRequest,
};

/// Wait that code of the manager has entered.
pub(crate) enum Wait {
    /// For something that doesn't change meanwhile.
    For(WaitsFor),
    /// For the holders of resources, which change.
    Resources(Weak<Held>),
}

/// Open waits of a task, and the publication of their changes.
#[derive(Default)]
pub(super) struct Waits {
    /// The waits that were entered, by number; the latest one is shown.
    open: Vec<(u32, Wait)>,
    last: u32,
    /// Publication of their changes.
    pub(super) published: Throttle,
}

impl TaskCell {
    /// Enters a wait; returns its number.
    pub(crate) fn enter_wait(&self, wait: Wait) -> u32 {
        let mut state = self.state();
        let waits = &mut state.extras().waits;
        waits.last = waits.last.wrapping_add(1);
        let number = waits.last;
        waits.open.push((number, wait));
        number
    }

    /// Removes a wait.
    pub(crate) fn leave_wait(&self, number: u32) {
        let mut state = self.state();
        let Some(extras) = &mut state.extras else { return };
        let open = &mut extras.waits.open;
        let place = open.iter().position(|(known, _)| *known == number);
        let left = place.map(|place| open.remove(place));
        drop(state);
        drop(left);
    }

    /// Cause of the task's wait; `None` while it runs, and once it has ended.
    pub(crate) fn waits_for(self: &Arc<Self>) -> Option<WaitsFor> {
        if self.has_ended() {
            return None;
        }
        let runs = self.working();
        if !Arc::ptr_eq(self, &runs)
            && let Some(wait) = runs.own_wait()
        {
            return Some(wait);
        }
        self.own_wait()
    }

    /// Cause of the wait of this record, without that of its shared run.
    fn own_wait(&self) -> Option<WaitsFor> {
        let resources = {
            let state = self.state();
            let extras = state.extras.as_deref();
            let asked = extras.and_then(|extras| extras.questions.request());
            let until = extras.and_then(|extras| extras.deferred_until);
            let entered = extras.and_then(|extras| extras.waits.open.last());
            match (asked, entered) {
                (Some(InputRequest::Approval { .. }), _) => return Some(WaitsFor::Consent),
                (Some(InputRequest::Input { .. }), _) => return Some(WaitsFor::Input),
                _ if state.is_deferred => {
                    let until = until.map(|until| until.time);
                    return Some(WaitsFor::Outside { until });
                }
                (None, Some((_, Wait::For(WaitsFor::Result { .. })))) => {
                    let open = extras.into_iter().flat_map(|extras| &extras.waits.open);
                    let results = open.filter_map(|(_, wait)| match wait {
                        Wait::For(WaitsFor::Result { of }) => Some(of),
                        _ => None,
                    });
                    let of = results.flatten().cloned().collect();
                    return Some(WaitsFor::Result { of });
                }
                (None, Some((_, Wait::For(wait)))) => return Some(wait.clone()),
                (None, Some((_, Wait::Resources(held)))) => Weak::clone(held),
                (None, None) => {
                    let is_queued = matches!(state.admission.holding(), Holding::Position(_));
                    // A task with layers before the queue has its position from the start.
                    let is_data = self.layers.as_ref().is_some_and(|layers| layers.outer.is_none());
                    return (is_queued && is_data).then_some(WaitsFor::Slot);
                }
            }
        };
        let held = resources.upgrade()?;
        let manager = self.manager()?;
        let named = |task| manager.tasks().find(task).map(|cell| cell.named());
        let mut held_by: Vec<NamedTask> = held.waits_for().into_iter().filter_map(named).collect();
        held_by.dedup();
        Some(WaitsFor::Resource { held_by })
    }
}
