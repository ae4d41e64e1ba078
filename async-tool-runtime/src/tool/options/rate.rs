//! How many attempts may start in a span of time.

use std::{sync::Arc, time::Duration};

/// How many times a tool may be started within any span of time of a given length.
///
/// Every attempt counts, because whoever set the quota counts requests. The window slides: in no span of that length are there more starts,
/// wherever it begins. What comes beyond that waits, without a slot, in the order in which it came; while it waits, it counts as one of
/// those the [queue](crate::manager::AsyncToolManagerBuilder::queue_capacity) has room for.
///
/// The starts of the last window are remembered, with 16 bytes each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// How many calls.
    pub calls: u32,
    /// The length of the window.
    pub per: Duration,
    /// The name under which tools share the limit; `None` if it is the tool's own.
    pub key: Option<Arc<str>>,
}

impl RateLimit {
    /// At most this many calls in any window of this length.
    #[must_use]
    pub const fn new(calls: u32, per: Duration) -> Self {
        Self { calls, per, key: None }
    }

    /// The same limit, shared by all tools that name this key: calls of one use up what is left for the others. Tools that share
    /// a key must have the same limit.
    #[must_use]
    pub fn shared(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }
}
