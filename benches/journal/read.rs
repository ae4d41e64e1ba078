//! Time to read a session.

use std::time::Instant;

use async_tool_runtime::{
    Journal as _, SessionId,
    journal::{Claim, Entry, Seq},
    task::Timestamp,
};
use async_tool_sqlite::SqliteJournal;
use futures_util::StreamExt as _;
use rusqlite::Connection;
use tokio::runtime::Builder;

use crate::{directory, entry};

const ENTRIES: u64 = 10_000;
const ROUNDS: u32 = 10;

/// Prints the time for a whole session.
pub(crate) fn measure() {
    let place = directory();
    let path = place.path().join("sessions.db");
    let runtime = Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing from the system");
    let journal = SqliteJournal::open(&path).expect("the file is new");
    let session = SessionId::new("long");
    println!("read                      {ENTRIES} entries of one session");
    let mut entries: Vec<Entry> = (1..ENTRIES).map(entry).collect();
    entries.push(Entry::Closed {
        at: Timestamp::default(),
    });
    let written = runtime.block_on(journal.append(&session, &Claim::new(), Seq::START, &entries));
    written.expect("the session has no other writer");
    show("floor, SQLite, not parsed", || {
        let file = Connection::open(&path).expect("the file is there");
        let mut select = file
            .prepare("SELECT place, entry FROM entries")
            .expect("the table is there");
        let mut rows = select.query([]).expect("the table is there");
        let mut bytes = 0;
        while let Some(row) = rows.next().expect("the file is sound") {
            bytes += row
                .get_ref(1)
                .and_then(|text| Ok(text.as_str()?.len()))
                .expect("an entry is text");
        }
        assert!(bytes > 0);
    });
    let text: Vec<_> = entries
        .iter()
        .map(|entry| serde_json::to_string(entry).expect("an entry is JSON"))
        .collect();
    show("floor, parsed only", || {
        let parse = |text: &String| serde_json::from_str::<Entry>(text);
        assert_eq!(text.iter().flat_map(parse).count() as u64, ENTRIES);
    });
    let read = || {
        let count = runtime.block_on(
            journal
                .read(&session, Seq::START)
                .filter(|item| std::future::ready(item.is_ok()))
                .count(),
        );
        assert_eq!(count as u64, ENTRIES);
    };
    show("unpacked", read);
    let packed = runtime.block_on(journal.compact()).expect("the disk works");
    println!(
        "  packed                      {} bytes of {}",
        packed.bytes_after, packed.bytes_before
    );
    show("packed", read);
}

fn show(name: &str, mut read: impl FnMut()) {
    let begin = Instant::now();
    (0..ROUNDS).for_each(|_| read());
    println!("  {name:<28}{:.2?}", begin.elapsed() / ROUNDS);
}
