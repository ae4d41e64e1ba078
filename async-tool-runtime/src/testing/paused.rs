//! A runtime whose clock is paused.

use tokio::runtime::{Builder, Runtime};

/// Runs a future on a new single-threaded runtime with a paused clock, as `#[tokio::test(start_paused = true)]` does. For crates that
/// don't depend on tokio.
///
/// Time stands still while a task can run; when none can, it advances at once to the next timer.
///
/// ```
/// use async_tool_runtime::testing::run_paused;
/// use std::time::Duration;
///
/// let waited = run_paused(async {
///     let began = tokio::time::Instant::now();
///     tokio::time::sleep(Duration::from_secs(3600)).await; // At once.
///     began.elapsed()
/// });
/// assert_eq!(waited, Duration::from_secs(3600));
/// ```
///
/// # Panics
///
/// If it is called within a tokio runtime.
pub fn run_paused<T>(future: impl Future<Output = T>) -> T {
    paused_runtime().block_on(future)
}

pub(super) fn paused_runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    // This fails only if the system has no file descriptors left.
    runtime.unwrap_or_else(|error| panic!("a tokio runtime can't be built: {error}"))
}
