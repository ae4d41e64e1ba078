//! Estimator of the host, whose panics end nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{ApproximateTokens, Message, TokenEstimator};
use crate::unwind;

const PART: &str = "the estimator of tokens";

/// Estimator that estimates as [`ApproximateTokens`] where the host's panics. A session whose every request panics could
/// never go on, and an estimate is enough.
#[derive(Debug)]
pub(crate) struct GuardedTokens<E> {
    estimator: E,
    has_panicked: AtomicBool,
}

impl<E: TokenEstimator> GuardedTokens<E> {
    pub(crate) const fn new(estimator: E) -> Self {
        Self {
            estimator,
            has_panicked: AtomicBool::new(false),
        }
    }

    fn ask<T>(&self, ask: impl FnOnce(&E) -> T, instead: impl FnOnce() -> T) -> T {
        unwind::call(PART, || ask(&self.estimator)).unwrap_or_else(|panic| {
            // Logged once: every later message may panic too.
            if !self.has_panicked.swap(true, Ordering::Relaxed) {
                tracing::error!(target: "async_tool::agent", "{} panicked, `ApproximateTokens` estimates in its place", panic.part());
            }
            instead()
        })
    }
}

impl<E: TokenEstimator> TokenEstimator for GuardedTokens<E> {
    fn count_text(&self, text: &str) -> usize {
        self.ask(
            |estimator| estimator.count_text(text),
            || ApproximateTokens.count_text(text),
        )
    }

    fn count_message(&self, message: &Message) -> usize {
        self.ask(
            |estimator| estimator.count_message(message),
            || ApproximateTokens.count_message(message),
        )
    }

    fn is_bounded_by_bytes(&self) -> bool {
        self.ask(TokenEstimator::is_bounded_by_bytes, || false)
    }
}
