//! Rules about heartbeats.

use std::time::Duration;

use serde_json::json;
use tokio::{sync::watch, time::sleep};

use super::{
    super::wrong::{Checked, Wrong},
    engine::BackendEngine,
    stage::{Stage, equal},
};
use crate::{
    backend::{Backend, Heartbeat, Heartbeats},
    id::TaskId,
};

pub(super) async fn started<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let task = stage.start("work").await?;
    let mut latest = follow(&stage, task);
    stage.quiet().await;
    equal(
        "read heartbeats of a task without a worker",
        &0,
        &latest.borrow().starts,
    )?;
    let _worker = stage.worker(2).await?;
    stage.started(task, 1).await?;
    let seen = latest.wait_for(|heartbeat| heartbeat.starts > 0);
    let seen = stage
        .in_time("wait for a heartbeat of a running task", "its start", seen)
        .await?;
    equal(
        "read the starts in a heartbeat",
        &Some(1),
        &seen.ok().map(|heartbeat| heartbeat.starts),
    )?;
    stage.bench.open(task);
    stage.end(task).await?;
    Ok(())
}

pub(super) async fn progress<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _worker = stage.worker(2).await?;
    let task = stage.task("tell", json!({"messages": ["one", "two", "three"]}));
    stage.submit(&task).await?;
    let mut latest = follow(&stage, task.task);
    let is_last = |heartbeat: &Heartbeat| {
        let progress = heartbeat.progress.as_ref();
        progress.is_some_and(|progress| progress.message == "three")
    };
    let doing = "wait for the latest progress of a task";
    let seen = stage
        .in_time(doing, "the progress `three`", latest.wait_for(is_last))
        .await?;
    let starts = seen.map(|heartbeat| heartbeat.starts);
    let starts = starts.map_err(|error| Wrong::error(doing, &error))?;
    equal("read the starts in a heartbeat with progress", &1, &starts)?;
    stage.bench.open(task.task);
    stage.end(task.task).await?;
    Ok(())
}

/// Follows a task in the background; returns its latest heartbeat.
fn follow<E: BackendEngine>(stage: &Stage<E>, task: TaskId) -> watch::Receiver<Heartbeat> {
    let (sender, latest) = watch::channel(Heartbeat::default());
    let sender = std::sync::Arc::new(sender);
    let backend = stage.backend.clone();
    tokio::spawn(async move {
        let heartbeats = Heartbeats::new({
            let sender = sender.clone();
            move |heartbeat| drop(sender.send_replace(heartbeat))
        });
        // An outage is waited out.
        while backend.outcome(task, heartbeats.clone()).await.is_err() && !sender.is_closed() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    latest
}
