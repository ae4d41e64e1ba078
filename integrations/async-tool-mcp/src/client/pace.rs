//! Pace of polls. Without a clock of its own.

use std::time::Duration;

use super::backoff::Backoff;

/// Shortest interval, against a server that asks for none.
const SHORTEST: Duration = Duration::from_millis(50);
/// Longest interval, against a server that asks for more than a life.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Longest interval of a task whose server asks for none.
const UNASKED: Duration = Duration::from_secs(5);

/// Pace of polls: the server's interval, which may change; without one, a slowly growing interval; after a failure, a backoff.
#[derive(Debug)]
pub(super) struct Pace {
    asked: Option<Duration>,
    own: Duration,
    backoff: Backoff,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            asked: None,
            own: Duration::from_millis(200),
            backoff: Backoff::new(),
        }
    }

    /// Interval after an answer with this wish of the server.
    pub(super) fn after_answer(&mut self, asked: Option<Duration>) -> Duration {
        self.backoff = Backoff::new();
        self.asked = asked.map(|asked| asked.clamp(SHORTEST, LONGEST));
        self.asked.unwrap_or_else(|| {
            let next = self.own;
            self.own = (next * 3 / 2).min(UNASKED);
            next
        })
    }

    /// Interval after a failed poll. The server's interval is a lower limit, because it is what the server can bear.
    pub(super) fn after_failure(&mut self, retry_after: Option<Duration>) -> Duration {
        self.backoff.next(retry_after).max(self.asked.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_interval_is_the_one_that_the_server_asked_for_last() {
        let mut pace = Pace::new();
        for (asked, interval) in [
            (Some(ms(700)), ms(700)),
            (Some(ms(9_000)), ms(9_000)),
            (Some(ms(0)), SHORTEST),
            (Some(Duration::MAX), LONGEST),
            (None, ms(200)),
            (None, ms(300)),
            (Some(ms(100)), ms(100)),
        ] {
            assert_eq!(pace.after_answer(asked), interval, "{asked:?}");
        }
        for _ in 0..20 {
            assert!(pace.after_answer(None) <= UNASKED);
        }
    }

    #[test]
    fn a_failed_poll_is_repeated_later_and_never_sooner_than_the_server_can_bear() {
        let mut pace = Pace::new();
        let first = pace.after_failure(None);
        assert!(first >= ms(100) && first <= ms(200), "{first:?}");
        let second = pace.after_failure(None);
        assert!(second >= ms(200) && second <= ms(400), "{second:?}");
        assert!(pace.after_failure(Some(ms(7_000))) >= ms(7_000));
        pace.after_answer(Some(ms(20_000)));
        assert!(pace.after_failure(None) >= ms(20_000));
    }
}
