//! Rules about stopped tasks.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{
    super::wrong::{Checked, Wrong},
    engine::BackendEngine,
    stage::{Stage, equal},
};
use crate::{
    backend::{Backend, CancelMode},
    task::TaskOutcome,
};

/// Time for the way of a cancellation, besides the latency that the backend names.
const SLACK: Duration = Duration::from_secs(1);

pub(super) async fn cancel_running<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let task = stage.start("work").await?;
    stage.started(task, 1).await?;
    let begin = Instant::now();
    stage.cancel(task, CancelMode::Cancel, "enough").await?;
    let doing = "cancel a running task";
    let heard = stage
        .in_time(doing, "that its token fires", stage.bench.heard(task))
        .await?;
    let (latency, limit) = (heard - begin, stage.backend.capabilities().cancel_latency + SLACK);
    if latency > limit {
        let expected = format!("that its token fires within {limit:?}");
        return Err(Wrong::new(
            doing,
            &expected,
            &format!("that it fired after {latency:?}"),
        ));
    }
    let end = stage.end(task).await?;
    if !matches!(end.outcome, TaskOutcome::Cancelled(_)) {
        return Err(Wrong::new(doing, "a cancelled task", &format!("{:?}", end.outcome)));
    }
    stage.has_started(task, 1).await
}

pub(super) async fn cancel_waiting<E: BackendEngine>(stage: Stage<E>) -> Checked {
    for mode in [CancelMode::Cancel, CancelMode::Abort] {
        let task = stage.start("work").await?;
        stage.quiet().await;
        stage.cancel(task, mode, "not needed").await?;
        stage
            .ends_as(task, &TaskOutcome::Cancelled("not needed".to_owned()))
            .await?;
        let _worker = stage.worker(2).await?;
        stage.has_started(task, 0).await?;
    }
    Ok(())
}

pub(super) async fn cancel_ended<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let end = TaskOutcome::Completed(json!("done"));
    let task = stage.task("end", json!({"status": "completed", "value": "done"}));
    stage.submit(&task).await?;
    stage.ends_as(task.task, &end).await?;
    for mode in [CancelMode::Cancel, CancelMode::Abort] {
        stage.cancel(task.task, mode, "too late").await?;
        stage.ends_as(task.task, &end).await?;
    }
    stage.has_started(task.task, 1).await
}

pub(super) async fn abort<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let task = stage.start("deaf").await?;
    stage.started(task, 1).await?;
    stage.cancel(task, CancelMode::Abort, "now").await?;
    let end = stage.end(task).await?;
    let is_stopped = matches!(end.outcome, TaskOutcome::Cancelled(_) | TaskOutcome::Unknown(_));
    equal("abort a task", &true, &is_stopped)?;
    stage.has_started(task, 1).await
}
