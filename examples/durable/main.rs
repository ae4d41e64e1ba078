//! A session that outlives its process.
//!
//! ```text
//! cargo run --features sqlite --example durable          # while it works, kill the process with the command that it prints
//! cargo run --features sqlite --example durable          # resumes the session
//! ```
//!
//! Five errands run in the background, one for each way in which a restart can treat a call. They write their effects into files,
//! independently of the journal. At the end the program compares the files with the journal.

mod clerk;
mod errands;
mod report;
mod world;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Journal, SessionId, TaskStatus, journal::SessionFilter, tools,
};
use async_tool_sqlite::SqliteJournal;
use clap::Parser;
use clerk::Clerk;
use shared::console::say;
use world::World;

/// A session that outlives its process.
#[derive(Parser)]
struct Arguments {
    /// The directory of the journal and of the errands' files.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/durable"))]
    directory: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { directory } = Arguments::parse();
    std::fs::create_dir_all(&directory).with_context(|| format!("can't create {}", directory.display()))?;
    let directory = directory.canonicalize()?;
    let file = directory.join("sessions.db");
    let journal = SqliteJournal::open(&file)?;
    let journal: Arc<dyn Journal> = Arc::new(journal);
    let world = World::of(&directory)?;
    let manager = AsyncToolManager::builder()
        .tools(tools![
            errands::weigh,
            errands::store,
            errands::pay,
            errands::send_letter,
            errands::order
        ])
        .state(world.clone())
        .build()?;

    let session = session(&*journal).await?;
    let agent = AsyncAgent::builder(Clerk, manager.clone())
        .journal(Arc::clone(&journal))
        .session(session.clone())
        .resume_or_start()
        .await?;
    let events = agent.events();
    match agent.resumption() {
        Some(resumption) => report::resumption(&session, resumption, &agent.tasks().await?),
        None => {
            say(format_args!(
                "Session `{session}` is new. Its journal is {}.\n\
                 Kill this process within the next seconds, and start the program again:\n\n    kill -9 {}\n",
                file.display(),
                std::process::id(),
            ));
            agent.send("Please run my errands.").await?;
        }
    }
    let narrator = tokio::spawn(report::narrate(events));
    tokio::select! {
        end = agent.run_until_idle() => end?,
        end = shop(&agent, &manager) => end?,
        end = tokio::signal::ctrl_c() => {
            end?;
            agent.leave().await?;
            say("\nThe session stays open: start the program again to resume it.");
            return Ok(());
        }
    }
    let tasks = agent.tasks().await?;
    let transcript = agent.transcript().await?;
    agent.close().await?;
    narrator.await?;
    report::balance(&tasks, &transcript, &world)?;
    say(format_args!(
        "\nThe whole session: cargo run -p async-tool-cli -- journal show {}",
        file.display()
    ));
    Ok(())
}

/// Id of the open session, or else of a new one.
async fn session(journal: &dyn Journal) -> anyhow::Result<SessionId> {
    if let Some(open) = report::all(journal.sessions(SessionFilter::Open)).await?.pop() {
        return Ok(open);
    }
    let number = report::all(journal.sessions(SessionFilter::All)).await?.len() + 1;
    Ok(SessionId::new(format!("errands-{number}")))
}

/// Shop outside of the agent: completes each deferred order after some seconds, in this process or after a restart.
async fn shop(agent: &AsyncAgent, manager: &AsyncToolManager) -> anyhow::Result<()> {
    let mut events = agent.events();
    loop {
        for task in agent.tasks().await? {
            let is_ordered = manager.task(task.task).is_some_and(|handle| handle.snapshot().deferred);
            if is_ordered && task.status == TaskStatus::Running {
                tokio::time::sleep(errands::DELIVERY).await;
                // When this returns, the result is in the journal, so the shop need not call again after a restart.
                manager.resolve_durably(task.task, "the shelf was delivered").await?;
            }
        }
        let is_next =
            |kind: &AgentEventKind| matches!(kind, AgentEventKind::Deferred { .. } | AgentEventKind::Started { .. });
        while let Some(event) = events.next().await {
            if is_next(&event.kind) {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
