//! The clocks of a journal.

use std::{
    fmt,
    sync::{Arc, LazyLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use async_tool_runtime::task::Timestamp;

/// The system's clocks, or a test's.
#[derive(Clone, Default)]
pub(crate) struct Clock {
    now: Option<Arc<dyn Fn() -> Timestamp + Send + Sync>>,
    ticks: Option<Arc<dyn Fn() -> Duration + Send + Sync>>,
}

impl Clock {
    pub(crate) fn set_now(&mut self, now: impl Fn() -> Timestamp + Send + Sync + 'static) {
        self.now = Some(Arc::new(now));
    }

    pub(crate) fn set_ticks(&mut self, ticks: impl Fn() -> Duration + Send + Sync + 'static) {
        self.ticks = Some(Arc::new(ticks));
    }

    /// Time of day. It may step, so it is only shown.
    pub(crate) fn now(&self) -> Timestamp {
        if let Some(now) = &self.now {
            return now();
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp::default().after(since_epoch.unwrap_or_default())
    }

    /// Time since the start of the process. It never steps, so it measures leases.
    pub(crate) fn ticks(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);

        self.ticks.as_ref().map_or_else(|| START.elapsed(), |ticks| ticks())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
