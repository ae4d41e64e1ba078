//! Workers that die, freeze, and stop.

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::bench::{Bench, HEARTBEAT, LIMIT, all_completed, milliseconds, results, submit};

/// One of two workers is killed while it runs half of forty tasks.
pub(crate) async fn killed(bench: &Bench) -> Result<String> {
    let mut doomed = bench.worker(25)?;
    let _other = bench.worker(40)?;
    let manager = bench.manager(HEARTBEAT).await?;
    let tasks = submit(&manager, "nap", 0..40, 1_500)?;
    bench.world.wait("start", 40, LIMIT).await?;
    let lost = bench
        .world
        .events("start")
        .iter()
        .filter(|start| start.process == doomed.id())
        .count();
    doomed.kill()?;
    let begun = Instant::now();
    all_completed(&results(&tasks).await?)?;
    let after = begun.elapsed();
    let extra = bench.world.count("start") - 40;
    ensure!(lost > 0, "the killed worker had no task");
    ensure!(extra <= 40, "there were {extra} further starts");
    ensure!(
        after <= HEARTBEAT + Duration::from_secs(4),
        "the last task ended {after:?} after the kill"
    );
    Ok(format!(
        "{lost} tasks lost their worker; {extra} further starts; all done {} ms after the kill",
        milliseconds(after)
    ))
}

/// A worker freezes for five heartbeat timeouts, and wakes up beside the other one.
pub(crate) async fn frozen(bench: &Bench) -> Result<String> {
    let heartbeat = Duration::from_millis(2_200);
    let frozen = bench.worker(12)?;
    let _other = bench.worker(20)?;
    let manager = bench.manager(heartbeat).await?;
    let tasks = submit(&manager, "nap", 0..20, 2_000)?;
    bench.world.wait("start", 20, LIMIT).await?;
    frozen.signal(Signal::STOP)?;
    let begun = Instant::now();
    all_completed(&results(&tasks).await?)?;
    let after = begun.elapsed();
    sleep((heartbeat * 5).saturating_sub(after)).await;
    frozen.signal(Signal::CONT)?;
    // It works on.
    let later = submit(&manager, "nap", 20..40, 200)?;
    all_completed(&results(&later).await?)?;
    Ok(format!(
        "20 of 20 completed, {} ms after the freeze; the frozen worker works on",
        milliseconds(after)
    ))
}

/// A worker that is told to stop hands back what may be repeated, and cancels nothing.
pub(crate) async fn stopped(bench: &Bench) -> Result<String> {
    let mut leaving = bench.worker(16)?;
    let manager = bench.manager(HEARTBEAT).await?;
    let mut tasks = submit(&manager, "nap", 0..8, 4_000)?;
    tasks.extend(submit(&manager, "pay", 0..4, 2_000)?);
    bench.world.wait("start", 12, LIMIT).await?;
    let other = bench.worker(16)?;
    leaving.signal(Signal::TERM)?;
    let begun = Instant::now();
    let status = leaving.end(LIMIT).await?;
    let left = begun.elapsed();
    all_completed(&results(&tasks).await?)?;
    let moved = bench
        .world
        .events("start")
        .iter()
        .filter(|start| start.process == other.id())
        .count();
    ensure!(status.success(), "the worker ended with {status}");
    ensure!(moved == 8, "{moved} of 8 repeatable tasks went to the other worker");
    ensure!(
        bench.world.count("start") == 20,
        "there were {} starts",
        bench.world.count("start")
    );
    Ok(format!(
        "none cancelled; {moved} went to the other worker, 4 that must not happen twice ended first; stopped in {} ms",
        milliseconds(left)
    ))
}
