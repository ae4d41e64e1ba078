//! Processes that end by an error, a panic, a signal or an exit while agents live, and restart until they are done.
//!
//! The child process is this binary again. Whatever way it ends, its session stays open, and no task of it is cancelled.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, OnceLock},
    thread,
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId, TaskOutcome, ToolCall,
    ToolContext, ToolError,
    agent::StartError,
    journal::{Entry, Seq},
    model::ModelStream,
    testing::{Replay, ScriptedModel},
    tool::Background,
};
use async_tool_sqlite::{Durability, SqliteJournal};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

const PLACE: &str = "ASYNC_TOOL_SQLITE_ENDED";
const WAY: &str = "ASYNC_TOOL_SQLITE_WAY";
const TOOLS: [&str; 6] = ["look", "look", "put", "put", "clerk", "pay"];
/// Reasons of a task that the next process gives up, and of its result, which the model never gets: the turn that made the call was cut
/// short, and is asked again.
const NEXT: &str = "the process that ran it has ended";
const ASKED_AGAIN: &str = "the process that asked the model has ended";
/// Sessions of each way.
const ROUNDS: usize = 3;

/// A way in which a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `main` returns an error, and drops the handle on its way.
    Error,
    /// `main` panics.
    Panic,
    /// The signal's future ends `main` while handles are in spawned tasks and in a static.
    Signal,
    /// `std::process::exit`.
    Exit,
    /// A server drops an idle handle, takes the session up again, and ends.
    Idle,
    /// Not ended: the session is played to its end.
    Never,
}

const WAYS: [Way; 5] = [Way::Error, Way::Panic, Way::Signal, Way::Exit, Way::Idle];

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Signal => "signal",
            Self::Exit => "exit",
            Self::Idle => "idle",
            Self::Never => "never",
        }
    }

    fn of(name: &str) -> Self {
        WAYS.into_iter().find(|way| way.name() == name).unwrap_or(Self::Never)
    }
}

/// A tool that goes on until its process ends, unless the session is played to its end.
fn tool(name: &'static str, effect: Effect, way: Way) -> FunctionTool {
    let time = Duration::from_millis(if way == Way::Never { 20 } else { 60_000 });
    FunctionTool::new(name, "Does something.", move |_: Value, _: ToolContext| async move {
        tokio::time::sleep(time).await;
        Ok::<_, ToolError>(format!("{name} is done"))
    })
    .effect(effect)
    .background(Background::Always)
}

fn manager(journal: &SqliteJournal, way: Way) -> AsyncToolManager {
    let below = journal.clone();
    let clerk = AsyncAgent::as_tool("clerk", "Looks something up.", move |manager| {
        let model = ScriptedModel::new().otherwise(|request| match calls_of(request) {
            0 => ModelStream::calls([ToolCall::new("c1", "look", json!({}))]),
            _ => ModelStream::text("I have looked"),
        });
        AsyncAgent::builder(model, manager).journal(below.clone())
    });
    AsyncToolManager::builder()
        .tool(tool("look", Effect::Read, way))
        .tool(tool("put", Effect::Idempotent, way))
        .tool(tool("pay", Effect::Once, way))
        .tool(clerk.background(Background::Always))
        .build()
        .unwrap()
}

fn calls_of(request: &async_tool_runtime::model::ModelRequest) -> usize {
    let calls = request.messages.iter().map(|message| match &**message {
        Message::Assistant { calls, .. } => calls.len(),
        _ => 0,
    });
    calls.sum()
}

/// The body of the child process. Without a place it does nothing.
#[test]
fn the_process_that_ends() {
    let Some(place) = env::var_os(PLACE) else { return };
    let way = Way::of(&env::var(WAY).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    // As `#[tokio::main]` does: the runtime is dropped after the future, also when it panics.
    let ended = runtime.unwrap().block_on(play(Path::new(&place), way));
    assert!(ended.is_ok() || way == Way::Error, "{ended:?}");
}

static GLOBAL: OnceLock<AsyncAgent> = OnceLock::new();

async fn play(place: &Path, way: Way) -> Result<(), String> {
    let journal = SqliteJournal::builder(place.join("sessions.db"))
        .durability(Durability::Normal)
        .open()
        .unwrap();
    let manager = manager(&journal, way);
    let build = || {
        let model = ScriptedModel::new().otherwise(|request| match calls_of(request) {
            0 => {
                let calls = TOOLS.iter().enumerate();
                ModelStream::calls(calls.map(|(place, tool)| {
                    let arguments = match *tool {
                        "clerk" => json!({"message": "look"}),
                        _ => json!({"place": place}),
                    };
                    ToolCall::new(format!("c{place}"), *tool, arguments)
                }))
            }
            _ => ModelStream::text("so be it"),
        });
        AsyncAgent::builder(model, manager.clone())
            .journal(journal.clone())
            .session("s")
            .grace(Duration::ZERO)
    };
    let agent = match build().resume_or_start().await {
        Err(StartError::SessionClosed { .. }) => panic!("the session was closed"),
        started => started.unwrap(),
    };
    let is_told = |message: &std::sync::Arc<Message>| matches!(&**message, Message::User { .. });
    if !agent.transcript().await.unwrap().iter().any(is_told) {
        agent.send("go on").await.unwrap();
    }
    let nap = Duration::from_micros(20_000 + u64::from(std::process::id()) * 7_919 % 40_000);
    match way {
        Way::Never => {
            agent.run_until_idle().await.unwrap();
            agent.close().await.unwrap();
        }
        Way::Error => {
            tokio::time::sleep(nap).await;
            return Err("the disk is full".to_owned());
        }
        Way::Panic => {
            tokio::time::sleep(nap).await;
            panic!("a defect of the host");
        }
        Way::Exit => {
            tokio::time::sleep(nap).await;
            #[expect(clippy::exit, reason = "the way in which this process ends")]
            std::process::exit(0);
        }
        Way::Signal => {
            let _global = GLOBAL.set(agent.clone());
            for _ in 0..4 {
                let agent = agent.clone();
                tokio::spawn(async move {
                    let mut events = agent.events();
                    while events.next().await.is_some() {}
                });
            }
            // In place of the signal.
            tokio::time::sleep(nap).await;
        }
        Way::Idle => {
            tokio::time::sleep(nap).await;
            drop(agent);
            let again = build().resume_or_start().await.unwrap();
            tokio::time::sleep(nap).await;
            drop(again);
        }
    }
    Ok(())
}

/// Runs a child to its end.
fn run(place: &Path, way: Way) {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "ended::the_process_that_ends"])
        .env(PLACE, place)
        .env(WAY, way.name())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || way == Way::Panic, "{way:?}: {said}");
    assert!(way != Way::Panic || said.contains("a defect of the host"), "{said}");
}

/// Entries of all sessions.
fn entries(place: &Path) -> BTreeMap<String, Vec<Entry>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = SqliteJournal::builder(place.join("sessions.db")).open().unwrap();
        let sessions: Vec<_> = journal
            .sessions(async_tool_runtime::journal::SessionFilter::All)
            .collect()
            .await;
        let mut all = BTreeMap::new();
        for session in sessions {
            let session: SessionId = session.unwrap();
            let entries: Vec<Entry> = journal
                .read(&session, Seq::START)
                .map(|entry| entry.unwrap().1)
                .collect()
                .await;
            all.insert(session.to_string(), entries);
        }
        all
    })
}

/// True for an entry that ends something which the process did not end.
fn is_destruction(entry: &Entry) -> bool {
    match entry {
        Entry::Closing { .. } | Entry::Closed { .. } | Entry::CancelRequested { .. } => true,
        Entry::Dropped { reason, .. } => reason != ASKED_AGAIN,
        Entry::Settled { result } => match &result.outcome {
            // By the next process: a turn that was cut short is asked again, with tasks of its own.
            TaskOutcome::Cancelled(why) => why != NEXT,
            outcome => matches!(outcome, TaskOutcome::Failed(_)),
        },
        _ => false,
    }
}

#[test]
fn a_process_that_ends_in_any_way_destroys_no_session() {
    let rounds = Mutex::new(WAYS.into_iter().flat_map(|way| [way; ROUNDS]));
    let (ends, tasks) = (Mutex::new(0_usize), Mutex::new(BTreeMap::<&str, usize>::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(way) = { rounds.lock().unwrap().next() } {
                    let place = tempfile::tempdir().unwrap();
                    // A task has three attempts in all, and the last must succeed. An idle process makes two.
                    for _ in 0..if way == Way::Idle { 1 } else { 2 } {
                        run(place.path(), way);
                        *ends.lock().unwrap() += 1;
                        for (session, entries) in entries(place.path()) {
                            let lost: Vec<_> = entries.iter().filter(|entry| is_destruction(entry)).collect();
                            assert!(lost.is_empty(), "{way:?}, {session}: {lost:#?}");
                        }
                    }
                    run(place.path(), Way::Never);
                    let entries = entries(place.path()).remove("s").unwrap();
                    let replay = Replay::new(entries.clone()).unwrap();
                    replay
                        .check()
                        .unwrap_or_else(|wrong| panic!("{way:?}: {wrong}\n{replay}"));
                    assert!(
                        matches!(entries.last(), Some(Entry::Closed { .. })),
                        "{way:?}: {replay}"
                    );
                    for entry in &entries {
                        let Entry::Settled { result } = entry else { continue };
                        let end = match &result.outcome {
                            TaskOutcome::Completed(_) => "completed",
                            TaskOutcome::Unknown(_) if &*result.tool == "pay" => "unknown",
                            TaskOutcome::Cancelled(why) if why == NEXT => "asked again",
                            other => panic!("{way:?}: {} ended as {other:?}\n{replay}", result.tool),
                        };
                        *tasks.lock().unwrap().entry(end).or_default() += 1;
                    }
                }
            });
        }
    });
    println!(
        "{} ends of {} ways; tasks: {:?}",
        ends.lock().unwrap(),
        WAYS.len(),
        tasks.lock().unwrap()
    );
}
