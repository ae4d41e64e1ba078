//! Rules about workers that are lost.

use serde_json::json;

use super::{
    super::wrong::{Checked, Wrong},
    engine::{BackendEngine, BackendWorker},
    stage::{Stage, equal},
};
use crate::{
    id::TaskId,
    task::TaskOutcome,
    tool::{ToolError, ToolErrorKind},
};

/// Most starts of a task on the suite's workers, as is the executor's default.
const MOST_STARTS: u32 = 4;

pub(super) async fn lost_worker<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let worker = stage.worker(2).await?;
    let task = stage.start("work").await?;
    stage.started(task, 1).await?;
    worker.kill().await;
    let _next = stage.worker(2).await?;
    stage.started(task, 2).await?;
    stage.bench.open(task);
    let end = stage.ends_as(task, &TaskOutcome::Completed(json!("opened"))).await?;
    equal("count the attempts of a task with a lost worker", &2, &end.attempts)
}

pub(super) async fn lost_once<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let worker = stage.worker(2).await?;
    let task = stage.start("work_once").await?;
    stage.started(task, 1).await?;
    worker.kill().await;
    let _next = stage.worker(2).await?;
    let end = stage.end(task).await?;
    if !matches!(end.outcome, TaskOutcome::Unknown(_)) {
        let doing = "read the outcome of a task that must not happen twice";
        return Err(Wrong::new(doing, "an unknown outcome", &format!("{:?}", end.outcome)));
    }
    stage.has_started(task, 1).await
}

pub(super) async fn counted_starts<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let task = stage.start("work").await?;
    let _last = lose_workers(&stage, task, 1).await?;
    fails(&stage, task).await
}

pub(super) async fn neighbours<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let poison = stage.start("work").await?;
    let mut neighbours = Vec::new();
    for _ in 0..5 {
        neighbours.push(stage.start("work").await?);
    }
    for start in 1..=2 {
        let worker = stage.worker(8).await?;
        for task in neighbours.iter().chain([&poison]) {
            stage.started(*task, start).await?;
        }
        worker.kill().await;
    }
    // From now on each of them could complete at once.
    for task in &neighbours {
        stage.bench.open(*task);
    }
    let _last = lose_workers(&stage, poison, 3).await?;
    for task in &neighbours {
        stage.ends_as(*task, &TaskOutcome::Completed(json!("opened"))).await?;
    }
    fails(&stage, poison).await
}

/// Kills each worker as soon as the function of the task begins, from this start on. Returns a last worker.
async fn lose_workers<E: BackendEngine>(stage: &Stage<E>, task: TaskId, first: u32) -> Checked<E::Worker> {
    for start in first..=MOST_STARTS {
        let worker = stage.worker(8).await?;
        stage.started(task, start).await?;
        worker.kill().await;
    }
    stage.worker(8).await
}

/// Checks that a task has failed, because it ended its workers.
async fn fails<E: BackendEngine>(stage: &Stage<E>, task: TaskId) -> Checked {
    let end = stage.end(task).await?;
    let kind = end.outcome.error().map(ToolError::kind);
    let doing = "read the error of a tool that ends its workers";
    equal(doing, &Some(ToolErrorKind::Panicked), &kind)?;
    stage.has_started(task, MOST_STARTS).await
}
