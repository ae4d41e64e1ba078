//! Pause before the next attempt.

use std::time::Duration;

use crate::tool::{Effect, RetryPolicy, ToolError};

impl RetryPolicy {
    /// Pause before attempt `attempt` + 1; `None` if there is no such attempt. `random` is uniform between 0 and 1.
    ///
    /// Neither `backon` nor tower's own backoff has full jitter. They add a random part to the whole pause, or a ratio of it, so
    /// callers that failed together stay together.
    pub(crate) fn pause(&self, attempt: u32, error: &ToolError, effect: Effect, random: f64) -> Option<Duration> {
        let is_allowed = error.retryable() && (effect.is_repeatable() || error.not_started());
        if !is_allowed || attempt >= self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let longest = self.first.saturating_mul(doubled).min(self.longest);
        Some(longest.mul_f64(random).max(error.retry_after().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::random::random, *};
    use crate::tool::ToolErrorKind;

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
