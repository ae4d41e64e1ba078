//! Cancellations and deadlines.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_tool_runtime::{
    SessionId, TaskOutcome, ToolError, ToolErrorKind,
    backend::{Backend as _, CancelMode, Heartbeats},
    task::{TaskSpec, Timestamp},
};
use async_tool_temporal::TemporalBackend;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    bench::{Bench, HEARTBEAT, LIMIT, call, kind, milliseconds, results, session},
    world::millis,
};

/// A running task hears of its cancellation within a second, and a queued one is told within a fifth of a second.
pub(crate) async fn heard(bench: &Bench) -> Result<String> {
    let manager = bench.manager(HEARTBEAT).await?;
    let mut slowest = Duration::ZERO;
    for round in 0..3 {
        let queued = manager.submit(&session(), call("listen", json!({"label": format!("queued{round}")})))?;
        sleep(Duration::from_millis(200)).await;
        let begun = Instant::now();
        manager.cancel(queued.id(), "the user left");
        let ended = results(&[queued]).await?;
        slowest = slowest.max(begun.elapsed());
        ensure!(
            ended[0].outcome == TaskOutcome::Cancelled("the user left".to_owned()),
            "a queued task ended as {:?}",
            ended[0].outcome
        );
    }
    ensure!(
        slowest <= Duration::from_millis(200),
        "a queued task was told after {slowest:?}"
    );
    ensure!(bench.world.count("start") == 0, "a queued task was started");

    let _worker = bench.worker(10)?;
    let mut tasks = Vec::new();
    for number in 0..5 {
        tasks.push(manager.submit(&session(), call("listen", json!({"label": format!("running{number}")})))?);
    }
    bench.world.wait("start", 5, LIMIT).await?;
    let cancelled = millis();
    for task in &tasks {
        task.cancel("enough");
    }
    bench.world.wait("heard", 5, LIMIT).await?;
    let heard = bench
        .world
        .events("heard")
        .iter()
        .map(|event| event.at.saturating_sub(cancelled))
        .max()
        .unwrap_or_default();
    ensure!(heard <= 1_000, "a running task heard after {heard} ms");
    results(&tasks).await?;

    let backend = bench.backend(HEARTBEAT).await?;
    let doomed = TaskSpec::new(session(), call("nap", json!({"label": "aborted", "millis": 30_000})));
    backend.submit(doomed.clone()).await?;
    bench.world.wait("start", 6, LIMIT).await?;
    backend.cancel(doomed.task, CancelMode::Abort, "no longer").await?;
    let ended = timeout(LIMIT, backend.outcome(doomed.task, Heartbeats::ignored())).await??;
    ensure!(
        ended.outcome == TaskOutcome::Cancelled("no longer".to_owned()) && ended.attempts == 1,
        "an aborted task ended as {ended:?}"
    );
    // Cancelling a task that has ended, or was never there, is no error.
    backend.cancel(doomed.task, CancelMode::Cancel, "again").await?;
    backend
        .cancel(
            TaskSpec::new(session(), call("nap", json!({}))).task,
            CancelMode::Abort,
            "never there",
        )
        .await?;
    Ok(format!(
        "queued: told after {} ms; running: heard after {heard} ms",
        milliseconds(slowest)
    ))
}

/// A deadline without a worker is a timeout, at the deadline.
pub(crate) async fn deadline(bench: &Bench) -> Result<String> {
    let manager = bench.manager(HEARTBEAT).await?;
    let backend = bench.backend(HEARTBEAT).await?;
    let task = || {
        let call = call("nap", json!({"label": "late", "millis": 1}));
        TaskSpec::new(session(), call).with_deadline(Timestamp::from_millis(millis() + 2_000))
    };
    let (told, alone) = (task(), task());
    let begun = Instant::now();
    backend.submit(alone.clone()).await?;
    let result = results(&[manager.submit_task(told)?]).await?;
    let after = begun.elapsed();
    ensure!(
        kind(&result[0]) == Some(ToolErrorKind::Timeout),
        "the task ended as {:?}",
        result[0].outcome
    );
    ensure!(after <= Duration::from_secs(3), "the task ended after {after:?}");
    let alone = timeout(LIMIT, backend.outcome(alone.task, Heartbeats::ignored())).await??;
    ensure!(
        alone.outcome.error().map(ToolError::kind) == Some(ToolErrorKind::Timeout),
        "the engine's task ended as {alone:?}"
    );
    let late = begun.elapsed();
    ensure!(late <= Duration::from_secs(3), "the engine's task ended after {late:?}");
    for far in [
        u64::MAX,
        i64::MAX.cast_unsigned(),
        millis() + 400 * 366 * 24 * 3_600_000,
    ] {
        let call = call("nap", json!({"label": "far", "millis": 1}));
        let far = TaskSpec::new(session(), call).with_deadline(Timestamp::from_millis(far));
        backend.submit(far).await.context("a deadline in the far future")?;
    }
    Ok(format!(
        "deadline 2000 ms; the manager told it after {} ms, the engine after {} ms",
        milliseconds(after),
        milliseconds(late)
    ))
}

/// The open tasks of a session are listed, whatever its name; heartbeats tell the start and the progress.
pub(crate) async fn seen(bench: &Bench) -> Result<String> {
    let backend = bench.backend(HEARTBEAT).await?;
    let names = [
        "o'brien",
        "a\\b \"c\"",
        "Grüße %",
        "' OR AgentSession != ''",
        &"long ".repeat(100),
    ];
    let mut all = Vec::new();
    for name in names {
        let task = TaskSpec::new(SessionId::new(name), call("advance", json!({"label": "seen"})));
        backend.submit(task.clone()).await?;
        all.push(task);
    }
    // Another program of the namespace, with a session of the same name.
    let other = TemporalBackend::connect(bench.url.as_str())
        .queue("seen by others")
        .await?;
    let others = TaskSpec::new(all[0].session.clone(), call("advance", json!({"label": "others"})));
    other.submit(others.clone()).await?;
    let begun = Instant::now();
    while other.open_tasks(&others.session).await? != [others.task] {
        ensure!(begun.elapsed() < LIMIT, "the task of another queue is not listed");
        sleep(Duration::from_millis(20)).await;
    }
    for task in &all {
        while backend.open_tasks(&task.session).await? != [task.task] {
            ensure!(
                begun.elapsed() < LIMIT,
                "session {:?} has the open tasks {:?}",
                task.session,
                backend.open_tasks(&task.session).await?
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
    let listed = begun.elapsed();
    let _worker = bench.worker(10)?;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let heartbeats = Heartbeats::new(move |heartbeat| drop(tell.send(heartbeat)));
    let ended = timeout(LIMIT, backend.outcome(all[0].task, heartbeats)).await??;
    ensure!(
        matches!(ended.outcome, TaskOutcome::Completed(_)),
        "the task ended as {ended:?}"
    );
    let mut halfway = false;
    let mut started = false;
    while let Ok(heartbeat) = told.try_recv() {
        started |= heartbeat.starts == 1;
        halfway |= heartbeat.progress.is_some_and(|progress| progress.message == "halfway");
    }
    ensure!(
        started && halfway,
        "heartbeats told the start: {started}, the progress: {halfway}"
    );
    for task in &all {
        timeout(LIMIT, backend.outcome(task.task, Heartbeats::ignored())).await??;
    }
    let begun = Instant::now();
    while !backend.open_tasks(&all[1].session).await?.is_empty() {
        ensure!(begun.elapsed() < LIMIT, "a task that has ended stays in the list");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(format!(
        "open tasks of 5 sessions with odd names, listed after {} ms; start and progress heard",
        milliseconds(listed)
    ))
}
