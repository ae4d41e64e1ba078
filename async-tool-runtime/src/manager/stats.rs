//! Counts of a manager.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

use super::{AsyncToolManager, Inner, counters::Count};
use crate::policy::Breaker;

/// Counts of a manager: of what it has done, and of what is open now.
///
/// The counts are taken one after the other while tasks go on, so they may not add up to the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ManagerStats {
    /// Tasks that wait for their first slot, for a resource, for their rate or for their next attempt. Those that ask people or were
    /// deferred are not among them.
    pub waiting: usize,
    /// The waiting tasks that need a resource which another task reads or writes.
    pub waiting_for_resources: usize,
    /// Slots that are taken.
    pub running: usize,
    /// Tasks that have not ended.
    pub open: usize,
    /// Functions that were told to stop, go on all the same, and can't be dropped. Their slots are given to others.
    pub quarantined: usize,
    /// The tools whose circuit breaker turns calls away now: not those whose cooldown has passed, whose next call is let through to try.
    pub open_breakers: Vec<Arc<str>>,
    /// Tasks accepted since the manager was built.
    pub accepted: u64,
    /// Calls refused: unknown tools, arguments that don't fit, no room, duplicates.
    pub rejected: u64,
    /// Tasks that ended with a value.
    pub completed: u64,
    /// Tasks that ended with an error.
    pub failed: u64,
    /// Tasks that were cancelled.
    pub cancelled: u64,
    /// Tasks of which nobody can say how they ended.
    pub unknown: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Calls that were refused because the tool's circuit breaker was open.
    pub breaker_refusals: u64,
    /// Calls that were given a value that had been kept.
    pub cache_hits: u64,
    /// Calls for which a value was looked for and not found.
    pub cache_misses: u64,
    /// Calls that joined another one's run.
    pub shared: u64,
}

impl Inner {
    /// Counts an event of a call of this tool.
    pub(crate) fn count(&self, tool: &str, what: Count) {
        self.counters.count(tool, what);
    }
}

impl AsyncToolManager {
    /// Counts of the manager. Takes time that grows with the number of tasks the manager remembers: to be
    /// asked now and then, and not for every call.
    #[must_use]
    pub fn stats(&self) -> ManagerStats {
        let Inner {
            counters,
            executor,
            quarantine,
            conflicts,
            ..
        } = &*self.inner;
        let (waiting, running) = {
            let queue = self.inner.queue();
            (queue.positions(), queue.running())
        };
        let (open, accepted) = {
            let tasks = self.inner.tasks();
            (tasks.unsettled_count(), tasks.accepted())
        };
        let breakers = executor
            .all_layers()
            .values()
            .filter_map(|layers| layers.breaker.as_ref());
        let mut open_breakers: Vec<_> = breakers
            .filter(|breaker| breaker.turns_away())
            .map(Breaker::tool)
            .cloned()
            .collect();
        open_breakers.sort();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ManagerStats {
            waiting,
            waiting_for_resources: conflicts.waiting(),
            running,
            open,
            quarantined: quarantine.count(),
            open_breakers,
            accepted,
            rejected: get(&counters.rejected),
            completed: get(&counters.completed),
            failed: get(&counters.failed),
            cancelled: get(&counters.cancelled),
            unknown: get(&counters.unknown),
            retries: get(&counters.retries),
            breaker_refusals: get(&counters.breaker_refusals),
            cache_hits: get(&counters.cache_hits),
            cache_misses: get(&counters.cache_misses),
            shared: get(&counters.shared),
        }
    }
}
