//! When a tool that fails is left alone.

use std::time::Duration;

/// When a tool that fails is left alone for a while.
///
/// After `failures` failed calls in a row (closed), every call fails at once with
/// [`ToolErrorKind::Unavailable`](crate::tool::ToolErrorKind::Unavailable) and says when to come back (open). After `cooldown` one call
/// is let through as a probe (half-open): if it succeeds the tool is called as before, otherwise the next cooldown begins. A probe that
/// takes longer than `cooldown`, because it waits for people or for a result from outside for instance, keeps nobody out: the next
/// call after that is a probe too, and whichever of them ends first decides.
///
/// An error that says that another try can't help ([`with_retryable(false)`](crate::tool::ToolError::with_retryable)) is an answer: "no such city"
/// is no sign of ill health. A call that was cancelled counts neither way, and so does one that never reached the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerPolicy {
    /// How many calls in a row must fail; 0 is the same as 1.
    pub failures: u32,
    /// How long no call is let through.
    pub cooldown: Duration,
}

impl BreakerPolicy {
    /// Opens after this many failures in a row, for this long.
    #[must_use]
    pub const fn new(failures: u32, cooldown: Duration) -> Self {
        Self { failures, cooldown }
    }
}
