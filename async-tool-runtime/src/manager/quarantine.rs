//! Code that was told to stop and goes on.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Code that was told to stop and goes on, counted until it returns.
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
