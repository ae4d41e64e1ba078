//! Tasks of a session that have not ended.

use std::{future::poll_fn, pin::pin};

use async_tool_runtime::{SessionId, TaskId, backend::BackendError};
use futures_core::Stream as _;
use temporalio_client::{ActivityExecutionInfoLike as _, Client, errors::ClientError};

use crate::{refusal, session};

/// Lists the open tasks of a session on this queue, because other programs of the namespace may have a session of the same name.
///
/// The list lags behind: a task of the last second may be missing, or be listed although it has ended.
pub(crate) async fn tasks(client: &Client, queue: &str, session: &SessionId) -> Result<Vec<TaskId>, BackendError> {
    let mut activities = pin!(client.list_activities(session::open_tasks(session), Default::default()));
    let mut tasks = Vec::new();
    while let Some(activity) = poll_fn(|cx| activities.as_mut().poll_next(cx)).await {
        let activity = activity.map_err(|error| match error {
            ClientError::Rpc(status) => refusal::of(status, "listing tasks"),
            error => BackendError::unreachable("the list of tasks could not be read").with_source(error),
        })?;
        if activity.task_queue() == queue {
            // Activities of another kind have other ids.
            tasks.extend(activity.activity_id().parse::<TaskId>());
        }
    }
    Ok(tasks)
}
