//! Count of functions that were told to stop and still run.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Count of functions that were told to stop and still run; each is counted until it returns.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(AtomicUsize);

impl Quarantine {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
