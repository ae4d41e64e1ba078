//! Whether and when a call that failed is tried again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tracing::Instrument;

use super::service::{ToolRequest, ToolService, past_deadline, too_late};
use crate::{
    manager::Count,
    tool::{Effect, ToolError},
};

/// Whether and when a call that failed is tried again.
///
/// Only errors that are [`retryable`](crate::ToolError::retryable) are tried again, and only for tools whose effect
/// [is repeatable](crate::Effect::is_repeatable), unless the error says that
/// [the work was not started](crate::ToolError::with_not_started). Every attempt has the same idempotency key.
///
/// The pause before attempt *n* + 1 is drawn evenly from zero to `min(longest, first × 2ⁿ⁻¹)` ("full jitter"), and is at least what
/// the error's [`retry_after`](crate::ToolError::retry_after) asks for. Source:
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

impl RetryPolicy {
    /// The pause before attempt `attempt` + 1, if there is to be one. `random` is even between 0 and 1.
    ///
    /// Neither `backon` nor tower's own backoff has full jitter: they add a random part to the whole pause, or a ratio of it,
    /// so that callers that failed together stay together.
    fn pause(&self, attempt: u32, error: &ToolError, effect: Effect, random: f64) -> Option<Duration> {
        let is_allowed = error.retryable() && (effect.is_repeatable() || error.not_started());
        if !is_allowed || attempt >= self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let longest = self.first.saturating_mul(doubled).min(self.longest);
        Some(longest.mul_f64(random).max(error.retry_after().unwrap_or_default()))
    }
}

/// Tries again what may be tried again.
pub(crate) struct RetryLayer {
    pub(crate) policy: RetryPolicy,
    pub(crate) effect: Effect,
    pub(crate) cancel_grace: Duration,
}

impl Layer<ToolService> for RetryLayer {
    type Service = ToolService;

    fn layer(&self, inner: ToolService) -> ToolService {
        let Self {
            policy,
            effect,
            cancel_grace,
        } = *self;
        ToolService::new(move |mut request: ToolRequest| {
            let inner = inner.clone();
            async move {
                if let Some(end) = policy.total.and_then(|total| Instant::now().checked_add(total)) {
                    request.end_by(end);
                }
                let mut attempt = 1;
                loop {
                    let span = tracing::info_span!("execute_tool.attempt", attempt);
                    let run = inner.run(request.clone()).instrument(span);
                    let ended = tokio::select! {
                        biased;
                        ended = run => ended,
                        // A layer of the host's may wait for as long as it likes.
                        () = too_late(request.cell(), request.deadline(), cancel_grace), if policy.total.is_some() => Err(past_deadline()),
                    };
                    let error = match ended {
                        Ok(value) => return Ok(value),
                        Err(error) => error,
                    };
                    // Somebody else has ended it, and another attempt could change nothing.
                    if request.cell().is_deferred() {
                        return Err(error);
                    }
                    let Some(pause) = policy.pause(attempt, &error, effect, random()) else {
                        return Err(error);
                    };
                    // An attempt that could only begin when its time is up would hide the error that there is.
                    let is_in_time = |end| Instant::now().checked_add(pause).is_some_and(|next| next < end);
                    if request.cancellation().is_cancelled() || !request.deadline().is_none_or(is_in_time) {
                        return Err(error);
                    }
                    tracing::debug!(task = %request.task(), attempt, ?pause, kind = error.kind().as_str(), "an attempt failed; the next one follows");
                    if let Some(host) = request.host() {
                        host.count(request.tool(), Count::Retry);
                    }
                    let wait = request.pause();
                    request.wait_for(sleep(pause)).await?;
                    request.go_on(wait).await?;
                    attempt += 1;
                }
            }
        })
    }
}

/// A number between 0 and 1 that nobody can foresee: std draws the keys of its hash maps at random.
fn random() -> f64 {
    #[cfg(any(test, feature = "testing"))]
    if let Some(drawn) = crate::testing::drawn() {
        return drawn;
    }
    let bits = RandomState::new().hash_one(0_u8);
    // The upper 53 bits, which is all that a double holds exactly.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToolErrorKind;

    fn unavailable() -> ToolError {
        ToolError::new(ToolErrorKind::Unavailable, "down")
    }

    #[test]
    fn pauses_double_to_their_longest_and_are_even_from_zero() {
        let policy = RetryPolicy::new(20).with_backoff(Duration::from_millis(100), Duration::from_secs(2));
        let pause = |attempt, random| policy.pause(attempt, &unavailable(), Effect::Read, random);
        for (attempt, longest) in [(1, 100), (2, 200), (3, 400), (5, 1600), (6, 2000), (19, 2000)] {
            assert_eq!(pause(attempt, 1.0), Some(Duration::from_millis(longest)), "{attempt}");
            assert_eq!(
                pause(attempt, 0.5),
                Some(Duration::from_millis(longest) / 2),
                "{attempt}"
            );
            assert_eq!(pause(attempt, 0.0), Some(Duration::ZERO), "{attempt}");
        }
        assert_eq!(pause(20, 0.5), None);
        assert_eq!(pause(u32::MAX, 0.5), None);
    }

    #[test]
    fn an_error_that_says_when_to_come_back_is_obeyed() {
        let policy = RetryPolicy::new(3);
        let error = unavailable().with_retry_after(Duration::from_secs(60));
        assert_eq!(
            policy.pause(1, &error, Effect::Read, 0.9),
            Some(Duration::from_secs(60))
        );
    }

    #[test]
    fn what_must_not_happen_twice_is_tried_again_only_if_it_was_not_started() {
        let policy = RetryPolicy::new(3);
        let not_started = unavailable().with_not_started();
        for (effect, error, is_tried) in [
            (Effect::Read, unavailable(), true),
            (Effect::Idempotent, unavailable(), true),
            (Effect::Once, unavailable(), false),
            (Effect::Once, not_started, true),
            (Effect::Read, ToolError::failed("no such city"), false),
            (Effect::Read, unavailable().with_retryable(false), false),
            (Effect::Read, ToolError::failed("busy").with_retryable(true), true),
        ] {
            assert_eq!(
                policy.pause(1, &error, effect, 0.5).is_some(),
                is_tried,
                "{effect:?} {error:?}"
            );
        }
    }

    #[test]
    fn jitter_spreads_over_the_whole_pause() {
        const DRAWS: usize = 10_000;
        let mut tenths = [0_usize; 10];
        for _ in 0..DRAWS {
            tenths[((random() * 10.0) as usize).min(9)] += 1;
        }
        for count in tenths {
            // Ten standard deviations (30 each) around a tenth of the draws.
            assert!((700..=1300).contains(&count), "{tenths:?}");
        }
    }
}
