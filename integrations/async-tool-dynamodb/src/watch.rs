//! Watches over owners of sessions that a claim was refused.
//!
//! # Invariants
//!
//! 1. **A lease is measured here, with a monotonic clock.** An owner counts as gone if its row did not change for a whole lease while this
//!    process looked at it. No clock of another process is read, so none can be wrong.
//! 2. **Unwatched time counts little.** A look adds at most a third of the lease to the silence. If the machine was suspended, or this
//!    process was stopped, the owner may have been, too, and gets time to wake up.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::owner::Row;

/// Number of leases for which an owner is watched after its sessions were last asked for.
const PATIENCE: u32 = 4;

#[derive(Debug, Default)]
pub(crate) struct Watches(HashMap<String, Watch>);

/// Observation of one owner.
#[derive(Debug)]
struct Watch {
    row: Row,
    looked: Instant,
    asked: Instant,
    /// Time for which the row has not changed.
    silence: Duration,
}

impl Watches {
    /// Notes an owner's row for a claim that wants its session. Returns the time for which the row must still not change; `None` if it has
    /// not changed for a whole lease.
    pub(crate) fn ask(&mut self, owner: &str, row: Row, now: Instant) -> Option<Duration> {
        let watch = self.0.entry(owner.to_owned()).or_insert(Watch {
            row,
            looked: now,
            asked: now,
            silence: Duration::ZERO,
        });
        watch.asked = now;
        watch.look(row, now);
        let left = watch.row.lease.saturating_sub(watch.silence);
        (!left.is_zero()).then_some(left)
    }

    /// Notes a look at an owner's row; `None` if it is gone.
    pub(crate) fn look(&mut self, owner: &str, row: Option<Row>, now: Instant) {
        match (row, self.0.get_mut(owner)) {
            (Some(row), Some(watch)) => watch.look(row, now),
            (Some(_), None) => {}
            (None, _) => {
                self.0.remove(owner);
            }
        }
    }

    /// Owners to look at. Forgets those whose sessions are not asked for any more.
    pub(crate) fn owners(&mut self, now: Instant) -> Vec<String> {
        self.0
            .retain(|_, watch| now.duration_since(watch.asked) < watch.row.lease.saturating_mul(PATIENCE));
        self.0.keys().cloned().collect()
    }

    /// Time to the next look.
    pub(crate) fn pace(&self) -> Option<Duration> {
        self.0.values().map(|watch| watch.row.lease / 4).min()
    }
}

impl Watch {
    fn look(&mut self, row: Row, now: Instant) {
        let passed = now.duration_since(self.looked).min(self.row.lease / 3);
        self.silence = match row.beats == self.row.beats {
            true => self.silence.saturating_add(passed),
            false => Duration::ZERO,
        };
        (self.row, self.looked) = (row, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    fn row(beats: u64) -> Row {
        Row { beats, lease: LEASE }
    }

    #[test]
    fn an_owner_is_gone_after_a_whole_lease_without_a_sign_of_life() {
        let (mut watches, begun) = (Watches::default(), Instant::now());
        assert_eq!(watches.ask("o", row(1), begun), Some(LEASE));
        for look in 1..4 {
            watches.look("o", Some(row(1)), begun + LEASE / 4 * look);
        }
        assert_eq!(watches.ask("o", row(1), begun + LEASE / 4 * 3), Some(LEASE / 4));
        assert_eq!(watches.ask("o", row(1), begun + LEASE), None);
    }

    #[test]
    fn a_sign_of_life_begins_the_watch_anew() {
        let (mut watches, begun) = (Watches::default(), Instant::now());
        watches.ask("o", row(1), begun);
        for look in 1..100 {
            let beats = 1 + u64::from(look) / 4;
            assert!(
                watches.ask("o", row(beats), begun + LEASE / 4 * look).is_some(),
                "{look}"
            );
        }
    }

    #[test]
    fn time_without_looks_counts_a_third_of_a_lease_at_most() {
        let (mut watches, begun) = (Watches::default(), Instant::now());
        watches.ask("o", row(1), begun);
        let woken = begun + LEASE * 100;
        assert_eq!(watches.ask("o", row(1), woken), Some(LEASE - LEASE / 3));
    }

    #[test]
    fn an_owner_that_is_not_asked_for_is_forgotten() {
        let (mut watches, begun) = (Watches::default(), Instant::now());
        watches.ask("o", row(1), begun);
        assert_eq!(watches.owners(begun + LEASE * 3), ["o"]);
        assert!(watches.owners(begun + LEASE * 4).is_empty());
        assert_eq!(watches.pace(), None);
    }
}
