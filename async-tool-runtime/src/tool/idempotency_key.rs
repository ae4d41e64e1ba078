//! The key that all attempts of a task have in common.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::TaskId;

/// A key that is the same on every attempt of a task and for no other task: give it to a service that promises to do
/// a thing once per key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(TaskId);

impl IdempotencyKey {
    pub(crate) const fn new(task: TaskId) -> Self {
        Self(task)
    }

    /// The key of a call below a task: the same whenever the task, tried again, makes that call again.
    ///
    /// FNV-1a with 128 bits, which stays what it is from one release to the next; std's hashers need not.
    pub(crate) fn below(self, ordinal: u32, tool: &str, arguments: &str) -> Self {
        const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let parts = [
            &self.0.as_u128().to_be_bytes()[..],
            &ordinal.to_be_bytes(),
            tool.as_bytes(),
            &[0],
            arguments.as_bytes(),
        ];
        let hash = parts
            .into_iter()
            .flatten()
            .fold(BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME));
        // As a UUID of version 8, which is for hashes of one's own.
        let bits = (hash & !(0xf << 76) & !(0x3 << 62)) | (0x8 << 76) | (0x2 << 62);
        Self(TaskId::from_u128(bits))
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
