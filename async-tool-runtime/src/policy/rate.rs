//! Sliding-window limit on the starts of attempts.

use std::{
    collections::VecDeque,
    sync::{self, Arc},
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep_until},
};

use crate::tool::RateLimit;

/// Rate limiter of one tool, or of the tools that share a key.
///
/// Not `governor`: its algorithm (GCRA) with a burst of *n* admits up to 2*n* - 1 calls in one window. With a burst of 1, the second of
/// two calls under `60/min` waits a second for nothing. Not tower's own: its windows are fixed, so 2*n* calls fit around a boundary.
/// This limiter keeps the starts of the last window, and is exact.
#[derive(Clone, Debug)]
pub(crate) struct RateLimiter {
    per: Duration,
    calls: usize,
    /// Starts within the last window, the oldest first; at most as many as the limit allows.
    ///
    /// The caller whose turn it is holds the mutex. tokio's mutex is fair: attempts start in the order in which they came, and a caller that
    /// gives up doesn't delay those behind it.
    starts: Arc<Mutex<VecDeque<Instant>>>,
    /// Schedule of the callers that wait, for displays.
    schedule: Arc<sync::Mutex<Schedule>>,
}

/// Due times that a display needs while the starts are locked.
#[derive(Debug, Default)]
struct Schedule {
    /// Callers that wait.
    waiting: usize,
    /// Starts within the last window, as they were when a caller last looked.
    starts: VecDeque<Instant>,
}

/// Place of a caller that waits for its turn.
pub(crate) struct Place<'a> {
    limiter: &'a RateLimiter,
    ahead: usize,
}

impl Place<'_> {
    /// Time at which the limit allows the start, if no earlier caller gives up.
    pub(crate) fn due(&self) -> Instant {
        let RateLimiter { per, calls, .. } = self.limiter;
        let schedule = self.limiter.schedule();
        let windows = u32::try_from(self.ahead / calls).unwrap_or(u32::MAX).saturating_add(1);
        let oldest = schedule.starts.get(self.ahead % calls).copied();
        let oldest = oldest.unwrap_or_else(Instant::now);
        oldest.checked_add(per.saturating_mul(windows)).unwrap_or(oldest)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.limiter.schedule().waiting -= 1;
    }
}

/// Right to the next start.
pub(crate) struct Turn<'a>(MutexGuard<'a, VecDeque<Instant>>);

impl RateLimiter {
    pub(crate) fn new(limit: &RateLimit) -> Self {
        Self {
            per: limit.per,
            calls: limit.calls.max(1) as usize,
            starts: Arc::default(),
            schedule: Arc::default(),
        }
    }

    /// Starts in a window at most.
    pub(crate) const fn calls(&self) -> usize {
        self.calls
    }

    /// Length of the window.
    pub(crate) const fn per(&self) -> Duration {
        self.per
    }

    /// For a display: starts in the window that ends now, callers that wait, and the next free start if none is free now.
    pub(crate) fn usage(&self) -> (usize, usize, Option<Instant>) {
        let now = Instant::now();
        let starts = self.starts.try_lock().ok().map(|starts| starts.clone());
        let schedule = self.schedule();
        // A caller that waits holds the starts. They don't change then, except by starts that the schedule has too.
        let starts = starts.as_ref().unwrap_or(&schedule.starts);
        let used = starts
            .iter()
            .filter(|start| now.saturating_duration_since(**start) < self.per);
        let free = self.free_at(starts).filter(|free| *free > now);
        (used.count(), schedule.waiting, free)
    }

    /// Counts a start and returns true, unless the start would have to wait.
    pub(crate) fn start_at_once(&self) -> bool {
        // A waiting caller holds the mutex, and goes first.
        let Ok(mut starts) = self.starts.try_lock() else {
            return false;
        };
        let is_free = self.free_at(&starts).is_none_or(|free| free <= Instant::now());
        if is_free {
            self.count(&mut starts);
        }
        is_free
    }

    /// Takes a place in the schedule of callers that wait, for a display.
    pub(crate) fn queue_up(&self) -> Place<'_> {
        // The first caller to wait finds the starts unlocked; they don't change while callers wait, except by their starts.
        let starts = self.starts.try_lock().ok().map(|starts| starts.clone());
        let mut schedule = self.schedule();
        if let Some(starts) = starts {
            schedule.starts = starts;
        }
        let ahead = schedule.waiting;
        schedule.waiting += 1;
        Place { limiter: self, ahead }
    }

    fn schedule(&self) -> sync::MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(sync::PoisonError::into_inner)
    }

    /// Waits for the caller's turn, and until the limit allows a start. A turn that is held delays all callers behind it.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        let starts = self.starts.lock().await;
        if let Some(free) = self.free_at(&starts) {
            sleep_until(free).await;
        }
        Turn(starts)
    }

    /// Counts the start that the turn allows.
    pub(crate) fn start(&self, mut turn: Turn<'_>) {
        self.count(&mut turn.0);
        let Schedule { waiting, starts } = &mut *self.schedule();
        if *waiting > 0 {
            if starts.len() >= self.calls {
                starts.pop_front();
            }
            starts.extend(turn.0.back());
        }
    }

    fn count(&self, starts: &mut VecDeque<Instant>) {
        let now = Instant::now();
        // A start that has left the window no longer counts.
        while starts.len() == self.calls || starts.front().is_some_and(|oldest| now - *oldest >= self.per) {
            starts.pop_front();
        }
        starts.push_back(now);
        if starts.capacity() > 64 && starts.len() < starts.capacity() / 4 {
            starts.shrink_to(starts.len() * 2);
        }
    }

    /// Earliest time of the next start; `None` if there is no limit on it.
    fn free_at(&self, starts: &VecDeque<Instant>) -> Option<Instant> {
        let oldest = starts.front().filter(|_| starts.len() == self.calls)?;
        // A window that overflows the clock lasts a year.
        let far = || *oldest + Duration::from_secs(365 * 24 * 60 * 60);
        Some(oldest.checked_add(self.per).unwrap_or_else(far))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start times of callers that come after the given gaps (ms). A caller with a patience (ms) may give up, and then has no start.
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
        // Linear congruential generator: the same arrivals in every run.
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
