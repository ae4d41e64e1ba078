//! Sessions whose process is killed at bad moments and restarted until they are done.
//!
//! The child process is this binary again. It plays a session of 24 tasks of every kind. Each of their effects is a
//! line in a file that no journal writes. The parent kills the child with SIGKILL: before and after each write to the
//! journal, at two such points in a row, and at random times.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Journal, Message, SessionId, TaskOutcome, ToolCall,
    ToolContext, ToolError,
    agent::StartError,
    future::{BoxFuture, BoxStream},
    journal::{AppendError, Claim, Entry, ReadError, Seq, SessionFilter},
    model::ModelStream,
    policy::Approval,
    testing::{Replay, ScriptedModel},
    tool::{LostTask, Reconciled},
};
use async_tool_sqlite::{Durability, SqliteJournal};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

pub(crate) const PLACE: &str = "ASYNC_TOOL_SQLITE_KILLED";
pub(crate) const POINT: &str = "ASYNC_TOOL_SQLITE_POINT";
/// The test that is the body of the child process.
const BODY: &str = "killed::the_process_that_is_killed";
/// The model's calls in each of its three turns.
pub(crate) const CALLS: [&str; 8] = ["look", "look", "put", "put", "pay", "bank", "fire", "order"];
pub(crate) const TURNS: usize = 3;
/// Number of kills over all sessions.
const KILLS: usize = 500;
/// Maximum number of sessions that are killed at random times.
const MOST: usize = 2_000;

/// A point at which a child kills itself: before or after its n-th write to the journal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Point {
    Before(usize),
    After(usize),
}

impl Point {
    pub(crate) fn of(text: &str) -> Self {
        let (when, write) = text.split_once(' ').unwrap();
        let write = write.parse().unwrap();
        if when == "before" {
            Self::Before(write)
        } else {
            Self::After(write)
        }
    }

    fn to_text(self) -> String {
        match self {
            Self::Before(write) => format!("before {write}"),
            Self::After(write) => format!("after {write}"),
        }
    }
}

/// A journal that kills its process at a point.
pub(crate) struct Deadly {
    pub(crate) journal: SqliteJournal,
    pub(crate) writes: AtomicUsize,
    pub(crate) point: Option<Point>,
}

fn die() {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

impl Journal for Deadly {
    fn append<'a>(
        &'a self,
        session: &'a SessionId,
        claim: &'a Claim,
        after: Seq,
        entries: &'a [Entry],
    ) -> BoxFuture<'a, Result<Seq, AppendError>> {
        Box::pin(async move {
            let write = self.writes.fetch_add(1, Ordering::SeqCst);
            if matches!(self.point, Some(Point::Before(at)) if at == write) {
                die();
            }
            let last = self.journal.append(session, claim, after, entries).await;
            if matches!(self.point, Some(Point::After(at)) if at == write) {
                die();
            }
            last
        })
    }

    fn read<'a>(&'a self, session: &'a SessionId, after: Seq) -> BoxStream<'a, Result<(Seq, Entry), ReadError>> {
        self.journal.read(session, after)
    }

    fn sessions(&self, filter: SessionFilter) -> BoxStream<'_, Result<SessionId, ReadError>> {
        self.journal.sessions(filter)
    }

    fn inner(&self) -> Option<&dyn Journal> {
        Some(&self.journal)
    }
}

/// The file that records all effects on the world.
#[derive(Clone)]
pub(crate) struct World(PathBuf);

impl World {
    pub(crate) fn of(place: &Path) -> Self {
        Self(place.join("world"))
    }

    /// Writes one line in one system call, so that it exists whole or not at all.
    pub(crate) fn note(&self, tool: &str, key: &str, attempt: u32) {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.0).unwrap();
        file.write_all(format!("{tool} {key} {attempt}\n").as_bytes()).unwrap();
    }

    /// Notes that a function was called at that time, in this process; or another event.
    pub(crate) fn begin(&self, tool: &str, at: SystemTime) {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.begins())
            .unwrap();
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
        let line = format!("{tool} {at} {}\n", std::process::id());
        file.write_all(line.as_bytes()).unwrap();
    }

    /// Tool, time in microseconds and process of all functions that were called, in the order in which they were noted.
    pub(crate) fn begun(&self) -> Vec<(String, u64, u32)> {
        let begun = parsed(&self.begins()).into_iter();
        begun
            .map(|(tool, at, process)| (tool, at.parse().unwrap(), process))
            .collect()
    }

    fn begins(&self) -> PathBuf {
        self.0.with_file_name("begins")
    }

    /// Tool, key and attempt of all recorded effects.
    pub(crate) fn lines(&self) -> Vec<(String, String, u32)> {
        parsed(&self.0)
    }

    fn knows(&self, tool: &str, key: &str) -> bool {
        self.lines().iter().any(|(name, known, _)| name == tool && known == key)
    }
}

fn parsed(path: &Path) -> Vec<(String, String, u32)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let words = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    words
        .map(|words| (words[0].to_owned(), words[1].to_owned(), words[2].parse().unwrap()))
        .collect()
}

/// A tool that waits, has an effect on the world, and waits again.
fn tool(name: &'static str, effect: Effect, world: &World) -> FunctionTool {
    let world = world.clone();
    FunctionTool::new(name, "Does something.", move |_: Value, cx: ToolContext| {
        let world = world.clone();
        async move {
            let begun = SystemTime::now();
            world.begin(name, begun);
            let time = cx.task().as_u128() % 4;
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

pub(crate) fn manager(world: &World) -> AsyncToolManager {
    let bank = world.clone();
    let find_out = move |lost: LostTask| {
        let is_done = bank.knows("bank", &lost.idempotency_key().to_string());
        async move {
            Ok::<_, String>(match is_done {
                true => Reconciled::Completed("bank is done"),
                false => Reconciled::NotStarted,
            })
        }
    };
    AsyncToolManager::builder()
        .tool(tool("look", Effect::Read, world))
        .tool(tool("put", Effect::Idempotent, world))
        .tool(tool("pay", Effect::Once, world))
        .tool(tool("bank", Effect::Once, world).reconcile(find_out))
        .tool(tool("fire", Effect::Once, world).approval(Approval::Always))
        .tool(tool("order", Effect::Once, world))
        .build()
        .unwrap()
}

/// A model that calls tools in three turns, and then ends. It reads its progress from the conversation, so it acts the
/// same in every process.
pub(crate) fn model() -> ScriptedModel {
    ScriptedModel::new().otherwise(|request| match calls_of(&request.messages) / CALLS.len() {
        turn if turn < TURNS => {
            let calls = CALLS.iter().enumerate();
            ModelStream::calls(calls.map(|(place, tool)| ToolCall::new(format!("{turn}.{place}"), *tool, json!({}))))
        }
        _ => ModelStream::text("so be it"),
    })
}

pub(crate) fn calls_of(messages: &[Arc<Message>]) -> usize {
    let calls = messages.iter().map(|message| match &**message {
        Message::Assistant { calls, .. } => calls.len(),
        _ => 0,
    });
    calls.sum()
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
    let journal = Deadly {
        journal: journal.unwrap(),
        writes: AtomicUsize::new(0),
        point: env::var(POINT).ok().map(|point| Point::of(&point)),
    };
    let manager = manager(&World::of(place));
    let started = AsyncAgent::builder(model(), manager.clone())
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
    let is_told = |message: &Arc<Message>| matches!(&**message, Message::User { .. });
    if !agent.transcript().await.unwrap().iter().any(is_told) {
        agent.send("go on").await.unwrap();
    }
    let people = async {
        loop {
            for task in agent.tasks().await.unwrap() {
                let Some(handle) = manager.task(task.task) else {
                    continue;
                };
                let snapshot = handle.snapshot();
                if snapshot.request.is_some() {
                    let _it_may_have_ended = manager.approve(task.task);
                } else if snapshot.deferred && !snapshot.status.is_terminal() {
                    let _it_may_have_ended = manager.resolve_durably(task.task, "order is there").await;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        end = agent.run_until_idle() => end.unwrap(),
        () = people => {}
    }
    assert_eq!(calls_of(&agent.transcript().await.unwrap()), CALLS.len() * TURNS);
    agent.close().await.unwrap();
}

/// The end of one child.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    At(Point),
    /// Killed after this many tenths of a millisecond.
    Late(u64),
    /// Not killed.
    Never,
}

/// Runs a child, whose body is this test; returns true if it was killed.
pub(crate) fn run(body: &str, place: &Path, end: End) -> bool {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", body])
        .env(PLACE, place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let End::At(point) = end {
        command.env(POINT, point.to_text());
    }
    let mut child = command.spawn().unwrap();
    if let End::Late(tenths) = end {
        thread::sleep(Duration::from_micros(100 * tenths));
        let _it_may_have_ended = child.kill();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let is_killed = output.status.code().is_none();
    assert!(is_killed || output.status.success(), "{end:?}: {said}");
    is_killed
}

/// Statistics over the sessions of all children.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sessions: usize,
    kills: usize,
    pub(crate) tasks: usize,
    again: usize,
    unknown: usize,
    pub(crate) lost: usize,
    pub(crate) told_twice: usize,
    pub(crate) done_twice: usize,
    pub(crate) other_keys: usize,
}

impl Tally {
    /// Checks a finished session: the journal's entries, and the effects on the world.
    pub(crate) fn look(&mut self, place: &Path, kills: usize) {
        let entries = entries(place);
        self.sessions += 1;
        self.kills += kills;
        let replay = Replay::new(entries.clone()).unwrap();
        replay
            .check()
            .unwrap_or_else(|violation| panic!("{violation}\n{replay}"));
        assert!(matches!(entries.last(), Some(Entry::Closed { .. })), "{replay}");

        let (mut names, mut outcomes) = (BTreeMap::new(), BTreeMap::new());
        let (mut kept, mut told) = (BTreeSet::new(), BTreeMap::<_, usize>::new());
        for entry in &entries {
            match entry {
                Entry::Accepted { number, task, call, .. } => {
                    names.insert(task.to_string(), (*number, call.name.to_string()));
                }
                Entry::TurnEnded { calls, .. } => kept.extend(calls.iter().copied()),
                Entry::Settled { result } => {
                    outcomes.insert(result.number.unwrap(), result.outcome.clone());
                }
                Entry::Answered { answers, .. } => {
                    for given in answers {
                        if let async_tool_runtime::journal::CallAnswer::Result(number) = given {
                            *told.entry(*number).or_default() += 1;
                        }
                    }
                }
                Entry::Delivered { tasks, .. } | Entry::Replaced { tasks, .. } => {
                    for number in tasks {
                        *told.entry(*number).or_default() += 1;
                    }
                }
                Entry::Resubmitted { .. } => self.again += 1,
                _ => {}
            }
        }
        assert_eq!(kept.len(), CALLS.len() * TURNS, "{replay}");
        self.tasks += kept.len();
        self.lost += kept.iter().filter(|number| !told.contains_key(number)).count();
        self.told_twice += told.values().filter(|times| **times > 1).count();

        let mut done = BTreeMap::<_, usize>::new();
        for (tool, key, _) in World::of(place).lines() {
            // A task's key is the same in every process, and unique.
            if names.get(&key).is_none_or(|(_, name)| *name != tool) {
                self.other_keys += 1;
            }
            *done.entry(key).or_default() += 1;
        }
        for (task, (number, tool)) in &names {
            let times = done.get(task).copied().unwrap_or_default();
            let may_repeat = matches!(tool.as_str(), "look" | "put");
            self.done_twice += usize::from(!may_repeat && times > 1);
            match outcomes.get(number) {
                Some(TaskOutcome::Completed(_)) => assert!(times >= 1, "{tool} {number} was made up: {replay}"),
                Some(TaskOutcome::Unknown(_)) => {
                    assert!(!may_repeat && tool != "bank", "{tool} {number} is unknown: {replay}");
                    self.unknown += 1;
                }
                _ => assert!(!kept.contains(number), "{tool} {number} did not complete: {replay}"),
            }
        }
    }
}

fn entries(place: &Path) -> Vec<Entry> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let journal = SqliteJournal::open(place.join("sessions.db")).unwrap();
        let session = SessionId::new("s");
        let entries = journal.read(&session, Seq::START);
        entries.map(|entry| entry.unwrap().1).collect().await
    })
}

#[test]
fn a_session_whose_process_is_killed_anywhere_loses_nothing_and_does_nothing_twice() {
    // Measure the duration and the number of writes of a run without kills.
    let place = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    assert!(!run(BODY, place.path(), End::Never));
    let tenths = u64::try_from(started.elapsed().as_micros()).unwrap() / 100;
    Tally::default().look(place.path(), 0);
    // The entries of one step are one write, so this is an upper limit.
    let writes = entries(place.path()).len();

    let mut scenarios: Vec<Vec<End>> = Vec::new();
    for write in 0..writes {
        scenarios.push(vec![End::At(Point::Before(write))]);
        scenarios.push(vec![End::At(Point::After(write))]);
    }
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    for _ in 0..150 {
        let mut point = || {
            let write = usize::try_from(below(writes as u64)).unwrap();
            End::At(if write.is_multiple_of(2) {
                Point::Before(write)
            } else {
                Point::After(write)
            })
        };
        scenarios.push(vec![point(), point()]);
    }
    // Then kill at random times. A kill after the child's end has no effect, so repeat until there are enough.
    let late = std::iter::repeat_with(move || vec![End::Late(below(tenths)), End::Late(below(tenths))]);

    let scenarios = Mutex::new(scenarios.into_iter().chain(late.take(MOST)));
    let tally = Mutex::new(Tally::default());
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
    assert!(tally.kills >= KILLS, "{tally:?}");
    assert!(tally.again > 0 && tally.unknown > 0, "nothing was at stake: {tally:?}");
    let wrong = (tally.lost, tally.told_twice, tally.done_twice, tally.other_keys);
    assert_eq!(wrong, (0, 0, 0, 0), "{tally:?}");
}
