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
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // Multiplying by an odd constant (that of Fibonacci hashing) and rotating spreads ids that only count up.
            self.0 = (self.0.rotate_left(29) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }
}
