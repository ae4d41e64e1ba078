//! Lanes: tracks on which slices don't overlap.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

/// Gives each slice the lowest lane that is free at its start. Slices come in the order of their starts.
#[derive(Default)]
pub(super) struct Lanes {
    busy: BinaryHeap<Reverse<(u64, u64)>>,
    free: BTreeSet<u64>,
    count: u64,
}

impl Lanes {
    /// Takes a lane from `start` to `end`.
    pub(super) fn take(&mut self, start: u64, end: u64) -> u64 {
        while let Some(Reverse((until, lane))) = self.busy.peek().copied() {
            if until > start {
                break;
            }
            self.busy.pop();
            self.free.insert(lane);
        }
        let lane = self.free.pop_first().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.busy.push(Reverse((end, lane)));
        lane
    }

    /// Number of lanes that were taken.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_share_a_lane_only_one_after_the_other() {
        let mut lanes = Lanes::default();
        let taken = [(0, 10), (0, 5), (5, 8), (6, 7), (8, 20), (10, 11)].map(|(start, end)| lanes.take(start, end));
        assert_eq!(taken, [0, 1, 1, 2, 1, 0]);
        assert_eq!(lanes.count(), 3);
    }
}
