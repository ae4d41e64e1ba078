//! Shutdown of a manager.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{AsyncToolManager, Inner, TaskCell, TaskHandle, layers::GRACE_SLACK};

/// Numbers of tasks that a shutdown found, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that ended by themselves within the limit.
    pub drained: usize,
    /// Tasks that ended after they were told to stop.
    pub cancelled: usize,
    /// Tasks that had to be dropped. A function among them that blocks its thread goes on until it returns.
    pub aborted: usize,
}

impl AsyncToolManager {
    /// Takes no new tasks but those that open ones submit below them, waits up to `limit` for the open ones, tells the rest to stop, waits the cancel grace, and drops
    /// what is left. Every task has been settled when this returns.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the manager goes on refusing new tasks, and what was told to stop goes on stopping. Call it
    /// again to finish.
    pub async fn shutdown(&self, limit: Duration) -> ShutdownReport {
        let inner = &self.inner;
        let before = {
            let mut tasks = inner.tasks();
            tasks.close();
            tasks.open_count()
        };
        inner.all_settled_within(limit).await;

        let stubborn = self.stop_open(TaskHandle::cancel);
        // Whatever drops a tool in time has done so a little after the cancel grace.
        let grace = inner.executor.cancel_grace().saturating_add(GRACE_SLACK);
        inner.all_settled_within(grace).await;

        let dropped = self.stop_open(TaskHandle::abort);
        ShutdownReport {
            drained: before.saturating_sub(stubborn),
            cancelled: stubborn.saturating_sub(dropped),
            aborted: dropped,
        }
    }

    fn stop_open(&self, how: impl Fn(&TaskHandle, String)) -> usize {
        let open: Vec<Arc<TaskCell>> = self.inner.tasks().open();
        let count = open.len();
        for cell in open {
            how(&TaskHandle::new(cell), "the manager was shut down".to_owned());
        }
        count
    }
}

impl Inner {
    async fn all_settled_within(&self, limit: Duration) {
        let drained = async {
            loop {
                // Registered before the count is read, or the last settlement could slip between the two.
                let mut idle = std::pin::pin!(self.idle.notified());
                idle.as_mut().enable();
                if self.tasks().open_count() == 0 {
                    return;
                }
                idle.await;
            }
        };
        let _past_the_limit = timeout(limit, drained).await;
    }
}
