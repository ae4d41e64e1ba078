//! How many calls may start in a span of time.

use std::{sync::Arc, time::Duration};

/// How many calls of a tool may start within any span of time of a given length.
///
/// The window slides: in no span of that length do more calls start, wherever it begins. Calls beyond that wait, without a
/// slot, in the order in which they came.
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
