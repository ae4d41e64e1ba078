//! Ring of the last changes, for any number of readers.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use axum::body::Bytes;
use tokio::sync::watch;

/// Changes that are kept.
const CHANGES: usize = 512;
/// Bytes of the changes that are kept.
const BYTES: usize = 4 * 1_024 * 1_024;

/// Ring of the last changes, for any number of readers.
pub(super) struct Feed {
    ring: Mutex<Ring>,
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    changes: VecDeque<Bytes>,
    bytes: usize,
    /// Number of the last change.
    last: u64,
}

/// Error of a reader whose next change is in the ring no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind;

impl Feed {
    pub(super) fn new() -> Self {
        Self {
            ring: Mutex::default(),
            last: watch::Sender::new(0),
        }
    }

    /// Adds a change.
    pub(super) fn push(&self, change: Bytes) {
        let last = {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.bytes += change.len();
            ring.changes.push_back(change);
            ring.last += 1;
            while ring.changes.len() > CHANGES || ring.bytes > BYTES {
                let Some(oldest) = ring.changes.pop_front() else { break };
                ring.bytes -= oldest.len();
            }
            ring.last
        };
        self.last.send_replace(last);
    }

    /// Number of the last change.
    pub(super) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// Signal of new changes.
    pub(super) fn signal(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// The next changes after one, at most `most`, each with its number.
    pub(super) fn after(&self, place: u64, most: usize) -> Result<Vec<(u64, Bytes)>, Behind> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = ring.last.checked_sub(place).ok_or(Behind)?;
        let missing = usize::try_from(missing).map_err(|_| Behind)?;
        let start = ring.changes.len().checked_sub(missing).ok_or(Behind)?;
        let changes = ring.changes.range(start..).cloned();
        Ok((place + 1..).zip(changes).take(most).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn every_reader_gets_each_change_once_and_in_order() {
        let feed = Feed::new();
        let mut places = [0; 3];
        let mut read: [Vec<u64>; 3] = Default::default();
        for round in 0..100_u64 {
            feed.push(change(&round.to_string()));
            for (reader, place) in places.iter_mut().enumerate() {
                // Readers of different speeds.
                if round % (reader as u64 + 1) == 0 {
                    for (number, bytes) in feed.after(*place, 2).unwrap() {
                        assert_eq!(bytes, (number - 1).to_string());
                        read[reader].push(number);
                        *place = number;
                    }
                }
            }
        }
        for numbers in &read {
            assert!(numbers.iter().copied().eq(1..=numbers.len() as u64));
        }
        assert_eq!(feed.after(feed.last(), 10), Ok(Vec::new()));
    }

    #[test]
    fn a_reader_that_is_behind_the_ring_is_told_so() {
        let feed = Feed::new();
        for round in 0..=CHANGES {
            feed.push(change(&round.to_string()));
        }
        assert_eq!(feed.after(0, 1), Err(Behind));
        assert_eq!(feed.after(1, 1).unwrap()[0].0, 2);
        assert_eq!(feed.after(feed.last() + 1, 1), Err(Behind), "a place of another ring");
    }

    #[test]
    fn the_ring_holds_a_bounded_number_of_bytes() {
        let feed = Feed::new();
        let large = Bytes::from(vec![b'x'; BYTES / 2 + 1]);
        feed.push(large.clone());
        feed.push(large);
        assert_eq!(feed.after(0, 1), Err(Behind));
        assert_eq!(feed.after(1, 1).unwrap().len(), 1);
    }
}
