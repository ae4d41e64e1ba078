//! Tasks that a backend has and the journal of their session doesn't.

use std::{iter::successors, sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::oneshot, time::sleep};

use super::{AsyncToolManager, Inner, TaskNews, records::Recorded, remote_engine::Remote};
use crate::{
    backend::{BackendError, BackendErrorKind, CancelMode},
    future::BoxFuture,
    id::TaskId,
    model::words_of,
    session::SessionId,
};

/// Pause before an engine that can't be reached is asked again. It doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Most requests: about four minutes of outage.
const TRIES: usize = 10;

/// Reason of the cancellation, for the engine's records.
const WHY: &str = "the journal of its session doesn't have it as open";

impl AsyncToolManager {
    /// Cancels the tasks of a resumed session that the backend has and the session's journal doesn't have as open. They are
    /// left of a process whose journal lost their acceptance, or that had given them up. Returns at once.
    pub(crate) fn cancel_strays(&self, session: &SessionId) {
        let Some(remote) = self.inner.remote.clone().filter(|remote| remote.keeps_tasks()) else {
            return;
        };
        let (Ok(runtime), session) = (Handle::try_current(), session.clone()) else {
            return;
        };
        // Weak, so that an outage keeps no manager alive.
        let inner = Arc::downgrade(&self.inner);
        runtime.spawn(async move {
            let Some(listed) = remote.list(&session).await else { return };
            let Some(inner) = inner.upgrade() else { return };
            let strays: Vec<TaskId> = listed.into_iter().filter(|task| inner.is_stray(*task)).collect();
            // Asked after the list was made. While the session is this agent's, all tasks in the list are older than its
            // resumption or were submitted here. So no task of another process is taken for a stray.
            if strays.is_empty() || !inner.is_owned_now(&session).await {
                return;
            }
            drop(inner);
            for task in strays {
                tracing::warn!(target: "async_tool::task", %task, %session, "the backend has a task that its session doesn't know as open; it is cancelled");
                if let Err(error) = persist(|| remote.backend.cancel(task, CancelMode::Cancel, WHY)).await {
                    tracing::warn!(target: "async_tool::task", %task, error = words_of(&error), "the engine did not take a cancellation");
                }
            }
        });
    }
}

impl Remote {
    /// Open tasks of a session; `None` if the engine doesn't say.
    async fn list(&self, session: &SessionId) -> Option<Vec<TaskId>> {
        match persist(|| self.backend.open_tasks(session)).await {
            Ok(listed) => Some(listed),
            Err(error) => {
                tracing::warn!(target: "async_tool::task", %session, error = words_of(&error), "the engine doesn't list the tasks of a session");
                None
            }
        }
    }
}

/// Repeats an operation while the engine can't be reached, for some minutes.
async fn persist<'a, T>(operation: impl Fn() -> BoxFuture<'a, Result<T, BackendError>>) -> Result<T, BackendError> {
    for pause in successors(Some(FIRST_PAUSE), |pause| Some(2 * *pause)).take(TRIES - 1) {
        match operation().await {
            Err(error) if error.kind() == BackendErrorKind::Unreachable => sleep(pause).await,
            ended => return ended,
        }
    }
    operation().await
}

impl Inner {
    /// True if a task is in no journal here as open, and the host has not submitted it here.
    fn is_stray(&self, task: TaskId) -> bool {
        let is_open_here = self.tasks().find(task).is_some_and(|cell| !cell.is_settled());
        let recorded = self.records().of(task);
        !is_open_here && matches!(recorded, None | Some(Recorded::Settled(_) | Recorded::Ended(..)))
    }

    /// Asks the session if it is still its agent's.
    async fn is_owned_now(&self, session: &SessionId) -> bool {
        let (reply, answer) = oneshot::channel();
        self.tell_session(session, TaskNews::IsOwner(reply));
        answer.await.is_ok()
    }
}
