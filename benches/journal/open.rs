//! Time to open a file.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use async_tool_runtime::{
    Journal as _, SessionId,
    journal::{Claim, Entry, Seq},
};
use async_tool_sqlite::{Durability, OpenCheck, SqliteJournal};
use rusqlite::Connection;
use tokio::runtime::Builder;

use crate::{directory, entry};

const SESSIONS: usize = 10_000;
const EACH: u64 = 20;
const ROUNDS: u32 = 5;

/// Prints the time for each level of checks.
pub(crate) fn measure() {
    let place = directory();
    let path = place.path().join("sessions.db");
    fill(&path);
    let size = fs::metadata(&path).map_or(0, |file| file.len());
    println!(
        "open                      {SESSIONS} sessions of {EACH} entries, {} MB",
        size / 1_000_000
    );
    show("floor, SQLite", || {
        let file = Connection::open(&path).expect("the file is there");
        let count = file.query_row("SELECT count(*) FROM sessions", [], |row| row.get::<_, i64>(0));
        count.expect("the table is there");
    });
    for (name, check) in [
        ("no checks", OpenCheck::None),
        ("bounded checks, the default", OpenCheck::Bounded),
        ("every page checked", OpenCheck::Quick),
        ("everything checked", OpenCheck::Full),
    ] {
        show(name, || {
            let opened = SqliteJournal::builder(&path).check(check).open();
            drop(opened.expect("the file is sound"));
        });
    }
}

fn show(name: &str, mut open: impl FnMut()) {
    let begin = Instant::now();
    (0..ROUNDS).for_each(|_| open());
    let took: Duration = begin.elapsed() / ROUNDS;
    println!("  {name:<28}{took:.2?}");
}

fn fill(path: &Path) {
    let runtime = Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing from the system");
    let journal = SqliteJournal::builder(path).durability(Durability::Normal).open();
    let journal = journal.expect("the file is new");
    let entries: Vec<Entry> = (0..EACH).map(entry).collect();
    runtime.block_on(async {
        for number in 0..SESSIONS {
            let session = SessionId::new(format!("session {number}"));
            let written = journal.append(&session, &Claim::new(), Seq::START, &entries).await;
            written.expect("the session has no other writer");
        }
    });
}
