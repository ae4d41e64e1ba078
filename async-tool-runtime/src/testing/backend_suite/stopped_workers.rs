//! Rules about workers that stop.

use serde_json::json;

use super::{
    super::wrong::Checked,
    bench::Bench,
    engine::{BackendEngine, BackendWorker},
    stage::Stage,
};
use crate::task::TaskOutcome;

fn opened() -> TaskOutcome {
    TaskOutcome::Completed(json!("opened"))
}

pub(super) async fn stopped_worker<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let first = stage.worker(4).await?;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let task = stage.start("work").await?;
        stage.started(task, 1).await?;
        tasks.push(task);
    }
    let _second = stage.worker(4).await?;
    stage.in_time("stop a worker", "its end", first.stop()).await?;
    for task in tasks {
        stage.started(task, 2).await?;
        stage.bench.open(task);
        stage.ends_as(task, &opened()).await?;
    }
    Ok(())
}

pub(super) async fn stopped_once<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let first = stage.worker(2).await?;
    let task = stage.start("work_once").await?;
    stage.started(task, 1).await?;
    let _second = stage.worker(2).await?;
    let open = async {
        stage.quiet().await;
        stage.bench.open(task);
    };
    let stop = stage.in_time("stop a worker", "its end", first.stop());
    let (stopped, ()) = tokio::join!(stop, open);
    stopped?;
    stage.ends_as(task, &opened()).await?;
    stage.has_started(task, 1).await
}

pub(super) async fn stops_are_no_starts<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let task = stage.start("work").await?;
    for start in 1..=6 {
        let worker = stage.worker(2).await?;
        stage.started(task, start).await?;
        stage.in_time("stop a worker", "its end", worker.stop()).await?;
    }
    let _last = stage.worker(2).await?;
    stage.started(task, 7).await?;
    stage.bench.open(task);
    stage.ends_as(task, &opened()).await?;
    Ok(())
}

pub(super) async fn unknown_tool<E: BackendEngine>(stage: Stage<E>) -> Checked {
    let _old = stage.worker_with(Bench::executor_without_tools(), 2).await?;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let task = stage.start("work").await?;
        stage.bench.open(task);
        tasks.push(task);
    }
    stage.quiet().await;
    let _new = stage.worker(2).await?;
    for task in tasks {
        stage.ends_as(task, &opened()).await?;
    }
    Ok(())
}
