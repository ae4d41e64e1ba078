//! A hash for keys that nobody chooses to do harm.

use std::hash::Hasher;

/// Hashes quickly, and is no defence against keys that were chosen to collide: for ids, which no model chooses and half of whose bits are
/// mixed already (see [`TaskId::new`](crate::TaskId::new)), and for looking names up in a table that never changes.
#[derive(Default)]
pub(crate) struct QuickHasher(u64);

impl Hasher for QuickHasher {
    fn finish(&self) -> u64 {
        // Tables take the low bits, which the multiplication has mixed the least.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        // A loop, because a copy of so few bytes takes a call.
        let rest = rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        self.add(rest);
    }

    /// An id, half of whose bits are mixed already.
    #[expect(clippy::cast_possible_truncation, reason = "the other half was added to this one")]
    fn write_u128(&mut self, id: u128) {
        self.add((id ^ (id >> 64)) as u64);
    }

    /// What ends a text when it is hashed.
    fn write_u8(&mut self, byte: u8) {
        self.add(byte.into());
    }
}

impl QuickHasher {
    fn add(&mut self, word: u64) {
        // Multiplying by an odd constant (that of Fibonacci hashing) and rotating spreads ids that only count up.
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}
