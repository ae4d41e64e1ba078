//! What is of use again, once it has been used.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::apart::Apart;

/// As many as are used in a bunch, before the first of them comes back.
pub(super) const MOST: usize = 64;

/// Things that are put back by one thread, and mostly taken by another one.
pub(super) struct Shelf<T>(Apart<Mutex<Kept<T>>>);

struct Kept<T> {
    things: Vec<T>,
    most: usize,
}

impl<T> Shelf<T> {
    /// Keeps a thing, unless there are enough; gives it back then.
    pub(super) fn keep(&self, thing: T) -> Option<T> {
        let mut kept = self.lock();
        if kept.things.len() >= kept.most {
            return Some(thing);
        }
        kept.things.push(thing);
        None
    }

    /// Takes a thing out of those that were `taken` together before: so whoever keeps and whoever takes meet once for many. Its lock comes after
    /// that of whoever has those.
    #[inline]
    pub(super) fn take(&self, taken: &mut Vec<T>) -> Option<T> {
        if taken.is_empty() {
            std::mem::swap(taken, &mut self.lock().things);
        }
        taken.pop()
    }

    /// Keeps nothing any more; gives what it had.
    pub(super) fn close(&self) -> Vec<T> {
        let mut kept = self.lock();
        kept.most = 0;
        std::mem::take(&mut kept.things)
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Apart(Mutex::new(Kept {
            things: Vec::new(),
            most: MOST,
        })))
    }
}
