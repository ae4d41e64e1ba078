//! Progress of a task on a worker, on its way to the engine.

use std::sync::Arc;

use super::{Heartbeat, WorkerLink};
use crate::{task::json_bytes, tool::ProgressReport, unwind};

/// Sender of a task's progress to its engine.
#[derive(Clone)]
pub(crate) struct ProgressReporter {
    link: Arc<dyn WorkerLink>,
    starts: u32,
    max_payload: Option<usize>,
}

impl ProgressReporter {
    pub(crate) const fn new(link: Arc<dyn WorkerLink>, starts: u32, max_payload: Option<usize>) -> Self {
        Self {
            link,
            starts,
            max_payload,
        }
    }

    /// Sends progress, without the result so far if that is too large for the engine.
    pub(crate) fn report(&self, progress: ProgressReport) {
        let mut heartbeat = Heartbeat::new(self.starts).with_progress(progress);
        let fits = |heartbeat: &Heartbeat| {
            let bytes = json_bytes(heartbeat);
            self.max_payload
                .is_none_or(|most| bytes.is_some_and(|bytes| bytes <= most))
        };
        if !fits(&heartbeat) {
            if let Some(progress) = &mut heartbeat.progress {
                progress.output = None;
            }
            if !fits(&heartbeat) {
                return;
            }
        }
        if let Err(panic) = unwind::call("the link to the engine", || self.link.report(heartbeat)) {
            tracing::error!(target: "async_tool::task", "{} panicked", panic.part());
        }
    }
}
