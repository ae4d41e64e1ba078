//! Time in the library: milliseconds since the Unix epoch, advanced by tokio's clock.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Point in time: whole milliseconds since the Unix epoch.
///
/// Journals and results hold timestamps, so their times mean the same in another process.
///
/// ```
/// use async_tool_runtime::task::Timestamp;
/// use std::time::Duration;
///
/// let accepted = Timestamp::from_millis(1_700_000_000_000);
/// let deadline = accepted.after(Duration::from_secs(30));
/// assert!(accepted < deadline);
/// assert_eq!(deadline.since(accepted), Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Creates a timestamp from milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Current time of the system clock. It goes on while a test has tokio's clock paused.
    pub(crate) fn of_system() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since_epoch.as_secs().saturating_mul(1_000) + u64::from(since_epoch.subsec_millis()))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero if `earlier` is later than this.
    ///
    /// ```
    /// use async_tool_runtime::task::Timestamp;
    /// use std::time::Duration;
    ///
    /// let (first, second) = (Timestamp::from_millis(100), Timestamp::from_millis(350));
    /// assert_eq!(second.since(first), Duration::from_millis(250));
    /// assert_eq!(first.since(second), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The time that is `by` later; the latest possible time if it can't be represented.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// Clock that reads the system clock at its start and then counts with tokio's. So it never runs backwards, and stops where a
/// test pauses time.
///
/// tokio's clock stands still while the machine sleeps. This clock skips that time as soon as it is read again, because other
/// processes have counted it, and journals hold its timestamps. A system clock that is set forward looks the same, and is
/// followed too: a process that starts now reads it. One that is set back is not followed.
///
/// Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    origin: Timestamp,
    started: Instant,
    /// Start on the clock of the standard library, which a test can't pause.
    real_start: std::time::Instant,
    /// Milliseconds that were skipped until now.
    skipped: Arc<AtomicU64>,
    /// Start in the time of another runtime, whose paused clock is behind the one in which this clock was started. Without it, this clock
    /// would stand still there until the other one has caught up.
    behind: Arc<OnceLock<Instant>>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            origin: Timestamp::of_system(),
            started: Instant::now(),
            real_start: std::time::Instant::now(),
            skipped: Arc::default(),
            behind: Arc::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = Instant::now();
        let started = match self.behind.get() {
            Some(behind) => *behind,
            None if now < self.started => *self.behind.get_or_init(|| now),
            None => self.started,
        };
        self.read(Readings {
            counted: now.saturating_duration_since(started),
            real: self.real_start.elapsed(),
            system: Timestamp::of_system(),
        })
    }

    fn read(&self, readings: Readings) -> Timestamp {
        let Readings { counted, real, system } = readings;
        let slept = system.since(self.origin.after(real));
        let before = Duration::from_millis(self.skipped.load(Ordering::Relaxed));
        // A test that pauses time decides about it.
        if slept > before.saturating_add(TOLERANCE) && real.abs_diff(counted) <= TOLERANCE {
            let slept = u64::try_from(slept.as_millis()).unwrap_or(u64::MAX);
            self.skipped.fetch_max(slept, Ordering::Relaxed);
        }
        let skipped = Duration::from_millis(self.skipped.load(Ordering::Relaxed));
        self.origin.after(counted).after(skipped)
    }
}

/// Least difference of two clocks that means something.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Readings of all clocks at one moment.
struct Readings {
    /// Time since the start on tokio's clock.
    counted: Duration,
    /// Time since the start on the clock of the standard library.
    real: Duration,
    system: Timestamp,
}

#[cfg(test)]
mod tests {
    use tokio::{runtime::Builder, time::sleep};

    use super::*;

    /// A clock, and its time when tokio's clock, the real one and the system's have advanced by these seconds.
    fn fixed() -> (Clock, impl Fn(&Clock, u64, u64, u64) -> u64) {
        let clock = Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(async { Clock::start() });
        let read = |clock: &Clock, counted, real, system| {
            let readings = Readings {
                counted: Duration::from_secs(counted),
                real: Duration::from_secs(real),
                system: clock.origin.after(Duration::from_secs(system)),
            };
            clock.read(readings).since(clock.origin).as_secs()
        };
        (clock, read)
    }

    #[test]
    fn the_time_in_which_the_machine_sleeps_is_skipped_once_and_for_all_clones() {
        let (clock, read) = fixed();
        let clone = clock.clone();
        assert_eq!(read(&clock, 10, 10, 10), 10);
        assert_eq!(read(&clock, 11, 11, 28_811), 28_811);
        assert_eq!(read(&clone, 12, 12, 28_812), 28_812);
        assert_eq!(read(&clock, 20, 20, 32_420), 32_420, "it sleeps again");
        assert_eq!(read(&clone, 21, 21, 32_421), 32_421);
    }

    #[test]
    fn a_system_clock_that_is_set_back_or_moves_a_little_changes_nothing() {
        let (clock, read) = fixed();
        assert_eq!(read(&clock, 10, 10, 11), 10);
        assert_eq!(read(&clock, 20, 20, 3), 20);
        assert_eq!(read(&clock, 30, 30, 3_630), 3_630);
        assert_eq!(read(&clock, 40, 40, 40), 3_640, "it never runs backwards");
        assert_eq!(read(&clock, 50, 50, 3_650), 3_650);
    }

    #[test]
    fn where_a_test_pauses_time_nothing_is_skipped() {
        let (clock, read) = fixed();
        assert_eq!(read(&clock, 3_600, 5, 28_805), 3_600, "it is ahead");
        assert_eq!(read(&clock, 3_600, 90_000, 120_000), 3_600, "it is behind");
    }

    #[test]
    fn a_clock_goes_on_in_a_runtime_whose_time_is_behind() {
        let paused = || Builder::new_current_thread().enable_time().start_paused(true).build();
        let clock = paused().unwrap().block_on(async {
            sleep(Duration::from_secs(3_600)).await;
            Clock::start()
        });
        paused().unwrap().block_on(async {
            let before = clock.now();
            sleep(Duration::from_millis(250)).await;
            assert_eq!(clock.clone().now().since(before), Duration::from_millis(250));
            sleep(Duration::from_secs(7_200)).await;
            assert_eq!(clock.now().since(before), Duration::from_millis(7_200_250));
        });
    }
}
