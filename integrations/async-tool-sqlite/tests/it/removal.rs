//! Removal of closed sessions.

use async_tool_runtime::{
    Journal as _,
    content::{Attachment, Media},
    journal::{Claim, Entry, Seq, SessionFilter, find_media},
    task::Timestamp,
};
use async_tool_sqlite::SqliteJournal;
use futures_util::{StreamExt as _, TryStreamExt as _};
use rusqlite::Connection;

use crate::fixture::{Place, closed, messages, names, read, session, write};

const TABLES: [&str; 4] = ["entries", "packs", "blobs", "snapshots"];

fn rows(place: &Place) -> [i64; 4] {
    let file = Connection::open(place.path()).unwrap();
    TABLES.map(|table| {
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap()
    })
}

fn photo(bytes: usize) -> Entry {
    Entry::UserMessage {
        text: "look".to_owned(),
        media: vec![Attachment::new(4, Media::bytes("image/png", vec![7; bytes]))],
        traceparent: None,
        at: Timestamp::from_millis(1),
    }
}

async fn is_intact(journal: &SqliteJournal) {
    let all: Vec<_> = journal.verify_all().try_collect().await.unwrap();
    assert!(all.iter().all(|session| session.finding.is_none()), "{all:?}");
}

#[tokio::test]
async fn a_removed_session_leaves_nothing_in_the_file() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "kept", 0, 5).await.unwrap();
    for name in ["plain", "packed"] {
        let (id, claim) = (session(name), Claim::new());
        journal
            .append(&id, &claim, Seq::START, &[photo(10), photo(20_000)])
            .await
            .unwrap();
        let bytes = vec![7; 20_000].into();
        journal.put_blob(&id, &bytes).await.unwrap().unwrap();
        journal.append(&id, &claim, Seq::new(2), &[closed()]).await.unwrap();
        if name == "packed" {
            journal.compact().await.unwrap();
            write(&journal, "kept", 5, 1).await.unwrap();
        }
    }
    for name in ["packed", "plain", "plain", "unknown"] {
        assert!(journal.remove(&session(name)).await.unwrap(), "{name}");
        assert!(read(&journal, name).await.is_empty(), "{name}");
    }
    assert!(
        !journal.remove(&session("kept")).await.unwrap(),
        "an open session stays"
    );
    assert_eq!(names(&journal, SessionFilter::All).await, ["kept"]);
    assert_eq!(read(&journal, "kept").await, messages(0, 6));
    is_intact(&journal).await;
    drop(journal);
    assert_eq!(rows(&place), [6, 0, 0, 0]);
    assert_eq!(names(&place.open(), SessionFilter::All).await, ["kept"]);
}

#[tokio::test]
async fn the_file_stops_growing_when_sessions_are_removed() {
    let place = Place::new();
    let journal = place.open();
    let pages = || -> i64 {
        let file = Connection::open(place.path()).unwrap();
        file.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap()
    };
    let mut after = Vec::new();
    for round in 0..6 {
        for number in 0..20 {
            let id = session(&format!("{round} {number}"));
            let mut entries = vec![photo(4_000); 10];
            entries.push(closed());
            journal.append(&id, &Claim::new(), Seq::START, &entries).await.unwrap();
            assert!(journal.remove(&id).await.unwrap());
        }
        after.push(pages());
    }
    assert!(after[5] <= after[0] + 1, "{after:?}");
}

#[tokio::test]
async fn the_number_of_a_removed_session_is_never_given_again() {
    let place = Place::new();
    for round in 1..4_i64 {
        // Also after the journal was closed.
        let journal = place.open();
        let id = session("a");
        journal
            .append(&id, &Claim::new(), Seq::START, &[closed()])
            .await
            .unwrap();
        let file = Connection::open(place.path()).unwrap();
        let number: i64 = file
            .query_row("SELECT number FROM sessions", [], |row| row.get(0))
            .unwrap();
        assert_eq!(number, round);
        drop(file);
        assert!(journal.remove(&id).await.unwrap());
        journal.close().await;
    }
}

#[tokio::test]
async fn a_compaction_never_packs_a_session_that_was_removed_meanwhile() {
    let place = Place::new();
    let (journal, other) = (place.open(), place.open());
    for round in 0..40_u64 {
        // Both sessions have as many entries.
        let (first, second) = (session(&format!("first {round}")), session(&format!("second {round}")));
        let mut entries = messages(round, 300);
        entries.push(closed());
        journal
            .append(&first, &Claim::new(), Seq::START, &entries)
            .await
            .unwrap();
        let (compacted, removed) = tokio::join!(journal.compact(), async {
            assert!(other.remove(&first).await.unwrap());
            let mut entries = messages(1_000 + round, 300);
            entries.push(closed());
            other
                .append(&second, &Claim::new(), Seq::START, &entries)
                .await
                .unwrap();
            entries
        });
        compacted.unwrap();
        assert_eq!(read(&journal, second.as_str()).await, removed, "{round}");
        assert!(journal.remove(&second).await.unwrap());
    }
    is_intact(&journal).await;
}

#[tokio::test]
async fn a_read_of_a_session_that_is_removed_meanwhile_never_looks_complete() {
    let place = Place::new();
    let journal = place.open();
    for packs in [false, true] {
        let id = session("a");
        let mut entries = messages(0, 9_000);
        entries.push(closed());
        journal.append(&id, &Claim::new(), Seq::START, &entries).await.unwrap();
        if packs {
            journal.compact().await.unwrap();
        }
        let mut read = journal.read(&id, Seq::START);
        read.next().await.unwrap().unwrap();
        assert!(journal.remove(&id).await.unwrap());
        let read = read.try_collect::<Vec<_>>().await;
        assert!(read.is_err(), "{packs}: {} entries and an end", read.unwrap().len());
        // A read that begins afterwards finds nothing, wherever it begins.
        for after in [0, 5_000] {
            let read: Vec<_> = journal.read(&id, Seq::new(after)).try_collect().await.unwrap();
            assert!(read.is_empty());
        }
    }
}

#[tokio::test]
async fn the_bytes_of_an_entry_are_found_by_their_name() {
    let place = Place::new();
    let journal = place.open();
    let agent = crate::blobs::talk(&journal).await;
    agent.close().await.unwrap();
    let id = session("a");
    let entries: Vec<(Seq, Entry)> = journal.read(&id, Seq::START).try_collect().await.unwrap();
    let mut with_large = 0;
    for (_, mut entry) in entries {
        let withheld = entry.media().iter().filter(|media| media.is_withheld()).count();
        with_large += withheld;
        find_media(&journal, &id, &mut entry).await.unwrap();
        for media in entry.media() {
            assert!(
                media
                    .as_bytes()
                    .is_some_and(|bytes| bytes.iter().all(|byte| *byte == 7))
            );
        }
    }
    assert_eq!(with_large, 2, "the user's and the tool's");
    assert!(journal.remove(&id).await.unwrap());
}
