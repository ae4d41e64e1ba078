//! Durations and moments, in paused or real time.

use std::time::Duration;

use async_tool_runtime::{TaskHandle, task::Timestamp};

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Lets all other tasks run until they wait. Paused time is a millisecond later afterwards.
pub(crate) async fn idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// The moment `by` after the task was accepted.
pub(crate) fn after(task: &TaskHandle, by: Duration) -> Timestamp {
    task.snapshot().accepted.after(by)
}
