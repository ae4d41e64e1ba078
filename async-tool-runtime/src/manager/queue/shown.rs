//! State of the slots and the queue, for a display.

use super::{Queue, Share};
use crate::manager::snapshot::{QueueSnapshot, SessionSlots, SlotUse, SlotsSnapshot, WaitingTasks, limited};

impl<T> Queue<T> {
    /// Use of the slots.
    pub(in crate::manager) fn slots(&self) -> SlotsSnapshot {
        SlotsSnapshot {
            slots: SlotUse::new(self.slots, self.running),
            session_limit: limited(self.session_limit),
            blocking: SlotUse::new(self.blocking.limit, self.blocking.running),
        }
    }

    /// Use of the tools' own limits; the first is of all tools without one.
    pub(in crate::manager) fn limits(&self) -> Vec<SlotUse> {
        let tools = self.tools.iter();
        tools.map(|tool| SlotUse::new(tool.limit, tool.running)).collect()
    }

    /// Waiting tasks by session and priority.
    pub(in crate::manager) fn snapshot(&self) -> QueueSnapshot {
        let mut by_priority = WaitingTasks::default();
        let mut sessions = Vec::with_capacity(self.active);
        for (session, share) in &self.by_session {
            let share = &self.shares[*share];
            if !share.is_active() {
                continue;
            }
            let waiting = share.waiting_tasks();
            by_priority.resumed += waiting.resumed;
            by_priority.high += waiting.high;
            by_priority.normal += waiting.normal;
            by_priority.low += waiting.low;
            sessions.push(SessionSlots {
                session: session.clone(),
                weight: share.weight,
                running: share.running,
                waiting,
            });
        }
        sessions.sort_by(|one, other| one.session.as_str().cmp(other.session.as_str()));
        QueueSnapshot {
            waiting: self.waiting,
            positions: self.positions,
            capacity: limited(self.capacity),
            by_priority,
            sessions,
        }
    }
}

impl<T> Share<T> {
    fn waiting_tasks(&self) -> WaitingTasks {
        let mut tasks = WaitingTasks::default();
        for bucket in &self.buckets {
            let count = match bucket.class {
                0 => &mut tasks.resumed,
                1 => &mut tasks.high,
                2 => &mut tasks.normal,
                _ => &mut tasks.low,
            };
            *count += bucket.waiting.len();
        }
        tasks
    }
}
