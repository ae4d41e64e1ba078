//! Throughput of appends.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use async_tool_runtime::{
    Journal as _, SessionId,
    journal::{Claim, Seq},
};
use async_tool_sqlite::{Durability, SqliteJournal};
use rusqlite::Connection;
use tokio::runtime::Builder;

use crate::{directory, entry};

const SESSIONS: usize = 256;
const ALONE: u64 = 500;
const EACH: u64 = 200;

/// Prints entries per second, with one entry in each append.
pub(crate) fn measure() {
    println!(
        "append                    one entry in each append, synced (budget: 20,000 entries/s in {SESSIONS} sessions)"
    );
    let place = directory();
    let file = |name: &str| place.path().join(name);
    for group in [1, SESSIONS as u64] {
        show(&format!("floor, file, {group} per sync"), lines(&file("lines"), group));
        show(
            &format!("floor, SQLite, {group} per sync"),
            rows(&file(&format!("rows {group}")), group),
        );
    }
    let open = |name: &str, durability, is_chained| {
        let builder = SqliteJournal::builder(file(name)).durability(durability);
        builder.hash_chain(is_chained).open().expect("the file is new")
    };
    show("1 session", sessions(&open("1", Durability::Full, false), 1, ALONE));
    for (name, durability, is_chained) in [
        ("256 sessions", Durability::Full, false),
        ("256 sessions, chained", Durability::Full, true),
        ("256 sessions, not synced", Durability::Normal, false),
    ] {
        show(name, sessions(&open(name, durability, is_chained), SESSIONS, EACH));
    }
}

fn show(name: &str, (entries, took): (u64, Duration)) {
    println!("  {name:<28}{:.0} entries/s", entries as f64 / took.as_secs_f64());
}

/// Number of entries, and the time in which all sessions write them. A session waits for each append before the next.
fn sessions(journal: &SqliteJournal, sessions: usize, each: u64) -> (u64, Duration) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime without drivers needs nothing from the system");
    let begin = Instant::now();
    runtime.block_on(async {
        let write = |number: usize| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let (session, claim) = (SessionId::new(format!("session {number}")), Claim::new());
                for after in 0..each {
                    let entries = [entry(after)];
                    let written = journal.append(&session, &claim, Seq::new(after), &entries).await;
                    written.expect("the session has no other writer");
                }
            })
        };
        let tasks: Vec<_> = (0..sessions).map(write).collect();
        for task in tasks {
            task.await.expect("the task doesn't panic");
        }
    });
    (sessions as u64 * each, begin.elapsed())
}

/// Floor: appends lines to a file, `group` of them for each sync.
fn lines(path: &Path, group: u64) -> (u64, Duration) {
    let mut file = File::create(path).expect("the directory can be written to");
    let line = serde_json::to_vec(&entry(1))
        .expect("an entry is JSON")
        .repeat(group as usize);
    let begin = Instant::now();
    for _ in 0..EACH {
        file.write_all(&line).expect("there is space");
        file.sync_data().expect("the disk works");
    }
    (EACH * group, begin.elapsed())
}

/// Floor: inserts rows with bare SQLite, `group` of them in each transaction.
fn rows(path: &Path, group: u64) -> (u64, Duration) {
    let mut file = Connection::open(path).expect("the directory can be written to");
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE entries (entry TEXT)")
        .expect("the file is new");
    let line = serde_json::to_string(&entry(1)).expect("an entry is JSON");
    let begin = Instant::now();
    for _ in 0..EACH {
        let transaction = file.transaction().expect("the file has no other writer");
        for _ in 0..group {
            let mut insert = transaction
                .prepare_cached("INSERT INTO entries VALUES (?1)")
                .expect("the statement is right");
            insert.execute([&line]).expect("there is space");
        }
        transaction.commit().expect("the disk works");
    }
    (EACH * group, begin.elapsed())
}
