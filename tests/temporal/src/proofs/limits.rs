//! Sizes, rates, and tools that a worker doesn't have.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_tool_runtime::{ToolError, backend::Backend as _};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    bench::{Bench, HEARTBEAT, all_completed, call, results, session, submit},
    process::Process,
};

/// Starts in a second that all workers of a queue with a rate make.
pub(crate) const RATE: f64 = 4.0;

/// Arguments and results over the limit are errors that name it, and the tool starts once at most.
pub(crate) async fn payloads(bench: &Bench) -> Result<String> {
    let _worker = bench.worker(10)?;
    let manager = bench.manager(HEARTBEAT).await?;
    let limit = bench
        .backend(HEARTBEAT)
        .await?
        .capabilities()
        .max_payload
        .context("the backend has no limit")?;

    let large = manager.submit(
        &session(),
        call("big", json!({"label": "large", "bytes": limit + 1_000_000})),
    )?;
    let ended = results(&[large]).await?;
    let error = ended[0]
        .outcome
        .error()
        .with_context(|| format!("a large result ended as {:.200?}", ended[0].outcome))?;
    for part in [&*limit.to_string(), "result_limit"] {
        ensure!(
            error.message().contains(part) || error.model_message().contains(part),
            "the error lacks `{part}`: {error:?}"
        );
    }
    ensure!(
        bench.world.of("start", "large") == 1,
        "the tool was started {} times",
        bench.world.of("start", "large")
    );

    let arguments = json!({"text": "x".repeat(limit + 1)});
    let message = match manager.submit(&session(), call("echo", arguments)) {
        Err(error) => error.to_string(),
        Ok(task) => {
            let ended = results(&[task]).await?;
            let error = ended[0].outcome.error().context("large arguments were taken")?;
            ToolError::message(error).to_owned()
        }
    };
    ensure!(
        message.contains(&limit.to_string()),
        "the error lacks the limit: {message}"
    );

    // A payload that just fits is carried.
    let fits = manager.submit(
        &session(),
        call("big", json!({"label": "fits", "bytes": limit - 1_000})),
    )?;
    all_completed(&results(&[fits]).await?)?;
    Ok(format!("limit {limit} bytes; one start; \"{message:.90}…\""))
}

/// A worker without the tool hands the task back, until one with the tool comes.
pub(crate) async fn unknown_tool(bench: &Bench) -> Result<String> {
    let path = bench.world.path().to_str().context("the path of the log is no text")?;
    let log = bench.world.path().with_extension("workers");
    let _without = Process::of_this_program(&["worker-without-tools", &bench.url, &bench.queue, "10", path], &log)?;
    let manager = bench.manager(HEARTBEAT).await?;
    let task = manager.submit(&session(), call("nap", json!({"label": "new", "millis": 10})))?;
    sleep(Duration::from_millis(1_500)).await;
    ensure!(
        task.result().is_none(),
        "the task ended without a worker that has the tool: {:?}",
        task.result()
    );
    let _with = bench.worker(10)?;
    let ended = results(&[task]).await?;
    all_completed(&ended)?;
    ensure!(
        bench.world.count("start") == 1 && ended[0].attempts == 1,
        "there were {} starts",
        bench.world.count("start")
    );
    Ok("handed back until a worker with the tool came; one start".to_owned())
}

/// Two workers together start no more tasks in a second than their queue has as its rate.
pub(crate) async fn queue_rate(bench: &Bench) -> Result<String> {
    const TASKS: usize = 24;
    let path = bench.world.path().to_str().context("the path of the log is no text")?;
    let log = bench.world.path().with_extension("workers");
    let worker = || Process::of_this_program(&["worker-with-rate", &bench.url, &bench.queue, "20", path], &log);
    let _workers = [worker()?, worker()?];
    let manager = bench.manager(HEARTBEAT).await?;
    // The server learns the rate from the first poll.
    all_completed(&results(&submit(&manager, "nap", 0..1, 1)?).await?)?;
    all_completed(&results(&submit(&manager, "nap", 1..TASKS + 1, 1)?).await?)?;
    let mut starts: Vec<u64> = bench.world.events("start").iter().map(|start| start.at).collect();
    starts.sort_unstable();
    let (first, last) = (starts[1], starts[TASKS]);
    let took = Duration::from_millis(last - first);
    // Half of what the rate says: the server lets a burst through, and shares the rate out to the parts of the queue.
    let least = Duration::from_secs(3);
    ensure!(took >= least, "{TASKS} starts took {took:?}, less than {least:?}");
    Ok(format!(
        "{TASKS} starts at {RATE} in a second took {} ms",
        took.as_millis()
    ))
}
