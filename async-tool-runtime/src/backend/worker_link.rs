//! Link of a running task to its engine.

use super::{BackendError, Heartbeat};
use crate::future::BoxFuture;

/// Link of a task on a worker to its engine, which keeps the task's latest heartbeat.
///
/// ```
/// use async_tool_runtime::backend::{BackendError, Heartbeat, WorkerLink};
/// use async_tool_runtime::future::BoxFuture;
/// use std::sync::Mutex;
///
/// /// Link to an engine in the same process.
/// #[derive(Default)]
/// struct Link(Mutex<Heartbeat>);
///
/// impl WorkerLink for Link {
///     fn save(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
///         *self.0.lock().unwrap() = heartbeat;
///         Box::pin(async { Ok(()) })
///     }
///
///     fn report(&self, heartbeat: Heartbeat) {
///         let mut latest = self.0.lock().unwrap();
///         if latest.starts == heartbeat.starts {
///             *latest = heartbeat;
///         }
///     }
/// }
/// # let link = Link::default();
/// # drop(link.save(Heartbeat::new(1)));
/// # link.report(Heartbeat::new(2));
/// # assert_eq!(link.0.lock().unwrap().starts, 1);
/// ```
pub trait WorkerLink: Send + Sync + 'static {
    /// Keeps a heartbeat. When this returns `Ok`, it MUST be durable: the next worker reads it if this one is lost.
    ///
    /// The executor calls this before the function begins, and when the task is handed back.
    ///
    /// # Errors
    ///
    /// The function doesn't begin, and the task is handed back.
    ///
    /// # Cancel safety
    ///
    /// The worker MAY drop the future. The heartbeat is then kept, or not.
    fn save(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>>;

    /// Takes progress, in a heartbeat that replaces the last one. It MUST NOT wait. It MAY skip heartbeats, except the
    /// latest. It MUST ignore one whose number of starts is not the saved one: a blocking function can report after its
    /// start was taken back. Default: takes nothing.
    fn report(&self, heartbeat: Heartbeat) {
        drop(heartbeat);
    }
}

// `dyn WorkerLink` must stay possible: a task holds one of any kind.
const _: fn(&dyn WorkerLink) = |_| {};
