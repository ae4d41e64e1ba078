//! Settings of an executor on a worker.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::tool::CancellationToken;

/// Settings of an executor on a worker. Clones share the line of suspects.
#[derive(Clone, Debug)]
pub(super) struct WorkerSettings {
    pub(super) stop: CancellationToken,
    pub(super) max_payload: Option<usize>,
    pub(super) max_starts: u32,
    /// Held by the one suspect that runs.
    pub(super) line: Arc<Mutex<()>>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            stop: CancellationToken::new(),
            max_payload: None,
            max_starts: 4,
            line: Arc::default(),
        }
    }
}
