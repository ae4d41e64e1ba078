//! Sliding-window limit on the starts of attempts.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
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
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Starts within the last window, the oldest first; at most as many as the limit allows.
    starts: VecDeque<Instant>,
    /// Callers that wait for the limit, by their numbers. The first one has its turn, and its `Notify` is used once for that.
    waiting: BTreeMap<u64, Arc<Notify>>,
    /// Number of the next caller that waits.
    next: u64,
}

/// Place of a caller that could not start at once. Callers start in the order of their places. Dropping it leaves the order.
pub(crate) struct Place<'a> {
    limiter: &'a RateLimiter,
    number: u64,
    comes: Arc<Notify>,
}

impl Place<'_> {
    /// Time at which the limit allows the start, if no earlier caller gives up.
    pub(crate) fn due(&self) -> Instant {
        let RateLimiter { per, calls, .. } = *self.limiter;
        let state = self.limiter.state();
        let is_last = state
            .waiting
            .last_key_value()
            .is_some_and(|(last, _)| *last == self.number);
        let ahead = match is_last {
            true => state.waiting.len() - 1,
            false => state.waiting.range(..self.number).count(),
        };
        let windows = u32::try_from(ahead / calls).unwrap_or(u32::MAX);
        // Start that leaves the window for this one; `None` if there is room without that.
        let leaves = (state.starts.len() + ahead % calls).checked_sub(calls);
        let (oldest, windows) = match leaves.and_then(|at| state.starts.get(at)) {
            Some(start) => (*start, windows.saturating_add(1)),
            None => (Instant::now(), windows),
        };
        oldest.checked_add(per.saturating_mul(windows)).unwrap_or(oldest)
    }

    /// Waits until all earlier callers have started or stepped aside, and the limit allows a start. Cancel safe.
    pub(crate) async fn turn(&self) {
        let comes = || Arc::clone(&self.comes);
        self.limiter.state().waiting.entry(self.number).or_insert_with(comes);
        loop {
            let free = {
                let state = self.limiter.state();
                let is_first = state.first() == Some(self.number);
                is_first.then(|| self.limiter.free_at(&state.starts))
            };
            match free {
                None => self.comes.notified().await,
                Some(Some(free)) if free > Instant::now() => sleep_until(free).await,
                Some(_) => return,
            }
        }
    }

    /// Lets later callers pass until the next [`turn`](Self::turn), which has the old place.
    pub(crate) fn step_aside(&self) {
        self.limiter.state().leave(self.number);
    }

    /// Counts a start and returns true, unless the limit doesn't allow one now or an earlier caller waits for it.
    pub(crate) fn start(&self) -> bool {
        let mut state = self.limiter.state();
        let comes_first = state.first().is_none_or(|first| self.number <= first);
        let starts = comes_first && self.limiter.count(&mut state.starts);
        if starts {
            state.leave(self.number);
        }
        starts
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.step_aside();
    }
}

impl State {
    /// Number of the caller whose turn it is.
    fn first(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|(first, _)| *first)
    }

    fn leave(&mut self, number: u64) {
        let was_first = self.first() == Some(number);
        self.waiting.remove(&number);
        if was_first && let Some((_, comes)) = self.waiting.first_key_value() {
            comes.notify_one();
        }
    }
}

impl RateLimiter {
    pub(crate) fn new(limit: &RateLimit) -> Self {
        Self {
            per: limit.per,
            calls: limit.calls.max(1) as usize,
            state: Arc::default(),
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
        let state = self.state();
        let used = state
            .starts
            .iter()
            .filter(|start| now.saturating_duration_since(**start) < self.per);
        let free = self.free_at(&state.starts).filter(|free| *free > now);
        (used.count(), state.waiting.len(), free)
    }

    /// Counts a start and returns true, unless the start would have to wait.
    pub(crate) fn start_at_once(&self) -> bool {
        let mut state = self.state();
        // A caller that waits goes first.
        state.waiting.is_empty() && self.count(&mut state.starts)
    }

    /// Takes the last place in the order of the callers that wait.
    pub(crate) fn queue_up(&self) -> Place<'_> {
        let comes = Arc::new(Notify::new());
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.waiting.insert(number, Arc::clone(&comes));
        Place {
            limiter: self,
            number,
            comes,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a start and returns true, if the limit allows one now.
    fn count(&self, starts: &mut VecDeque<Instant>) -> bool {
        let now = Instant::now();
        if self.free_at(starts).is_some_and(|free| free > now) {
            return false;
        }
        // A start that has left the window no longer counts.
        while starts.len() == self.calls || starts.front().is_some_and(|oldest| now - *oldest >= self.per) {
            starts.pop_front();
        }
        starts.push_back(now);
        if starts.capacity() > 64 && starts.len() < starts.capacity() / 4 {
            starts.shrink_to(starts.len() * 2);
        }
        true
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
                    let place = limiter.queue_up();
                    tokio::time::timeout(patience, place.turn()).await.ok()?;
                    assert!(place.start(), "it is its turn");
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
        let starts = &limiter.state().starts;
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

    #[tokio::test(start_paused = true)]
    async fn one_who_steps_aside_lets_later_ones_pass_and_keeps_the_old_place() {
        let limiter = RateLimiter::new(&RateLimit::new(1, Duration::from_secs(10)));
        assert!(limiter.start_at_once());
        let [first, second, third] = [(); 3].map(|()| limiter.queue_up());
        first.turn().await;
        assert!(!second.start(), "an earlier one has its turn");
        first.step_aside();
        second.turn().await;
        assert!(second.start());
        assert!(!first.start(), "the window is used up");
        assert!(!limiter.start_at_once());
        let begin = Instant::now();
        let (of_first, of_third) = tokio::join!(
            async {
                first.turn().await;
                assert!(first.start());
                begin.elapsed()
            },
            async {
                third.turn().await;
                assert!(third.start());
                begin.elapsed()
            },
        );
        assert_eq!((of_first.as_secs(), of_third.as_secs()), (10, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_start_is_known_before() {
        let limiter = RateLimiter::new(&RateLimit::new(2, Duration::from_secs(10)));
        let begin = Instant::now();
        assert!(limiter.start_at_once());
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(limiter.start_at_once());
        let places: Vec<_> = (0..5).map(|_| limiter.queue_up()).collect();
        let due = || -> Vec<u64> { places.iter().map(|place| (place.due() - begin).as_secs()).collect() };
        assert_eq!(due(), [10, 14, 20, 24, 30]);
        for (place, expected) in places.iter().zip([10, 14, 20, 24, 30]) {
            assert_eq!((place.due() - begin).as_secs(), expected);
            place.turn().await;
            assert_eq!(begin.elapsed().as_secs(), expected);
            assert!(place.start());
        }
    }
}
