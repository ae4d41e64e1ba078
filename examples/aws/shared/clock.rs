//! The time of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_tool_runtime::task::Timestamp;

/// Time of day. The clock of a manager is not asked: it counts from the manager's beginning.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
