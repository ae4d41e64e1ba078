//! Which values are given again.

use std::time::Duration;

/// Which values of a tool are kept, and given again to calls with the same arguments.
///
/// Only tools whose effect is [`Effect::Read`](crate::tool::Effect::Read) can have one, and only values are kept, never errors. What a function
/// gives after it was told to stop, or when its time was up, may be a part of a value: its own task has it, and it is not kept. The key is
/// the name of the tool and the arguments as JSON values, so the order of keys doesn't count; whose calls share values is the
/// tool's [`Scope`](crate::policy::Scope).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachePolicy {
    /// How long a value is given again, from when it came.
    pub ttl: Duration,
    /// How many values are kept at most. Default: 1,024.
    pub capacity: usize,
}

impl CachePolicy {
    /// Keeps values for this long.
    #[must_use]
    pub const fn new(ttl: Duration) -> Self {
        Self { ttl, capacity: 1024 }
    }

    /// How many values are kept at most.
    #[must_use]
    pub const fn with_capacity(mut self, values: usize) -> Self {
        self.capacity = values;
        self
    }
}
