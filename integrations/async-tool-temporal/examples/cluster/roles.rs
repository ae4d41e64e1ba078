//! The parts of the processes: a worker, and an agent.

use std::{io, path::Path, time::Duration};

use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, async_tool, tool::State, tools};
use async_tool_sqlite::SqliteJournal;
use async_tool_temporal::{TemporalBackend, TemporalWorker};

use crate::{Failure, notes::Notes};

pub(crate) const SESSION: &str = "survey";
pub(crate) const JOURNAL: &str = "sessions.db";
pub(crate) const PLACES: [&str; 8] = [
    "Aachen", "Bremen", "Cottbus", "Dresden", "Erfurt", "Fulda", "Gera", "Halle",
];

const QUEUE: &str = "survey";

/// Worker that runs a tool.
struct Worker {
    name: String,
    notes: Notes,
}

/// Survey a place.
#[async_tool(effect = "read")]
async fn survey(
    /// The place.
    place: String,
    #[inject] worker: State<Worker>,
) -> io::Result<String> {
    worker.notes.start(&place, &worker.name)?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(format!("{place} has been surveyed by worker {}", worker.name))
}

/// The same tools on both sides: the agent needs their definitions, the workers their functions.
fn manager(name: &str, directory: &Path) -> async_tool_runtime::manager::AsyncToolManagerBuilder {
    AsyncToolManager::builder().tools(tools![survey]).state(Worker {
        name: name.to_owned(),
        notes: Notes::new(directory),
    })
}

pub(crate) async fn worker(url: &str, name: &str, directory: &Path) -> Result<(), Failure> {
    let manager = manager(name, directory).build()?;
    let stop = async {
        tokio::signal::ctrl_c().await.ok();
    };
    TemporalWorker::new(url, QUEUE, manager.executor().clone())
        .slots(6)
        .run(stop)
        .await?;
    Ok(())
}

pub(crate) async fn agent(url: &str, directory: &Path) -> Result<(), Failure> {
    // A worker that is silent for three seconds has lost its tasks. The default is longer, for servers that are restarted.
    let backend = TemporalBackend::connect(url)
        .queue(QUEUE)
        .heartbeat(Duration::from_secs(3))
        .await?;
    let manager = manager("of the agent, which runs nothing", directory)
        .backend(backend)
        .build()?;
    let agent = AsyncAgent::builder(RulePlanner::new(), manager)
        .journal(SqliteJournal::open(directory.join(JOURNAL))?)
        .session(SESSION)
        .resume_or_start()
        .await?;
    let process = std::process::id();
    let known = agent.tasks().await?.len();
    if known == 0 {
        println!(
            "agent {process}: a new session; the model calls `survey` for {} places",
            PLACES.len()
        );
        agent
            .send(PLACES.map(|place| format!("survey {place}")).join("; "))
            .await?;
    } else {
        println!("agent {process}: resumes the session; {known} tasks are at work on the engine");
    }
    agent.run_until_idle().await?;
    println!("agent {process}: the model has been told everything\n");
    agent.close().await?;
    Ok(())
}
