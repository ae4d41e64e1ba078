//! An engine with workers that a suite can start and kill.

use std::{error::Error, future::Future};

use crate::{backend::Backend, manager::Executor};

/// Engine of a backend, for [`BackendSuite`](super::BackendSuite): a server, or a queue on a server.
///
/// [`MemoryEngine`](super::super::MemoryEngine) is an example.
pub trait BackendEngine: Send + Sync + 'static {
    /// Backend that the suite checks.
    type Backend: Backend;
    /// Worker of the engine.
    type Worker: BackendWorker;

    /// Connects another agent's process.
    ///
    /// # Errors
    ///
    /// Any error of the engine; the suite reports it as a broken rule.
    fn connect(&self) -> impl Future<Output = Result<Self::Backend, Box<dyn Error + Send + Sync>>> + Send;

    /// Starts another worker with this many slots. It MUST run tasks with this executor, with a stop token of its own and the payload
    /// that the backend names.
    ///
    /// # Errors
    ///
    /// Any error of the engine; the suite reports it as a broken rule.
    fn work(
        &self,
        executor: Executor,
        slots: usize,
    ) -> impl Future<Output = Result<Self::Worker, Box<dyn Error + Send + Sync>>> + Send;
}

/// Worker of a [`BackendEngine`].
pub trait BackendWorker: Send + 'static {
    /// Stops the worker as at a deploy, and returns when none of its tasks runs any more.
    fn stop(self) -> impl Future<Output = ()> + Send;

    /// Ends the worker as `kill -9` would: its functions are dropped, and it says nothing more to the engine.
    fn kill(self) -> impl Future<Output = ()> + Send;
}
