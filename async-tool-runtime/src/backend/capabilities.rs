//! Capabilities of an engine.

use std::time::Duration;

/// Capabilities of an engine.
///
/// ```
/// use async_tool_runtime::backend::BackendCapabilities;
/// use std::time::Duration;
///
/// let capabilities = BackendCapabilities::default()
///     .with_durable(true)
///     .with_cancel_latency(Duration::from_secs(1))
///     .with_max_payload(2 * 1024 * 1024)
///     .with_retention(Duration::from_secs(24 * 3600));
/// assert!(capabilities.durable);
/// assert_eq!(capabilities.max_payload, Some(2_097_152));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackendCapabilities {
    /// True if tasks survive the process that submitted them. Default: false.
    pub durable: bool,
    /// Time until a running tool hears of a cancellation. The manager waits this much longer for its end. Default: 0.
    pub cancel_latency: Duration,
    /// Most bytes of JSON that a [`TaskSpec`](crate::task::TaskSpec) or a [`Settlement`](super::Settlement) may have.
    /// Default: no limit.
    pub max_payload: Option<usize>,
    /// Time for which an ended task can be found. An older task that an earlier process may have submitted is not
    /// submitted again, because the engine may have forgotten that it ran. Default: for ever.
    pub retention: Option<Duration>,
}

impl BackendCapabilities {
    /// Sets whether tasks survive the process that submitted them.
    #[must_use]
    pub const fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Sets the time until a running tool hears of a cancellation.
    #[must_use]
    pub const fn with_cancel_latency(mut self, latency: Duration) -> Self {
        self.cancel_latency = latency;
        self
    }

    /// Sets the most bytes of JSON that a task or its end may have.
    #[must_use]
    pub const fn with_max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = Some(bytes);
        self
    }

    /// Sets the time for which an ended task can be found.
    #[must_use]
    pub const fn with_retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }
}
