//! Outages of an engine, which its tasks wait out.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::time::sleep;

use crate::{
    backend::{BackendError, BackendErrorKind},
    future::BoxFuture,
    manager::TaskCell,
    model::words_of,
    unwind,
};

/// Pause after the first failure; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Outages of an engine, as one task sees them.
#[derive(Default)]
pub(super) struct Outage {
    is_on: AtomicBool,
    was_on: AtomicBool,
}

impl Outage {
    /// True while the engine can't be reached.
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// True if an operation failed that may have happened all the same.
    pub(super) fn was_on(&self) -> bool {
        self.was_on.load(Ordering::Relaxed)
    }

    /// Repeats an operation while the engine can't be reached, and `goes_on` says so.
    ///
    /// # Errors
    ///
    /// Any other failure, or the last one. A panic is a failure after which the operation may have happened.
    pub(super) async fn wait_out<'a, T>(
        &self,
        cell: &TaskCell,
        what: &'static str,
        operation: impl Fn() -> BoxFuture<'a, Result<T, BackendError>>,
        goes_on: impl Fn() -> bool,
    ) -> Result<T, BackendError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let ended = unwind::finish("the backend", &operation).await.unwrap_or_else(|panic| {
                // It may have panicked after the engine had heard of it.
                self.was_on.store(true, Ordering::Relaxed);
                tracing::error!(target: "async_tool::task", task = %cell.spec.task, "{} panicked: {what}", panic.part());
                Err(BackendError::refused("the backend panicked"))
            });
            let is_on = ended
                .as_ref()
                .is_err_and(|error| error.kind() == BackendErrorKind::Unreachable);
            let was_on = self.is_on.swap(is_on, Ordering::Relaxed);
            match ended {
                Err(error) if is_on => {
                    self.was_on.store(true, Ordering::Relaxed);
                    // One line for an outage, and not one for each try.
                    if !was_on {
                        log(cell, &error, what);
                    }
                    if !goes_on() {
                        return Err(error);
                    }
                }
                ended => return ended,
            }
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
            if !goes_on() {
                return Err(BackendError::unreachable("the task was told to stop"));
            }
        }
    }
}

/// Logs a failure of the engine.
pub(super) fn log(cell: &TaskCell, error: &BackendError, what: &'static str) {
    let error = words_of(error);
    tracing::warn!(target: "async_tool::task", task = %cell.spec.task, %error, "{what}");
}
