//! Shutdown of a manager.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{AsyncToolManager, Inner, TaskCell, TaskHandle, layers::STOP_SLACK, records::Recorded};

/// Numbers of tasks that a shutdown found open, by the way they ended.
///
/// ```
/// use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, async_tool, tools};
/// use serde_json::json;
/// use std::time::Duration;
///
/// /// Waits for some seconds.
/// #[async_tool(effect = "read")]
/// async fn wait(seconds: u64) {
///     tokio::time::sleep(Duration::from_secs(seconds)).await;
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let session = SessionId::new("example");
/// let manager = AsyncToolManager::builder().tools(tools![wait]).build()?;
/// manager.submit(&session, ToolCall::new("call_1", "wait", json!({"seconds": 5})))?;
/// manager.submit(&session, ToolCall::new("call_2", "wait", json!({"seconds": 3600})))?;
///
/// let report = manager.shutdown(Duration::from_secs(10)).await;
/// assert_eq!((report.drained, report.cancelled, report.aborted), (1, 1, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that ended by themselves within the limit.
    pub drained: usize,
    /// Tasks that ended after they were told to stop.
    pub cancelled: usize,
    /// Tasks whose futures were dropped. A function among them that blocks its thread goes on until it returns.
    pub aborted: usize,
}

impl AsyncToolManager {
    /// Refuses new tasks and ends the open ones; every task has been settled when this returns.
    ///
    /// 1. It waits up to `limit` for the open tasks. They may still submit child tasks.
    /// 2. It tells the remaining tasks to stop, and waits the stop timeout.
    /// 3. It drops the tasks that are still open.
    ///
    /// The sessions of its agents record these ends. If a session is to go on in another process, call
    /// [`leave_all`](Self::leave_all) first: its tasks then stop without a record, and those on a
    /// [backend](super::AsyncToolManagerBuilder::backend) that keeps tasks go on there.
    ///
    /// ```
    /// # use async_tool_runtime::{AsyncToolManager, SessionId, ToolCall, ToolErrorKind, async_tool, tools};
    /// # use serde_json::json;
    /// # use std::time::Duration;
    /// #
    /// # /// Does nothing.
    /// # #[async_tool]
    /// # async fn nothing() {}
    /// #
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = SessionId::new("example");
    /// # let manager = AsyncToolManager::builder().tools(tools![nothing]).build()?;
    /// let task = manager.submit(&session, ToolCall::new("call_1", "nothing", json!({})))?;
    /// manager.shutdown(Duration::from_secs(30)).await;
    /// assert!(task.status().is_terminal());
    /// let refused = manager.submit(&session, ToolCall::new("call_2", "nothing", json!({}))).unwrap_err();
    /// assert_eq!(refused.kind(), ToolErrorKind::Unavailable);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the manager still refuses new tasks, and tasks that were told to stop keep stopping.
    /// Call it again to finish.
    pub async fn shutdown(&self, limit: Duration) -> ShutdownReport {
        let inner = &self.inner;
        let before = {
            let mut tasks = inner.tasks();
            tasks.close();
            tasks.open_count()
        };
        let before = before.saturating_sub(self.let_go());
        inner.all_settled_within(limit).await;

        let stubborn = self.stop_open(TaskHandle::cancel);
        // A tool that is dropped in time is dropped shortly after the stop timeout, hence the slack.
        let limit = inner.stop_limit();
        inner.all_settled_within(limit).await;

        // A task that is still open may submit another one until it is dropped itself.
        let mut dropped = 0;
        loop {
            match self.stop_open(TaskHandle::abort) {
                0 => break,
                more => dropped += more,
            }
        }
        ShutdownReport {
            drained: before.saturating_sub(stubborn),
            cancelled: stubborn.saturating_sub(dropped),
            aborted: dropped,
        }
    }

    /// Stops to follow the tasks that go on on a backend for sessions that were left; returns their number.
    fn let_go(&self) -> usize {
        if !self.keeps_tasks() {
            return 0;
        }
        let mut left = self.inner.tasks().open();
        left.retain(|cell| self.inner.records().of(cell.spec.task) == Some(Recorded::Left));
        for cell in &left {
            cell.abandon();
            TaskHandle::new(Arc::clone(cell)).cancel("the session was left, and its task goes on on the backend");
        }
        left.len()
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
    /// Time that a task has to stop; on a worker, also that of the signal and of the answer.
    pub(super) fn stop_limit(&self) -> Duration {
        let way = match &self.remote {
            Some(remote) => remote.capabilities.cancel_latency.saturating_add(4 * STOP_SLACK),
            None => STOP_SLACK,
        };
        self.executor.stop_timeout().saturating_add(way)
    }

    async fn all_settled_within(&self, limit: Duration) {
        let drained = async {
            loop {
                // Registered before the count is read, or a task settled between the two would be missed.
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
