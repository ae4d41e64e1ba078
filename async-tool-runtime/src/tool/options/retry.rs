//! Whether and when a call that failed is tried again.

use std::time::Duration;

/// Whether and when a call that failed is tried again.
///
/// Only errors that are [`retryable`](crate::tool::ToolError::retryable) are tried again, and only for tools whose effect
/// [is repeatable](crate::tool::Effect::is_repeatable), unless the error says that
/// [the work was not started](crate::tool::ToolError::with_not_started). Every attempt has the same idempotency key.
///
/// The pause before attempt *n* + 1 is drawn evenly from zero to `min(longest, first × 2ⁿ⁻¹)` ("full jitter"), and is at least what
/// the error's [`retry_after`](crate::tool::ToolError::retry_after) asks for. Source:
/// [Exponential Backoff and Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), AWS Architecture Blog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How many attempts there are in all, the first included; 0 is the same as 1.
    pub attempts: u32,
    /// The longest first pause. Default: 200 ms.
    pub first: Duration,
    /// The longest pause at all, unless an error asks for a longer one. Default: 10 s.
    pub longest: Duration,
    /// How long all attempts and the pauses between them may take. No attempt starts after that, and one that runs ends with a timeout.
    /// Default: without limit.
    pub total: Option<Duration>,
}

impl RetryPolicy {
    /// This many attempts in all, with the default pauses and no limit to the whole time.
    #[must_use]
    pub const fn new(attempts: u32) -> Self {
        Self {
            attempts,
            first: Duration::from_millis(200),
            longest: Duration::from_secs(10),
            total: None,
        }
    }

    /// The longest first pause, and the longest pause at all.
    #[must_use]
    pub const fn with_backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first = first;
        self.longest = longest;
        self
    }

    /// How long all attempts and the pauses between them may take.
    #[must_use]
    pub const fn with_total(mut self, total: Duration) -> Self {
        self.total = Some(total);
        self
    }
}
