//! A counter of tools that run at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Number of guards that are alive, and the most that were alive at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crowd(Arc<(AtomicUsize, AtomicUsize)>);

/// Guard that counts until it is dropped.
pub(crate) struct Inside(Crowd);

impl Crowd {
    pub(crate) fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
