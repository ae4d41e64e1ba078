//! Holdings of a task in the manager's queue: its position, its slot, and the waits in which it has neither.

use super::TaskCell;
use crate::manager::queue::{Slot, Ticket};

/// Position or slot of a task.
#[derive(Default)]
pub(crate) enum Holding {
    #[default]
    Nothing,
    /// Queue position; with a ticket if the task waits in the queue as data.
    Position(Option<Ticket>),
    Slot(Slot),
}

#[derive(Default)]
pub(super) struct Admission {
    holding: Holding,
    /// Number of open waits, for a child or an answer for example, during which the task holds nothing.
    waits: u32,
    /// True if the task had a slot when the waits began, and needs one after them.
    has_lent_slot: bool,
    /// True if the task had a queue position when the waits began.
    has_left_position: bool,
    /// True if the task was admitted to a full manager because it might need no slot.
    is_refused_when_full: bool,
}

impl Admission {
    pub(super) fn give_back(&mut self) -> Holding {
        self.has_lent_slot = false;
        std::mem::take(&mut self.holding)
    }

    pub(super) const fn holding(&self) -> &Holding {
        &self.holding
    }

    const fn holds_nothing(&self) -> bool {
        matches!(self.holding, Holding::Nothing)
    }

    const fn needs_slot(&self) -> bool {
        self.waits == 0 && self.has_lent_slot && !matches!(self.holding, Holding::Slot(_))
    }
}

/// Needs of a task after a wait.
pub(crate) struct Needs {
    /// True if it needs its queue position again, with [`retake_position`](TaskCell::retake_position).
    pub(crate) position: bool,
    pub(crate) slot: bool,
}

impl TaskCell {
    /// Takes the position or the slot from the task.
    pub(crate) fn give_back(&self) -> Holding {
        self.state().admission.give_back()
    }

    pub(crate) fn set_position(&self) {
        self.state().admission.holding = Holding::Position(None);
    }

    pub(crate) fn has_position(&self) -> bool {
        matches!(self.state().admission.holding, Holding::Position(_))
    }

    /// Takes the queue position from the task; true if it had one, with its ticket.
    pub(crate) fn take_position(&self) -> (bool, Option<Ticket>) {
        let mut state = self.state();
        match std::mem::take(&mut state.admission.holding) {
            Holding::Position(ticket) => (true, ticket),
            other => {
                state.admission.holding = other;
                (false, None)
            }
        }
    }

    /// Records the ticket of a task that waits in the queue; false if the task has lost its position meanwhile.
    pub(crate) fn set_ticket(&self, ticket: Ticket) -> bool {
        match &mut self.state().admission.holding {
            Holding::Position(known) => {
                *known = Some(ticket);
                true
            }
            Holding::Nothing | Holding::Slot(_) => false,
        }
    }

    /// Takes the ticket, but not the position.
    pub(crate) fn take_ticket(&self) -> Option<Ticket> {
        match &mut self.state().admission.holding {
            Holding::Position(ticket) => ticket.take(),
            Holding::Nothing | Holding::Slot(_) => None,
        }
    }

    /// Gives the task a slot. Returns its earlier holding, and the slot itself if the task no longer needs one.
    pub(crate) fn set_slot(&self, slot: Slot) -> (Holding, Option<Slot>) {
        let mut state = self.state();
        let is_needed = state.is_open() && !state.is_deferred;
        let admission = &mut state.admission;
        admission.has_lent_slot = false;
        if is_needed {
            return (std::mem::replace(&mut admission.holding, Holding::Slot(slot)), None);
        }
        let before = match std::mem::take(&mut admission.holding) {
            held @ Holding::Slot(_) => {
                admission.holding = held;
                Holding::Nothing
            }
            position => position,
        };
        (before, Some(slot))
    }

    /// Begins a wait; returns the holding of the task, which the caller gives back to the queue.
    pub(crate) fn begin_wait(&self) -> Holding {
        let admission = &mut self.state().admission;
        admission.waits += 1;
        let held = std::mem::take(&mut admission.holding);
        match held {
            Holding::Slot(_) => admission.has_lent_slot = true,
            Holding::Position(_) => admission.has_left_position = true,
            Holding::Nothing => {}
        }
        held
    }

    /// True during a wait.
    pub(crate) fn is_suspended(&self) -> bool {
        self.state().admission.waits > 0
    }

    /// Ends a wait.
    pub(crate) fn end_wait(&self) -> Needs {
        let admission = &mut self.state().admission;
        admission.waits -= 1;
        Needs {
            position: admission.waits == 0 && admission.has_left_position,
            slot: admission.needs_slot(),
        }
    }

    /// Retakes the queue position that the task left for a wait; false if it no longer needs one.
    pub(crate) fn retake_position(&self) -> bool {
        let mut state = self.state();
        let is_open = state.is_open();
        let admission = &mut state.admission;
        let is_due = std::mem::take(&mut admission.has_left_position) && is_open && admission.holds_nothing();
        if is_due {
            admission.holding = Holding::Position(None);
        }
        is_due
    }

    /// Takes a queue position for a task that has lent its slot; false if it holds something or has lent no slot.
    pub(crate) fn enlist(&self) -> bool {
        let admission = &mut self.state().admission;
        let is_due = admission.has_lent_slot && admission.holds_nothing();
        if is_due {
            admission.holding = Holding::Position(None);
        }
        is_due
    }

    /// True if all waits of the task are over and it lacks its slot.
    pub(crate) fn needs_slot(&self) -> bool {
        let state = self.state();
        state.is_open() && state.admission.needs_slot()
    }

    /// Takes the slot from a task that has begun to wait again: other tasks need it meanwhile.
    pub(crate) fn lend_if_waiting(&self) -> Option<Slot> {
        let admission = &mut self.state().admission;
        if admission.waits == 0 {
            return None;
        }
        match std::mem::take(&mut admission.holding) {
            Holding::Slot(slot) => {
                admission.has_lent_slot = true;
                Some(slot)
            }
            other => {
                admission.holding = other;
                None
            }
        }
    }

    pub(crate) fn refuse_when_full(&self) {
        self.state().admission.is_refused_when_full = true;
    }

    pub(crate) fn is_refused_when_full(&self) -> bool {
        self.state().admission.is_refused_when_full
    }
}
