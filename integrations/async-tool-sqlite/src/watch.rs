//! Watches over owners of sessions that a claim was refused.
//!
//! # Invariants
//!
//! 1. **A lease is measured here, with a monotonic clock.** An owner counts as gone if its row did not change for a whole
//!    lease while this process looked at it. No clock of another process is read, so none can be wrong.
//! 2. **Unwatched time counts little.** A look adds at most a third of the lease to the silence. If the
//!    machine was suspended, or this process was stopped, the owner may have been, too, and gets time to wake up.
//! 3. The writer thread looks every quarter of a lease, so a caller need not try again meanwhile.

use std::{collections::HashMap, time::Duration};

use rusqlite::Connection;

use crate::owner::Other;

/// Number of leases for which an owner is watched after its sessions were last asked for.
const PATIENCE: u32 = 4;

#[derive(Debug, Default)]
pub(crate) struct Watches(HashMap<i64, Watch>);

/// Observation of one owner.
#[derive(Debug)]
struct Watch {
    /// Sign of life in the owner's row.
    beat: i64,
    lease: Duration,
    looked: Duration,
    asked: Duration,
    /// Time for which the row has not changed.
    silence: Duration,
}

impl Watch {
    fn look(&mut self, beat: i64, now: Duration) {
        let passed = now.saturating_sub(self.looked).min(self.lease / 3);
        self.silence = if beat == self.beat {
            self.silence.saturating_add(passed)
        } else {
            Duration::ZERO
        };
        (self.beat, self.looked) = (beat, now);
    }
}

impl Watches {
    /// Looks at an owner whose session is asked for. Returns the time for which it must still be silent; `None` if it has
    /// been silent for a whole lease.
    pub(crate) fn ask(&mut self, number: i64, owner: &Other, now: Duration) -> Option<Duration> {
        let watch = self.0.entry(number).or_insert_with(|| Watch {
            beat: owner.beat(),
            lease: owner.lease(),
            looked: now,
            asked: now,
            silence: Duration::ZERO,
        });
        watch.asked = now;
        watch.look(owner.beat(), now);
        let left = watch.lease.saturating_sub(watch.silence);
        (!left.is_zero()).then_some(left)
    }

    /// Looks at all watched owners.
    pub(crate) fn look(&mut self, connection: &Connection, now: Duration) {
        self.0.retain(|number, watch| {
            match Other::find(connection, *number) {
                Ok(Some(owner)) => watch.look(owner.beat(), now),
                Ok(None) => return false,
                // Not looked at, so the time doesn't count in full.
                Err(_) => {}
            }
            now.saturating_sub(watch.asked) < watch.lease.saturating_mul(PATIENCE)
        });
    }

    /// Time until the next look is due.
    pub(crate) fn next_look(&self, now: Duration) -> Option<Duration> {
        let due = self
            .0
            .values()
            .map(|watch| watch.looked.saturating_add(watch.lease / 4));
        due.min().map(|due| due.saturating_sub(now))
    }
}
