//! Proofs of the Temporal backend, against Temporal's development server. `tests/temporal/run` installs the server and calls this program.
//!
//! It is also the workers and the agents of the proofs, as processes of their own.

mod bench;
mod found;
mod process;
mod proofs;
mod raw;
mod server;
mod tools;
mod world;

use std::{future::Future, path::Path, pin::Pin, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use async_tool_runtime::AsyncToolManager;
use async_tool_temporal::TemporalWorker;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{Instant, timeout},
};

use crate::{
    bench::Bench,
    proofs::{agents, cancel, figures, limits, outages, starts, suite, workers},
    server::Server,
    world::World,
};

/// Longest time of one proof.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::ERROR)
        .with_writer(std::io::stderr)
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [kind @ ("worker" | "worker-with-rate"), url, queue, slots, log] => {
            let worker = worker(url, queue, slots, &tools::manager(World::new(log)).build()?)?;
            run_until_terminated(match kind {
                "worker" => worker,
                _ => worker.queue_rate(limits::RATE),
            })
            .await
        }
        ["worker-without-tools", url, queue, slots, _] => {
            run_until_terminated(worker(url, queue, slots, &AsyncToolManager::builder().build()?)?).await
        }
        ["raw-worker", url, queue] => raw::worker(url, queue).await,
        ["agent", url, queue, journal, log, round] => agents::agent(url, queue, journal, log, round.parse()?).await,
        ["prove", program, directory, ref names @ ..] => prove(Path::new(program), Path::new(directory), names).await,
        ["short"] => short().await,
        _ => bail!("usage: temporal-proofs prove PROGRAM DIRECTORY [NAME…]"),
    }
}

fn worker(url: &str, queue: &str, slots: &str, manager: &AsyncToolManager) -> Result<TemporalWorker> {
    Ok(TemporalWorker::new(url, queue, manager.executor().clone()).slots(slots.parse()?))
}

async fn run_until_terminated(worker: TemporalWorker) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    Ok(worker.run(stop).await?)
}

/// The proofs that take a moment, if there is a server.
async fn short() -> Result<()> {
    let Some(program) = found::server() else {
        println!(
            "skipped: no program `temporal` here, so nothing was tried against a server; `tests/temporal/run` installs it and runs all proofs"
        );
        return Ok(());
    };
    let directory = found::target()
        .context("this program has no directory")?
        .join("temporal/short");
    prove(&program, &directory, &["1-", "7-", "11-"]).await
}

async fn prove(program: &Path, directory: &Path, names: &[&str]) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut run = Run {
        names,
        passed: 0,
        failed: 0,
    };
    let server = Server::start(program, directory).await?;
    let bench = |proof: &str| Bench::new(&server, directory, proof);
    run.proof("1-submits", async { starts::once_per_task(&bench("submits")?).await })
        .await;
    run.proof("2-killed-worker", async { workers::killed(&bench("killed")?).await })
        .await;
    run.proof("3-frozen-worker", async { workers::frozen(&bench("frozen")?).await })
        .await;
    run.proof("4-once", async { starts::never_twice(&bench("once")?).await })
        .await;
    run.proof("5-poison", async { starts::poison(&bench("poison")?).await })
        .await;
    run.proof("6-sigterm", async { workers::stopped(&bench("stopped")?).await })
        .await;
    run.proof("7-cancel", async { cancel::heard(&bench("cancel")?).await })
        .await;
    run.proof("8-outage", async { outages::survived(program, directory).await })
        .await;
    run.proof("9-acknowledged", async {
        outages::acknowledged(program, directory).await
    })
    .await;
    run.proof("10-agents", async { agents::killed(&bench("agents")?).await })
        .await;
    run.proof("11-deadline", async { cancel::deadline(&bench("deadline")?).await })
        .await;
    run.proof("12-payloads", async { limits::payloads(&bench("payloads")?).await })
        .await;
    run.proof("13-unknown-tool", async {
        limits::unknown_tool(&bench("unknown")?).await
    })
    .await;
    run.proof("14-open-tasks", async { cancel::seen(&bench("seen")?).await })
        .await;
    run.proof("15-rules", async { suite::rules(&bench("rules")?).await })
        .await;
    run.proof("16-queue-rate", async { limits::queue_rate(&bench("rate")?).await })
        .await;
    run.proof("figures", async { figures::figures(&bench("figures")?).await })
        .await;
    println!("{} passed, {} failed", run.passed, run.failed);
    ensure!(run.failed == 0 && run.passed > 0, "not all proofs have passed");
    Ok(())
}

struct Run<'a> {
    names: &'a [&'a str],
    passed: usize,
    failed: usize,
}

impl Run<'_> {
    async fn proof(&mut self, name: &str, proof: impl Future<Output = Result<String>>) {
        let is_asked = self.names.iter().any(|part| name.starts_with(part));
        if !self.names.is_empty() && !is_asked {
            return;
        }
        let begun = Instant::now();
        let proof: Pin<Box<dyn Future<Output = Result<String>> + '_>> = Box::pin(proof);
        let ended = timeout(LIMIT, proof).await.context("the proof took too long").flatten();
        let seconds = begun.elapsed().as_secs_f64();
        match ended {
            Ok(measured) => {
                self.passed += 1;
                println!("PASS {name} ({seconds:.1} s): {measured}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL {name} ({seconds:.1} s): {error:#}");
            }
        }
    }
}
