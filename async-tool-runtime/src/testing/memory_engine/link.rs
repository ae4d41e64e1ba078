//! Link of a running task to the engine in memory.

use super::{engine::MemoryEngine, state::Lease};
use crate::{
    backend::{BackendError, Heartbeat, WorkerLink},
    future::BoxFuture,
};

pub(super) struct Link {
    pub(super) engine: MemoryEngine,
    pub(super) lease: Lease,
}

impl Link {
    fn keep(&self, heartbeat: &Heartbeat) -> Result<(), BackendError> {
        let text = serde_json::to_string(heartbeat);
        let text = text.map_err(|error| BackendError::refused("the heartbeat is no JSON").with_source(error))?;
        self.engine.for_agent(|state| {
            let record = state.leased(&self.lease);
            let record = record.ok_or_else(|| BackendError::not_found("another worker has the task"))?;
            record.heartbeat = Some(text);
            Ok(())
        })
    }
}

impl WorkerLink for Link {
    fn save(&self, heartbeat: Heartbeat) -> BoxFuture<'_, Result<(), BackendError>> {
        Box::pin(async move { self.keep(&heartbeat) })
    }

    fn report(&self, heartbeat: Heartbeat) {
        let _progress_may_be_lost = self.keep(&heartbeat);
    }
}
