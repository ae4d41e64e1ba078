//! Shared state of a simulation.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
    time::Duration,
};

use tokio::{task::yield_now, time::sleep};

use crate::{
    journal::MemoryJournal,
    session::SessionId,
    testing::{dice::Dice, faults::Faults, recorder::Recorder},
};

/// State that a [`Sim`](super::Sim), its tools, models and journals share.
pub(in crate::testing) struct World {
    pub(in crate::testing) seed: u64,
    pub(in crate::testing) dice: Arc<Dice>,
    pub(in crate::testing) tools_take: Duration,
    pub(in crate::testing) model_takes: Duration,
    pub(in crate::testing) journal_takes: Duration,
    pub(in crate::testing) faults: Faults,
    pub(in crate::testing) recorder: Recorder,
    pub(in crate::testing) journal: Arc<Kept>,
    pub(in crate::testing) agents: AtomicU32,
}

/// Entries of the world's journal, and its sessions.
#[derive(Default)]
pub(in crate::testing) struct Kept {
    pub(super) journal: MemoryJournal,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
pub(super) struct Sessions {
    /// In the order in which they began. That order is the same in every run, while session ids may be random.
    pub(super) names: Vec<SessionId>,
    pub(super) failures: HashMap<SessionId, u32>,
}

impl World {
    /// Random number from 0 to below `end`; 0 if `end` is 0.
    pub(super) fn pick(&self, end: usize) -> usize {
        self.dice.below(end as u64) as usize
    }

    /// True with this chance, from 0 to 1.
    pub(super) fn chance(&self, chance: f64) -> bool {
        // A fault that is off draws no number, so that adding a new kind of fault leaves the runs of existing seeds unchanged.
        chance > 0.0 && self.dice.fraction() < chance
    }

    /// Waits for a random virtual time of up to `longest`.
    pub(super) async fn pause(&self, longest: Duration) {
        let pause = self.some_time(longest);
        self.wait(pause).await;
    }

    /// Random time of up to `longest`.
    pub(super) fn some_time(&self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let magnitudes = u64::from(u64::BITS - longest.leading_zeros());
        // One in three is zero: tests with real clocks never see two events at the same instant.
        if longest == 0 || self.dice.below(3) == 0 {
            return Duration::ZERO;
        }
        let below = 1_u64
            .checked_shl(self.dice.below(magnitudes + 1) as u32)
            .unwrap_or(u64::MAX);
        Duration::from_millis(self.dice.below(below.saturating_add(1)).min(longest))
    }

    /// Waits for a time that was drawn; zero yields to other tasks, up to three times.
    pub(super) async fn wait(&self, pause: Duration) {
        if pause.is_zero() {
            for _ in 0..self.dice.below(4) {
                yield_now().await;
            }
        } else {
            sleep(pause).await;
        }
    }
}

impl Kept {
    pub(super) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
