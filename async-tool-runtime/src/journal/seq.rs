//! Position of an entry.

use serde::{Deserialize, Serialize};

/// Position of an entry in its session: the first is 1, and 0 is "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// Before the first entry.
    pub const START: Self = Self(0);

    /// Position with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Number of the position.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}
