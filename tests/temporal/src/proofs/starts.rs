//! Starts of functions: once for each task, and not again where that would harm.

use std::time::Duration;

use anyhow::{Result, ensure};
use async_tool_runtime::{
    TaskOutcome, ToolErrorKind,
    backend::{Backend as _, Heartbeats},
    task::TaskSpec,
};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{
    bench::{Bench, HEARTBEAT, LIMIT, all_completed, call, kind, milliseconds, results, session, submit},
    process::Supervised,
};

/// A task that is submitted three times, and again after its end, starts once.
pub(crate) async fn once_per_task(bench: &Bench) -> Result<String> {
    let _worker = bench.worker(10)?;
    let backend = bench.backend(HEARTBEAT).await?;
    let task = TaskSpec::new(session(), call("nap", json!({"label": "again", "millis": 300})));
    for _ in 0..3 {
        backend.submit(task.clone()).await?;
    }
    let first = timeout(LIMIT, backend.outcome(task.task, Heartbeats::ignored())).await??;
    backend.submit(task.clone()).await?;
    // Another process of the agent.
    let other = bench.backend(HEARTBEAT).await?;
    other.submit(task.clone()).await?;
    let again = timeout(LIMIT, other.outcome(task.task, Heartbeats::ignored())).await??;
    ensure!(first == again, "the outcome was {first:?}, and then {again:?}");
    ensure!(
        first.outcome == TaskOutcome::Completed(json!("again")),
        "the outcome was {first:?}"
    );
    ensure!(
        first.attempts == 1 && bench.world.count("start") == 1,
        "there were {} starts",
        bench.world.count("start")
    );
    Ok("five submits, one start".to_owned())
}

/// Calls that must not happen twice, on a worker that is killed: none starts again.
pub(crate) async fn never_twice(bench: &Bench) -> Result<String> {
    let mut doomed = bench.worker(20)?;
    let manager = bench.manager(HEARTBEAT).await?;
    let mut tasks = submit(&manager, "pay", 0..10, 1_500)?;
    tasks.extend(submit(&manager, "book", 0..10, 1_500)?);
    bench.world.wait("start", 20, LIMIT).await?;
    doomed.kill()?;
    let _other = bench.worker(20)?;
    // Work that was not lost goes on beside it.
    tasks.extend(submit(&manager, "pay", 10..15, 100)?);
    let results = results(&tasks).await?;
    let mut unknown = 0;
    for result in &results[..10] {
        ensure!(
            matches!(result.outcome, TaskOutcome::Unknown(_)),
            "a lost payment ended as {:?}",
            result.outcome
        );
        unknown += 1;
    }
    for result in &results[10..20] {
        let value = result
            .outcome
            .value()
            .and_then(|value| value.as_str())
            .unwrap_or_default();
        ensure!(
            value.ends_with("by the books"),
            "a lost booking ended as {:?}",
            result.outcome
        );
    }
    all_completed(&results[20..])?;
    let starts = bench.world.count("start");
    ensure!(
        starts == tasks.len(),
        "{} tasks were started {starts} times",
        tasks.len()
    );
    Ok(format!("25 tasks, {starts} starts; {unknown} unknown, 10 reconciled"))
}

/// A call that kills its workers ends with an error, and its neighbours with their results.
pub(crate) async fn poison(bench: &Bench) -> Result<String> {
    let manager = bench.manager(Duration::from_millis(2_200)).await?;
    let neighbours = submit(&manager, "nap", 0..10, 600)?;
    let begun = Instant::now();
    let poison = manager.submit(&session(), call("poison", json!({"label": "poison"})))?;
    let mut worker = Supervised::new(&bench.url, &bench.queue, 20, &bench.world)?;
    let ended = async {
        let poisoned = results(&[poison]).await?;
        let after = begun.elapsed();
        Ok::<_, anyhow::Error>((poisoned, after, results(&neighbours).await?))
    };
    let (poisoned, after, neighbours) = tokio::select! {
        ended = ended => ended?,
        lost = worker.watch() => match lost? {},
    };
    let starts = bench.world.count("poison");
    ensure!(
        kind(&poisoned[0]) == Some(ToolErrorKind::Panicked),
        "the poison ended as {:?}",
        poisoned[0].outcome
    );
    ensure!(after < Duration::from_secs(30), "the poison ended after {after:?}");
    ensure!(starts == 4, "the poison was started {starts} times");
    all_completed(&neighbours)?;
    Ok(format!(
        "10 of 10 neighbours completed; the poison ended after {starts} starts and {} ms",
        milliseconds(after)
    ))
}
