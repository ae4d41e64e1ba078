//! Outages of the engine.

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};
use async_tool_runtime::{
    TaskOutcome,
    backend::{Backend as _, Heartbeats},
    task::TaskSpec,
};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    bench::{Bench, LIMIT, all_completed, call, milliseconds, results, session, submit},
    server::Server,
};

/// The heartbeat timeout that users get who set none. It is longer than the outage.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(30);
const OUTAGE: Duration = Duration::from_secs(15);

/// The engine is down for fifteen seconds: running tasks go on, and submits wait.
pub(crate) async fn survived(program: &Path, directory: &Path) -> Result<String> {
    let mut server = Server::with_file(program, directory, "outage.db").await?;
    let bench = Bench::new(&server, directory, "outage")?;
    let _worker = bench.worker(40)?;
    let manager = bench.manager(DEFAULT_HEARTBEAT).await?;
    // Some end during the outage, some after it, and must not happen twice.
    let mut tasks = submit(&manager, "nap", 0..5, 6_000)?;
    tasks.extend(submit(&manager, "pay", 0..5, 6_000)?);
    tasks.extend(submit(&manager, "pay", 5..10, 18_000)?);
    bench.world.wait("start", 15, LIMIT).await?;
    server.kill()?;
    sleep(Duration::from_secs(2)).await;
    tasks.extend(submit(&manager, "nap", 5..10, 100)?);
    sleep(OUTAGE - Duration::from_secs(2)).await;
    let begun = Instant::now();
    server.restart().await?;
    let results = results(&tasks).await?;
    let after = begun.elapsed();
    let unknown = results
        .iter()
        .filter(|result| matches!(result.outcome, TaskOutcome::Unknown(_)))
        .count();
    ensure!(unknown == 0, "{unknown} tasks are unknown");
    all_completed(&results)?;
    let starts = bench.world.count("start");
    ensure!(starts == 20, "20 tasks were started {starts} times");
    Ok(format!(
        "20 of 20 completed, none unknown, {starts} starts; all told {} ms after the engine was back",
        milliseconds(after)
    ))
}

/// The engine is killed during two hundred submits: it has every task that it has acknowledged.
pub(crate) async fn acknowledged(program: &Path, directory: &Path) -> Result<String> {
    let mut server = Server::with_file(program, directory, "submits.db").await?;
    let bench = Bench::new(&server, directory, "submits")?;
    let backend = bench.backend(DEFAULT_HEARTBEAT).await?;
    let acknowledged = std::sync::Mutex::new(Vec::new());
    let all: Vec<TaskSpec> = (0..200)
        .map(|number| {
            TaskSpec::new(
                session(),
                call("nap", json!({"label": format!("s{number}"), "millis": 1})),
            )
        })
        .collect();
    let submits = async {
        let (backend, acknowledged) = (&backend, &acknowledged);
        let eight = all.chunks(25).map(|part| async move {
            for task in part {
                // An error is no acknowledgement.
                if backend.submit(task.clone()).await.is_ok() {
                    acknowledged
                        .lock()
                        .unwrap_or_else(|lock| lock.into_inner())
                        .push(task.task);
                }
            }
        });
        futures_util::future::join_all(eight).await;
    };
    let kill = async {
        while acknowledged.lock().unwrap_or_else(|lock| lock.into_inner()).len() < 80 {
            sleep(Duration::from_millis(1)).await;
        }
        server.kill()
    };
    // The submits that find no server would wait for it; only the acknowledged ones count.
    tokio::select! {
        () = submits => {}
        () = async {
            let _ = kill.await;
            sleep(Duration::from_secs(1)).await;
        } => {}
    }
    let acknowledged = acknowledged.into_inner().unwrap_or_else(|lock| lock.into_inner());
    ensure!(acknowledged.len() < 200, "the engine was killed too late");
    server.restart().await?;
    let _worker = bench.worker(50)?;
    for task in &acknowledged {
        let ended = timeout(LIMIT, backend.outcome(*task, Heartbeats::ignored())).await??;
        ensure!(
            matches!(ended.outcome, TaskOutcome::Completed(_)),
            "task {task} ended as {ended:?}"
        );
    }
    Ok(format!(
        "{} of {} acknowledged tasks were there after the kill, and ran",
        acknowledged.len(),
        acknowledged.len()
    ))
}
