//! A runtime whose clock stands still.

use tokio::runtime::{Builder, Runtime};

/// Runs a future on a runtime of its own with one thread, where time stands still while anything can happen, and moves at once to the
/// next timer when nothing can. What `#[tokio::test(start_paused = true)]` does, for crates that don't depend on tokio.
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
    // Only a system without file descriptors left gets here.
    runtime.unwrap_or_else(|error| panic!("a tokio runtime can't be built: {error}"))
}
