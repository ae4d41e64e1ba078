//! Agents and workers that are killed together.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use async_tool_runtime::{
    AsyncAgent, Journal as _, RulePlanner, SessionId, TaskOutcome, TaskStatus,
    journal::{CallAnswer, Entry, Seq, check_journal},
};
use async_tool_sqlite::SqliteJournal;
use async_tool_temporal::TemporalBackend;
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep};

use crate::{
    bench::{Bench, HEARTBEAT, LIMIT, milliseconds},
    process::Process,
    tools,
    world::World,
};

const ROUNDS: usize = 4;
const TASKS: usize = 20;
const SESSION: &str = "rounds";

/// Four rounds of twenty tasks; in each, the agent and both workers are killed in the middle.
pub(crate) async fn killed(bench: &Bench) -> Result<String> {
    let journal = bench.directory.join("rounds.db");
    for leftover in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{leftover}", journal.display()));
    }
    let path = journal.to_str().context("the path of the journal is no text")?;
    let log = bench.world.path().to_str().context("the path of the log is no text")?;
    let begun = Instant::now();
    for round in 0..ROUNDS {
        let number = round.to_string();
        let arguments = ["agent", &bench.url, &bench.queue, path, log, &number];
        let output = bench.directory.join("agent.out");
        let mut agent = Process::of_this_program(&arguments, &output)?;
        let mut workers = [bench.worker(12)?, bench.worker(12)?];
        bench
            .world
            .wait_for_labels("start", &format!("r{round}t"), TASKS, LIMIT)
            .await?;
        sleep(Duration::from_millis(200)).await;
        agent.kill()?;
        for worker in &mut workers {
            worker.kill()?;
        }
        let _workers = [bench.worker(12)?, bench.worker(12)?];
        let mut agent = Process::of_this_program(&arguments, &output)?;
        let status = agent.end(LIMIT).await?;
        ensure!(
            status.success(),
            "the agent ended with {status}; see {}",
            output.display()
        );
    }
    let entries = entries(path).await?;
    check_journal(&entries).context("the journal breaks a promise")?;
    let mut settled = BTreeMap::new();
    for entry in &entries {
        if let Entry::Settled { result, .. } = entry {
            *settled.entry(outcome(&result.outcome)).or_insert(0_usize) += 1;
        }
    }
    let told = entries.iter().map(told).sum::<usize>();
    ensure!(
        settled.get("completed") == Some(&(ROUNDS * TASKS)),
        "the tasks ended as {settled:?}"
    );
    ensure!(told == ROUNDS * TASKS, "{told} results were told");
    Ok(format!(
        "{} tasks, each told once; {} starts; {} ms",
        ROUNDS * TASKS,
        bench.world.count("start"),
        milliseconds(begun.elapsed())
    ))
}

/// Number of results that an entry tells the model.
fn told(entry: &Entry) -> usize {
    match entry {
        Entry::Delivered { tasks, .. } | Entry::Replaced { tasks, .. } => tasks.len(),
        Entry::Answered { answers, .. } => {
            let told = answers.iter().map(|answer| match answer {
                CallAnswer::Result(_) => 1,
                CallAnswer::Report { tasks, .. } => tasks.len(),
                _ => 0,
            });
            told.sum()
        }
        _ => 0,
    }
}

fn outcome(outcome: &TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Completed(_) => "completed",
        TaskOutcome::Failed(_) => "failed",
        TaskOutcome::Cancelled(_) => "cancelled",
        _ => "unknown",
    }
}

async fn entries(path: &str) -> Result<Vec<Entry>> {
    let journal = SqliteJournal::open(path)?;
    let session = SessionId::new(SESSION);
    let mut read = journal.read(&session, Seq::START);
    let mut entries = Vec::new();
    while let Some(entry) = read.next().await {
        entries.push(entry?.1);
    }
    Ok(entries)
}

/// The agent's process: one round of a session in a file, resumed if an earlier process was killed.
pub(crate) async fn agent(url: &str, queue: &str, path: &str, log: &str, round: usize) -> Result<()> {
    let backend = TemporalBackend::connect(url).queue(queue).heartbeat(HEARTBEAT).await?;
    let manager = tools::manager(World::new(log)).backend(backend).build()?;
    let agent = AsyncAgent::builder(RulePlanner::new(), manager)
        .journal(SqliteJournal::open(path)?)
        .session(SESSION)
        .resume_or_start()
        .await?;
    // A process that was killed may have sent this round's message already.
    if agent.tasks().await?.len() <= round * TASKS {
        let calls: Vec<String> = (0..TASKS).map(|task| format!("nap r{round}t{task} 900")).collect();
        agent.send(calls.join("; ")).await?;
    }
    agent.run_until_idle().await?;
    for task in agent.tasks().await? {
        ensure!(
            task.status == TaskStatus::Completed,
            "a task has not completed: {task:?}"
        );
    }
    agent.leave().await?;
    Ok(())
}
