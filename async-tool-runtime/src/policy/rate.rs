//! Sliding-window limit of the attempts that start.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep_until},
};

use crate::tool::RateLimit;

/// Lets attempts start as their limit allows.
///
/// Not `governor`: its algorithm (GCRA) with a burst of *n* lets up to 2*n* - 1 calls into one window, and with a burst of 1 the
/// second of two calls under `60/min` waits a second for nothing. Not tower's own: its windows stand still, so 2*n* calls
/// fit around a border. This keeps the starts of the last window, and is exact.
#[derive(Clone, Debug)]
pub(crate) struct RateLimiter {
    per: Duration,
    calls: usize,
    /// Starts of attempts within the last window, the oldest first; at most as many as the limit allows. The lock is held by the one whose turn
    /// it is: tokio's is fair, so attempts start in the order in which they came, and one that is given up holds up nobody.
    starts: Arc<Mutex<VecDeque<Instant>>>,
}

/// The next start is this one's.
pub(crate) struct Turn<'a>(MutexGuard<'a, VecDeque<Instant>>);

impl RateLimiter {
    pub(crate) fn new(limit: &RateLimit) -> Self {
        Self {
            per: limit.per,
            calls: limit.calls.max(1) as usize,
            starts: Arc::default(),
        }
    }

    /// Counts a start, unless it has to wait.
    pub(crate) fn start_at_once(&self) -> bool {
        // Somebody who waits has the lock.
        let Ok(mut starts) = self.starts.try_lock() else {
            return false;
        };
        let is_free = self.free_at(&starts).is_none_or(|free| free <= Instant::now());
        if is_free {
            self.count(&mut starts);
        }
        is_free
    }

    /// Waits for its turn, and until one more may start. What it then waits for holds up those behind it.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        let starts = self.starts.lock().await;
        if let Some(free) = self.free_at(&starts) {
            sleep_until(free).await;
        }
        Turn(starts)
    }

    /// Counts the start for which a turn was waited for.
    pub(crate) fn start(&self, mut turn: Turn<'_>) {
        self.count(&mut turn.0);
    }

    fn count(&self, starts: &mut VecDeque<Instant>) {
        let now = Instant::now();
        // What is older holds up nobody.
        while starts.len() == self.calls || starts.front().is_some_and(|oldest| now - *oldest >= self.per) {
            starts.pop_front();
        }
        starts.push_back(now);
        if starts.capacity() > 64 && starts.len() < starts.capacity() / 4 {
            starts.shrink_to(starts.len() * 2);
        }
    }

    /// Time at which one more may start; `None`: at any time.
    fn free_at(&self, starts: &VecDeque<Instant>) -> Option<Instant> {
        let oldest = starts.front().filter(|_| starts.len() == self.calls)?;
        // A window without an end that can be said is one of a year.
        let far = || *oldest + Duration::from_secs(365 * 24 * 60 * 60);
        Some(oldest.checked_add(self.per).unwrap_or_else(far))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs callers that come as `gaps` say, some of which give up, and returns when the others started.
    async fn starts(limit: &RateLimit, gaps: &[(u64, Option<u64>)]) -> Vec<Instant> {
        let limiter = RateLimiter::new(limit);
        let mut callers = Vec::new();
        for &(gap, patience) in gaps {
            tokio::time::sleep(Duration::from_millis(gap)).await;
            let limiter = limiter.clone();
            callers.push(tokio::spawn(async move {
                let patience = Duration::from_millis(patience.unwrap_or(u64::from(u32::MAX)));
                if !limiter.start_at_once() {
                    let turn = tokio::time::timeout(patience, limiter.turn()).await.ok()?;
                    limiter.start(turn);
                }
                Some(Instant::now())
            }));
        }
        let mut starts = Vec::new();
        for caller in callers {
            starts.extend(caller.await.unwrap());
        }
        starts
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_ever_has_more_calls_than_the_limit() {
        // A linear congruential generator: the same crowds every time.
        let mut seed = 42_u64;
        let mut draw = |below: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for round in 0..50 {
            let limit = RateLimit::new(1 + draw(9) as u32, Duration::from_millis(50 + draw(1000)));
            let gaps: Vec<_> = (0..120)
                .map(|_| {
                    let gap = if draw(4) == 0 { draw(400) } else { 0 };
                    (gap, (draw(5) == 0).then(|| draw(2000)))
                })
                .collect();
            let mut starts = starts(&limit, &gaps).await;
            starts.sort();
            for window in starts.windows(limit.calls as usize + 1) {
                let span = window[window.len() - 1] - window[0];
                assert!(
                    span >= limit.per,
                    "round {round}: {} calls in {span:?}, {limit:?}",
                    window.len()
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_within_the_limit_does_not_wait_and_the_limit_is_used_up() {
        let begin = Instant::now();
        let starts = starts(&RateLimit::new(3, Duration::from_secs(60)), &[(0, None); 7]).await;
        let after: Vec<u64> = starts.iter().map(|start| (*start - begin).as_secs()).collect();
        assert_eq!(after, [0, 0, 0, 60, 60, 60, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_starts_of_the_last_window_are_remembered() {
        let limiter = RateLimiter::new(&RateLimit::new(1_000_000, Duration::from_secs(60)));
        for _ in 0..10_000 {
            assert!(limiter.start_at_once());
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(limiter.start_at_once());
        let starts = limiter.starts.lock().await;
        assert_eq!(starts.len(), 1);
        assert!(starts.capacity() <= 64, "{}", starts.capacity());
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_gives_up_holds_up_nobody() {
        let begin = Instant::now();
        let callers = [(0, None), (0, Some(10_000)), (0, None)];
        let starts = starts(&RateLimit::new(1, Duration::from_secs(60)), &callers).await;
        let after: Vec<u64> = starts.iter().map(|start| (*start - begin).as_secs()).collect();
        assert_eq!(after, [0, 60]);
    }
}
