//! Time to resume a session.

use std::time::{Duration, Instant};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Journal, RulePlanner, SessionId,
    agent::Ledger,
    async_tool,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter},
    tools,
};
use async_tool_sqlite::{Durability, SqliteJournal};
use futures_util::StreamExt as _;
use tokio::runtime::{Builder, Runtime};

use crate::directory;

const ENTRIES: usize = 10_000;
const ROUNDS: u32 = 10;

/// Adds two numbers.
#[async_tool(effect = "read")]
async fn add(a: u64, b: u64) -> u64 {
    a + b
}

/// A journal without snapshots.
struct Bare(SqliteJournal);

impl Journal for Bare {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        self.0.append(session, claim, after, entries)
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.0.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.0.sessions(filter)
    }

    fn release<'a>(&'a self, session: &'a SessionId, claim: &'a Claim) -> BoxFuture<'a, Result<(), AppendError>> {
        self.0.release(session, claim)
    }
}

/// Prints the time to resume an agent.
pub(crate) fn measure() {
    let place = directory();
    let path = place.path().join("sessions.db");
    let journal = SqliteJournal::builder(&path).durability(Durability::Normal).open();
    let journal = journal.expect("the file is new");
    println!("resume                    a session of at least {ENTRIES} entries, a fifth of them results");
    leave(&journal);
    let read = runtime().block_on(async {
        let session = SessionId::new("long");
        let entries = journal.read(&session, Seq::START);
        let entries = entries.map(|entry| entry.expect("the file is sound").1);
        entries.collect::<Vec<Entry>>().await
    });
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        Ledger::fold(&read).expect("the session is sound");
    }
    show("floor, folded only", begin.elapsed());
    let mut spent = Duration::ZERO;
    for _ in 0..ROUNDS {
        spent += resume(Bare(journal.clone()));
    }
    show("from its first entry", spent);
    let mut spent = Duration::ZERO;
    for _ in 0..ROUNDS {
        spent += resume(journal.clone());
    }
    show("from a snapshot", spent);
}

/// Plays a long session, and leaves it open as the end of its process would.
fn leave(journal: &SqliteJournal) {
    let runtime = runtime();
    let agent = runtime.block_on(async {
        let builder = AsyncAgent::builder(RulePlanner::new(), manager());
        let agent = builder.journal(journal.clone()).session("long").start().await;
        let agent = agent.expect("the session is new");
        let session = SessionId::new("long");
        while journal.read(&session, Seq::new(ENTRIES as u64)).next().await.is_none() {
            for _ in 0..50 {
                agent.send("add a=2 b=3").await.expect("the session is open");
                agent.run_until_idle().await.expect("the planner doesn't fail");
            }
        }
        agent
    });
    // The runtime ends first, so that dropping the agent can't close the session.
    runtime.shutdown_background();
    drop(agent);
}

fn resume(journal: impl Journal) -> Duration {
    let runtime = runtime();
    let builder = AsyncAgent::builder(RulePlanner::new(), manager());
    let begin = Instant::now();
    let agent = runtime.block_on(builder.journal(journal).session("long").resume());
    let elapsed = begin.elapsed();
    runtime.shutdown_background();
    assert!(agent.is_ok(), "no other agent has the session");
    elapsed
}

fn manager() -> AsyncToolManager {
    let manager = AsyncToolManager::builder().tools(tools![add]).build();
    manager.expect("the tool has a name and a description")
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without drivers needs nothing from the system")
}

fn show(name: &str, spent: Duration) {
    println!("  {name:<28}{:.2?}", spent / ROUNDS);
}
