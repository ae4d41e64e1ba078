//! An agent whose traces and metrics go to an OpenTelemetry collector.
//!
//! ```text
//! cargo run -p async-tool-telemetry-example -- quickstart   # the conversation of the quickstart
//! cargo run -p async-tool-telemetry-example -- bees         # attempts, child tasks, a late result
//! cargo run -p async-tool-telemetry-example -- remote       # a worker in another process
//! cargo run -p async-tool-telemetry-example -- durable FILE # kill it with SIGKILL, and start it again
//! cargo run -p async-tool-telemetry-example -- deferred FILE # as well; the next process completes the call
//! ```
//!
//! The collector is at `OTEL_EXPORTER_OTLP_ENDPOINT`, by default `http://localhost:4318`. The README shows a trace.

mod bees;
mod export;
#[path = "../../quickstart/largest_files.rs"]
mod largest_files;
mod processes;
mod propagator;
mod recorder;
#[path = "../../quickstart/script.rs"]
mod script;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use async_tool_runtime::{AsyncAgent, AsyncToolManager, Model, manager::AsyncToolManagerBuilder, tools};
use async_tool_sqlite::SqliteJournal;
use clap::{Parser, Subcommand};
use shared::{
    assistant,
    tree::{Tree, TreeArguments},
};

use crate::{bees::Pace, export::Export, processes::Processes, propagator::OpenTelemetry};

/// Runs an agent whose traces and metrics go to an OpenTelemetry collector.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Adds arguments and results of calls to the spans.
    #[arg(long, global = true)]
    contents: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Plays the conversation of the quickstart
    Quickstart {
        #[command(flatten)]
        tree: TreeArguments,
    },
    /// Plays a conversation with a slow tool, whose child tasks take several attempts
    Bees,
    /// Plays a conversation whose tool runs in a process of its own
    Remote,
    /// Plays the conversation of `bees` with a journal, and goes on with it after a kill
    Durable {
        /// The journal
        file: PathBuf,
        /// Duration of the slow tool, in seconds
        #[arg(long, default_value_t = 0)]
        seconds: u64,
    },
    /// Calls a tool that waits for a shop; the next process delivers, after a kill
    Deferred {
        /// The journal
        file: PathBuf,
    },
    /// Runs the task on the standard input, for `remote`
    #[command(hide = true)]
    Worker,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { command, contents } = Arguments::parse();
    let service = if matches!(command, Command::Worker) {
        "async-tool-worker"
    } else {
        "async-tool"
    };
    let export = Export::start(service)?;
    let builder = || {
        AsyncToolManager::builder()
            .propagator(OpenTelemetry::default())
            .trace_contents(contents)
    };
    match command {
        Command::Quickstart { tree } => quickstart(builder(), tree).await?,
        Command::Bees => bees(bee_tools(builder(), Pace(Duration::from_millis(200)))).await?,
        Command::Remote => remote(bee_tools(builder(), Pace(Duration::ZERO))).await?,
        Command::Durable { file, seconds } => {
            durable(bee_tools(builder(), Pace(Duration::from_secs(seconds))), &file).await?;
        }
        Command::Deferred { file } => deferred(bee_tools(builder(), Pace(Duration::ZERO)), &file).await?,
        Command::Worker => {
            let manager = bee_tools(builder(), Pace(Duration::ZERO)).build()?;
            processes::work(manager.executor()).await?;
        }
    }
    // The exporters wait for their own threads, which must not block the runtime's.
    tokio::task::spawn_blocking(|| export.finish()).await?
}

fn bee_tools(builder: AsyncToolManagerBuilder, pace: Pace) -> AsyncToolManagerBuilder {
    builder
        .tools(tools![bees::fetch, bees::report, bees::order])
        .state(pace)
}

async fn quickstart(builder: AsyncToolManagerBuilder, tree: TreeArguments) -> anyhow::Result<()> {
    let manager = builder
        .tools(tools![largest_files::largest_files])
        .tools(shared::tools::all())
        .state(Tree::new(tree.root()?))
        .concurrency(assistant::SLOTS)
        .build()?;
    let planner = assistant::planner().rule("name the {count} largest files", "largest_files");
    let agent = AsyncAgent::builder(planner, manager)
        .session("quickstart")
        .start()
        .await?;
    script::play(&agent).await?;
    agent.close().await?;
    Ok(())
}

async fn bees(builder: AsyncToolManagerBuilder) -> anyhow::Result<()> {
    let agent = AsyncAgent::builder(bees::model("report", "topic"), builder.build()?)
        .session("bees")
        .start()
        .await?;
    agent.send("What of honey?").await?;
    agent.run_until_idle().await?;
    agent.close().await?;
    Ok(())
}

async fn remote(builder: AsyncToolManagerBuilder) -> anyhow::Result<()> {
    let manager = builder.backend(Processes::default()).build()?;
    let agent = AsyncAgent::builder(bees::model("fetch", "page"), manager)
        .session("remote")
        .start()
        .await?;
    agent.send("What of honey?").await?;
    agent.run_until_idle().await?;
    agent.close().await?;
    Ok(())
}

async fn durable(builder: AsyncToolManagerBuilder, file: &Path) -> anyhow::Result<()> {
    let agent = resumed(builder, file, bees::model("report", "topic")).await?;
    if agent.resumption().is_none() {
        agent.send("What of honey?").await?;
    }
    println!("process {} works", std::process::id());
    agent.run_until_idle().await?;
    agent.close().await?;
    Ok(())
}

async fn deferred(builder: AsyncToolManagerBuilder, file: &Path) -> anyhow::Result<()> {
    let agent = resumed(builder, file, bees::model("order", "thing")).await?;
    if agent.resumption().is_none() {
        agent.send("I'd like honey.").await?;
        println!("process {} waits for the shop, until it is killed", std::process::id());
        return std::future::pending().await;
    }
    for task in agent.tasks().await? {
        agent.manager().resolve_durably(task.task, "a jar of honey").await?;
    }
    agent.run_until_idle().await?;
    agent.close().await?;
    Ok(())
}

/// The session of a journal, new or resumed.
async fn resumed(builder: AsyncToolManagerBuilder, file: &Path, model: impl Model) -> anyhow::Result<AsyncAgent> {
    let journal = SqliteJournal::open(file).with_context(|| format!("can't open {}", file.display()))?;
    let agent = AsyncAgent::builder(model, builder.build()?).journal(journal);
    Ok(agent.session("bees").resume_or_start().await?)
}
