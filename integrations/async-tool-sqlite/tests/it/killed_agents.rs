//! Sub-agents and webhooks whose process is killed at bad moments.
//!
//! A session delegates to sub-agents in the same file. Each looks something up, pays, and orders at a shop that calls
//! back as soon as it has the task's id. As in [`killed`](super::killed), the child process is this binary again.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicUsize},
    thread,
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId, TaskId, TaskOutcome, ToolCall,
    ToolContext, ToolError,
    agent::StartError,
    journal::{Entry, Seq, SessionFilter},
    manager::ResolveError,
    model::{ModelRequest, ModelStream},
    testing::{Replay, ScriptedModel},
};
use async_tool_sqlite::{Durability, SqliteJournal};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::killed::{Deadly, End, PLACE, POINT, Point, World, run};

const BODY: &str = "killed_agents::the_process_that_is_killed";
const CLERKS: usize = 3;
const WORDS: &str = "all seen to";
/// Number of kills over all sessions.
const KILLS: usize = 120;

/// A tool that waits, has an effect on the world, and waits again.
fn tool(name: &'static str, effect: Effect, world: &World) -> FunctionTool {
    let world = world.clone();
    FunctionTool::new(name, "Does something.", move |_: Value, cx: ToolContext| {
        let world = world.clone();
        async move {
            let time = cx.task().as_u128() % 3;
            tokio::time::sleep(Duration::from_millis(u64::try_from(time).unwrap())).await;
            world.note(name, &cx.idempotency_key().to_string(), cx.attempt());
            tokio::time::sleep(Duration::from_millis(2)).await;
            if name == "order" {
                return cx.defer().await;
            }
            Ok::<_, ToolError>(format!("{name} is done"))
        }
    })
    .effect(effect)
}

/// A model that calls these tools first, and then says something. It acts the same in every process.
fn model(calls: &'static [&'static str], then: &'static str) -> ScriptedModel {
    ScriptedModel::new().otherwise(move |request| match has_called(request) {
        true => ModelStream::text(then),
        false => ModelStream::calls(calls.iter().enumerate().map(|(place, tool)| {
            let arguments = json!({"message": format!("do {place}")});
            ToolCall::new(format!("c{place}"), *tool, arguments)
        })),
    })
}

fn has_called(request: &ModelRequest) -> bool {
    let has_calls =
        |message: &Arc<Message>| matches!(&**message, Message::Assistant { calls, .. } if !calls.is_empty());
    request.messages.iter().any(has_calls)
}

fn manager(world: &World, journal: &Arc<Deadly>) -> AsyncToolManager {
    let journal = Arc::clone(journal);
    let clerk = AsyncAgent::as_tool("clerk", "Does things.", move |manager| {
        AsyncAgent::builder(model(&["look", "pay", "order"], WORDS), manager)
            .answer_repeats(false)
            .journal(Arc::clone(&journal))
            .grace(Duration::from_millis(3))
    });
    AsyncToolManager::builder()
        .tool(clerk)
        .tool(tool("look", Effect::Read, world))
        .tool(tool("pay", Effect::Once, world))
        .tool(tool("order", Effect::Once, world).external(true))
        .build()
        .unwrap()
}

/// The body of the child process. Without a place it does nothing.
#[test]
fn the_process_that_is_killed() {
    let Some(place) = env::var_os(PLACE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(play(Path::new(&place)));
}

async fn play(place: &Path) {
    let journal = SqliteJournal::builder(place.join("sessions.db"))
        .durability(Durability::Normal)
        .open();
    let journal = Arc::new(Deadly {
        journal: journal.unwrap(),
        writes: AtomicUsize::new(0),
        point: env::var(POINT).ok().map(|point| Point::of(&point)),
    });
    let world = World::of(place);
    let manager = manager(&world, &journal);
    let started = AsyncAgent::builder(model(&["clerk"; CLERKS], "so be it"), manager.clone())
        .answer_repeats(false)
        .journal(journal)
        .session("s")
        .grace(Duration::from_millis(3))
        .resume_or_start()
        .await;
    let agent = match started {
        Err(StartError::SessionClosed { .. }) => return,
        started => started.unwrap(),
    };
    if agent.transcript().await.unwrap().is_empty() {
        agent.send("go on").await.unwrap();
    }
    let shop = async {
        let mut kept = Vec::new();
        loop {
            for (tool, key, _) in world.lines() {
                if tool == "order" && !kept.contains(&key) {
                    let order: TaskId = key.parse().unwrap();
                    let reply = manager.resolve_durably(order, "order is there").await;
                    match reply {
                        Ok(()) | Err(ResolveError::AlreadySettled(_)) => kept.push(key),
                        // Its sub-agent is not resumed yet, or an earlier process closed its session.
                        Err(ResolveError::Resuming | ResolveError::NotWritten | ResolveError::UnknownTask) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // Orders whose function was killed before it passed its id on.
    let people = async {
        loop {
            for wait in agent.run_until_parked().await.unwrap().waits {
                let _it_may_have_ended = manager.resolve_durably(wait.task, "order is there").await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        end = agent.run_until_idle() => end.unwrap(),
        () = shop => {}
        () = people => {}
    }
    agent.close().await.unwrap();
}

/// Statistics over the sessions of all children.
#[derive(Debug, Default)]
struct Tally {
    sessions: usize,
    kills: usize,
    /// Calls of sub-agents.
    calls: usize,
    /// Calls of sub-agents without their last words.
    calls_lost: usize,
    orders: usize,
    /// Orders without the shop's completion.
    orders_lost: usize,
    paid: usize,
    paid_twice: usize,
    unknown: usize,
    /// Sessions of sub-agents that are not closed.
    left_open: usize,
}

impl Tally {
    /// Checks the finished sessions: their entries, and the effects on the world.
    fn look(&mut self, place: &Path, kills: usize) {
        self.sessions += 1;
        self.kills += kills;
        for (session, entries) in sessions(place) {
            let replay = Replay::new(entries.clone()).unwrap();
            replay
                .check()
                .unwrap_or_else(|violation| panic!("{session}: {violation}\n{replay}"));
            self.left_open += usize::from(!matches!(entries.last(), Some(Entry::Closed { .. })));
            // A turn that is repeated drops its calls, and makes them again.
            let dropped: Vec<_> = entries
                .iter()
                .filter_map(|entry| match entry {
                    Entry::Dropped { tasks, .. } => Some(tasks.clone()),
                    _ => None,
                })
                .flatten()
                .collect();
            for entry in &entries {
                let Entry::Settled { result } = entry else { continue };
                if result.number.is_some_and(|number| dropped.contains(&number)) {
                    continue;
                }
                let value = result.outcome.value();
                match &*result.tool {
                    "clerk" => {
                        self.calls += 1;
                        self.calls_lost += usize::from(value != Some(&json!(WORDS)));
                    }
                    "order" => {
                        self.orders += 1;
                        self.orders_lost += usize::from(value != Some(&json!("order is there")));
                    }
                    _ => self.unknown += usize::from(matches!(result.outcome, TaskOutcome::Unknown(_))),
                }
            }
        }
        let mut paid = BTreeMap::<_, usize>::new();
        for (tool, key, _) in World::of(place).lines() {
            if tool == "pay" {
                *paid.entry(key).or_default() += 1;
            }
        }
        self.paid += paid.len();
        self.paid_twice += paid.values().filter(|times| **times > 1).count();
    }
}

fn sessions(place: &Path) -> Vec<(SessionId, Vec<Entry>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = SqliteJournal::open(place.join("sessions.db")).unwrap();
        let names: Vec<_> = journal.sessions(SessionFilter::All).collect().await;
        let mut sessions = Vec::new();
        for name in names {
            let name = name.unwrap();
            let entries = journal.read(&name, Seq::START);
            let entries = entries.map(|entry| entry.unwrap().1).collect().await;
            sessions.push((name, entries));
        }
        sessions
    })
}

#[test]
fn a_sub_agent_whose_process_is_killed_anywhere_is_heard_and_its_orders_are_completed() {
    let place = tempfile::tempdir().unwrap();
    assert!(!run(BODY, place.path(), End::Never));
    let mut tally = Tally::default();
    tally.look(place.path(), 0);
    assert_eq!((tally.calls, tally.orders, tally.paid), (CLERKS, CLERKS, CLERKS));
    // The entries of one step are one write, so this is an upper limit.
    let writes: usize = sessions(place.path()).iter().map(|(_, entries)| entries.len()).sum();

    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut write = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % writes as u64).unwrap()
    };
    // Two kills for each session: at each point in turn, and then at any.
    let scenarios = (0..).map(move |place| {
        let first = match place % 2 {
            0 => Point::Before(place / 2 % writes),
            _ => Point::After(place / 2 % writes),
        };
        let second = match write() {
            write if write.is_multiple_of(2) => Point::Before(write),
            write => Point::After(write),
        };
        [End::At(first), End::At(second)]
    });
    let scenarios = Mutex::new(scenarios.take(20 * KILLS));
    let tally = Mutex::new(tally);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while tally.lock().unwrap().kills < KILLS
                    && let Some(ends) = { scenarios.lock().unwrap().next() }
                {
                    let place = tempfile::tempdir().unwrap();
                    let kills = ends.iter().filter(|end| run(BODY, place.path(), **end)).count();
                    assert!(!run(BODY, place.path(), End::Never));
                    tally.lock().unwrap().look(place.path(), kills);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{tally:?}");
    assert!(
        tally.kills >= KILLS && tally.calls >= CLERKS * tally.sessions,
        "{tally:?}"
    );
    let wrong = (tally.calls_lost, tally.orders_lost, tally.paid_twice, tally.left_open);
    assert_eq!(wrong, (0, 0, 0, 0), "{tally:?}");
}
