//! Engine of a manager, with what it can do.

use std::{sync::Arc, time::Duration};

use crate::{
    backend::{Backend, BackendCapabilities},
    unwind,
};

/// Engine of a manager.
pub(super) struct Remote {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) capabilities: BackendCapabilities,
    pub(super) stop_timeout: Duration,
}

impl Remote {
    pub(super) fn new(backend: Arc<dyn Backend>, stop_timeout: Duration) -> Self {
        let capabilities = unwind::call("the backend", || backend.capabilities());
        Self {
            backend,
            // Without an answer, no task is told to stop with this process.
            capabilities: capabilities.unwrap_or_else(|_| BackendCapabilities::default().with_durable(true)),
            stop_timeout,
        }
    }

    /// True if tasks outlive this process.
    pub(super) const fn keeps_tasks(&self) -> bool {
        self.capabilities.durable
    }
}
