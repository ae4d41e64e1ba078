//! Checkpoints of a task's function.

use std::sync::Arc;

use serde_json::Value;

use super::TaskCell;

impl TaskCell {
    /// Latest checkpoint of the task, also of an earlier process.
    pub(crate) fn checkpoint(&self) -> Option<Arc<Value>> {
        let latest = self
            .state()
            .extras
            .as_ref()
            .and_then(|extras| extras.checkpoint.clone());
        latest.or_else(|| self.spec.checkpoint.clone())
    }

    pub(crate) fn set_checkpoint(&self, checkpoint: Arc<Value>) {
        let earlier = self.state().extras().checkpoint.replace(checkpoint);
        drop(earlier);
    }
}
