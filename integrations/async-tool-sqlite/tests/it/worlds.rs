//! Sessions that two owners want: a process that is stopped and woken, processes whose clocks are days apart, and two managers
//! of one process. The session, its tools and its books are those of `killed`.

use std::{
    collections::BTreeSet,
    env,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Message,
    agent::{AsyncAgentBuilder, StartError},
    journal::AppendError,
    task::Timestamp,
};
use async_tool_sqlite::{Durability, OpenError, SqliteJournal};
use rustix::process::{Pid, Signal, kill_process};

use crate::killed::{CALLS, TURNS, Tally, World, calls_of, manager, model};

const PLACE: &str = "ASYNC_TOOL_SQLITE_WORLD";
/// Milliseconds by which the child's time of day is ahead.
const AHEAD: &str = "ASYNC_TOOL_SQLITE_AHEAD";
/// Milliseconds for which people let the child wait.
const PEOPLE: &str = "ASYNC_TOOL_SQLITE_PEOPLE";
const LEASE: Duration = Duration::from_secs(1);
const DAY: i64 = 86_400_000;
const TAKEN: &str = "taken";
/// Tools that must not be called twice.
const ONCE: [&str; 4] = ["pay", "bank", "fire", "order"];

/// The body of the child process. Without a place it does nothing.
#[test]
fn the_process_in_another_world() {
    let Some(place) = env::var_os(PLACE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(live(Path::new(&place)));
}

fn number(name: &str) -> i64 {
    env::var(name).map_or(0, |number| number.parse().unwrap())
}

/// Waits for the session, and plays it to its end or until it is robbed.
async fn live(place: &Path) {
    let ahead = number(AHEAD);
    let now = move || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp::from_millis((i64::try_from(now.as_millis()).unwrap() + ahead).unsigned_abs())
    };
    let builder = SqliteJournal::builder(place.join("sessions.db"))
        .durability(Durability::Normal)
        .busy_timeout(Duration::from_millis(100))
        .lease(LEASE)
        .clock(now);
    let journal = loop {
        match builder.clone().open() {
            // A process that was stopped in the middle of a write keeps the file locked.
            Err(OpenError::Busy { .. }) => {}
            opened => break opened.unwrap(),
        }
    };
    let (world, place) = (World::of(place), manager(&World::of(place)));
    let builder = agent(&journal, &place);
    let agent = loop {
        match builder.clone().resume_or_start().await {
            Ok(agent) => break agent,
            Err(StartError::SessionClosed { .. }) => return,
            Err(error) if error.is_conflict() => {}
            Err(StartError::Journal(AppendError::Unavailable(_))) => {}
            Err(error) => panic!("{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    world.begin(TAKEN, SystemTime::now());
    let waits = Duration::from_millis(number(PEOPLE).unsigned_abs());
    if play(&agent, &place, waits).await {
        assert_eq!(calls_of(&agent.transcript().await.unwrap()), CALLS.len() * TURNS);
        let _it_may_be_robbed = agent.close().await;
    }
}

fn agent(journal: &SqliteJournal, manager: &AsyncToolManager) -> AsyncAgentBuilder {
    AsyncAgent::builder(model(), manager.clone())
        .answer_repeats(false)
        .journal(journal.clone())
        .session("s")
        .grace(Duration::from_millis(3))
}

/// True if the session came to its end; false if it was robbed.
async fn play(agent: &AsyncAgent, manager: &AsyncToolManager, waits: Duration) -> bool {
    let is_told = |message: &std::sync::Arc<Message>| matches!(&**message, Message::User { .. });
    let Ok(transcript) = agent.transcript().await else {
        return false;
    };
    if !transcript.iter().any(is_told) && agent.send("go on").await.is_err() {
        return false;
    }
    let people = async {
        tokio::time::sleep(waits).await;
        loop {
            for task in agent.tasks().await.unwrap_or_default() {
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
        end = agent.run_until_idle() => end.is_ok(),
        () = people => false,
    }
}

fn start(place: &Path, ahead: i64, people: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "worlds::the_process_in_another_world"])
        .env(PLACE, place)
        .env(AHEAD, ahead.to_string())
        .env(PEOPLE, people.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    let _it_may_have_ended = kill_process(Pid::from_child(child), signal);
}

fn ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Waits until so many owners have had the session.
fn taken(world: &World, count: usize) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if world.begun().iter().filter(|(tool, ..)| tool == TAKEN).count() >= count {
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    false
}

/// Calls that must not happen twice and that a process noted after another one had taken the session: those that began
/// after that, and those that were past their start.
fn begun_as_robbed(world: &World) -> (usize, usize) {
    let (mut seen, mut owner, mut taken) = (BTreeSet::new(), 0, 0);
    let (mut after, mut before) = (0, 0);
    for (tool, at, process) in world.begun() {
        // The first line of a process comes after it has taken the session.
        if seen.insert(process) {
            (owner, taken) = (process, at);
        }
        if ONCE.contains(&&*tool) && process != owner {
            // The line was written when the process woke up, and the function called before it was stopped.
            *if at < taken { &mut before } else { &mut after } += 1;
        }
    }
    (after, before)
}

/// Runs rounds on many threads: each mostly waits.
fn at_once(rounds: usize, round: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= rounds {
                        break;
                    }
                    round(number);
                }
            });
        }
    });
}

#[derive(Debug, Default)]
struct Robberies {
    books: Tally,
    robbed: usize,
    begun_as_robbed: usize,
    /// Functions whose process was stopped between their call and their first line.
    noted_late: usize,
    /// Effects that happened twice: of functions that were past their start when their process was stopped. This remains
    /// possible.
    doubled: usize,
}

#[test]
fn a_process_that_is_stopped_past_its_lease_and_woken_begins_nothing_that_must_not_happen_twice() {
    let tally = Mutex::new(Robberies::default());
    at_once(48, |round| {
        let place = tempfile::tempdir().unwrap();
        let world = World::of(place.path());
        let first = start(place.path(), 0, 0);
        assert!(taken(&world, 1));
        thread::sleep(Duration::from_millis(round as u64 * 5 / 2));
        signal(&first, Signal::STOP);
        let second = start(place.path(), 0, 0);
        // It may have been stopped after its end.
        let is_robbed = taken_or_ended(&world, &second);
        // Before the second is done, or after that.
        thread::sleep(Duration::from_millis(round as u64 % 4 * 15));
        signal(&first, Signal::CONT);
        ends_well(first);
        ends_well(second);
        ends_well(start(place.path(), 0, 0));

        let mut tally = tally.lock().unwrap();
        let mut books = Tally::default();
        books.look(place.path(), 0);
        tally.robbed += usize::from(is_robbed);
        let (after, before) = begun_as_robbed(&world);
        tally.begun_as_robbed += after;
        tally.noted_late += before;
        tally.doubled += books.done_twice;
        tally.books.sessions += 1;
        tally.books.tasks += books.tasks;
        tally.books.lost += books.lost;
        tally.books.told_twice += books.told_twice;
        tally.books.other_keys += books.other_keys;
    });
    let tally = tally.into_inner().unwrap();
    println!("{tally:?}");
    assert!(tally.robbed > 10, "nothing was at stake: {tally:?}");
    // A process can be stopped in the instructions between its last look at the owner and the first line of a function. On a busy machine they
    // take longer, because others have their turn.
    assert!(tally.begun_as_robbed <= 2, "{tally:?}");
    let wrong = (tally.books.lost, tally.books.told_twice, tally.books.other_keys);
    assert_eq!(wrong, (0, 0, 0), "{tally:?}");
}

/// True if the child takes the session over; false if it can't, or there is nothing to take.
fn taken_or_ended(world: &World, child: &Child) -> bool {
    let begun = Instant::now();
    let pid = child.id();
    while begun.elapsed() < 3 * LEASE {
        if world
            .begun()
            .iter()
            .any(|(tool, _, process)| tool == TAKEN && *process == pid)
        {
            return true;
        }
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if state.contains(") Z") {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    // The first one was stopped in the middle of a write, and keeps the file locked.
    false
}

#[test]
fn processes_whose_clocks_are_days_apart_take_nothing_from_an_owner_that_lives() {
    let thefts = AtomicUsize::new(0);
    let books = Mutex::new(Tally::default());
    at_once(24, |round| {
        let place = tempfile::tempdir().unwrap();
        let world = World::of(place.path());
        let clocks = [(0, DAY), (0, -DAY), (DAY, 0), (-DAY, 0)];
        let (owner, other) = clocks[round % clocks.len()];
        // People let the owner wait for more than two leases.
        let first = start(place.path(), owner, 2_200);
        assert!(taken(&world, 1));
        let others = [start(place.path(), other, 0), start(place.path(), other, 0)];
        let pid = first.id();
        ends_well(first);
        others.into_iter().for_each(ends_well);
        let owners: BTreeSet<_> = world.begun().into_iter().map(|(.., process)| process).collect();
        thefts.fetch_add(owners.iter().filter(|owner| **owner != pid).count(), Ordering::SeqCst);
        books.lock().unwrap().look(place.path(), 0);
    });
    let books = books.into_inner().unwrap();
    let thefts = thefts.into_inner();
    println!("{thefts} thefts by 48 processes, {books:?}");
    assert_eq!(thefts, 0);
    assert_eq!(
        (books.lost, books.told_twice, books.done_twice, books.other_keys),
        (0, 0, 0, 0)
    );
}

#[test]
fn two_managers_of_one_process_never_have_the_same_session() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.unwrap();
    let (mut refusals, mut books) = (0, Tally::default());
    for round in 0..40 {
        let place = tempfile::tempdir().unwrap();
        let open = || {
            SqliteJournal::builder(place.path().join("sessions.db"))
                .durability(Durability::Normal)
                .open()
        };
        runtime.block_on(async {
            let journal = open().unwrap();
            let second_open = open().unwrap();
            let (first, second) = (manager(&World::of(place.path())), manager(&World::of(place.path())));
            let owner = agent(&journal, &first).start().await.unwrap();
            let rival = async {
                loop {
                    let journal = if round % 2 == 0 { &journal } else { &second_open };
                    match agent(journal, &second).resume().await {
                        Err(StartError::SessionTaken { .. }) => refusals += 1,
                        Err(StartError::SessionClosed { .. }) => break,
                        // The session was closed between the read and the append.
                        Err(StartError::Journal(AppendError::Conflict { .. })) => {}
                        other => panic!("round {round}: {other:?}"),
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let owner = async {
                assert!(play(&owner, &first, Duration::ZERO).await);
                owner.close().await.unwrap();
            };
            tokio::join!(owner, rival);
        });
        books.look(place.path(), 0);
    }
    println!("{refusals} refusals, {books:?}");
    assert!(refusals > 100);
    assert_eq!(
        (books.lost, books.told_twice, books.done_twice, books.other_keys),
        (0, 0, 0, 0)
    );
}
