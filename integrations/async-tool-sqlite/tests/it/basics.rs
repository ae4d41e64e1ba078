//! Behaviour of every journal.

use async_tool_runtime::{
    Journal as _,
    journal::{AppendError, Claim, Seq, SessionFilter, Snapshot},
};
use async_tool_sqlite::SqliteJournal;

use crate::fixture::{Place, closed, messages, names, read, read_after, session, write};

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let place = Place::new();
    let journal = place.open();
    assert_eq!(write(&journal, "a", 0, 3).await.unwrap(), 3);
    assert_eq!(write(&journal, "a", 3, 2).await.unwrap(), 5);
    assert_eq!(write(&journal, "b", 0, 1).await.unwrap(), 1);
    drop(journal);
    let journal = place.open();
    assert_eq!(read(&journal, "a").await, messages(0, 5));
    assert_eq!(read(&journal, "b").await, messages(0, 1));
    assert_eq!(write(&journal, "a", 5, 1).await.unwrap(), 6);
}

#[tokio::test]
async fn an_append_after_another_entry_than_the_last_changes_nothing() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 3).await.unwrap();
    for after in [0, 2, 4, u64::MAX] {
        let refused = journal
            .append(&session("a"), &Claim::new(), Seq::new(after), &messages(0, 2))
            .await;
        let Err(AppendError::Conflict { last }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(last.as_u64(), 3);
        let refused = journal.append(&session("a"), &Claim::new(), Seq::new(after), &[]).await;
        assert!(matches!(refused, Err(AppendError::Conflict { .. })), "{refused:?}");
    }
    assert_eq!(read(&journal, "a").await, messages(0, 3));
}

#[tokio::test]
async fn an_append_of_nothing_only_checks_the_fence() {
    let place = Place::new();
    let journal = place.open();
    assert_eq!(write(&journal, "new", 0, 0).await.unwrap(), 0);
    assert_eq!(names(&journal, SessionFilter::All).await, [""; 0]);
    assert!(matches!(
        write(&journal, "new", 1, 0).await,
        Err(AppendError::Conflict { .. })
    ));
    assert_eq!(write(&journal, "new", 0, 2).await.unwrap(), 2);
    assert_eq!(write(&journal, "new", 2, 0).await.unwrap(), 2);
    assert_eq!(read(&journal, "new").await, messages(0, 2));
}

#[tokio::test]
async fn reading_begins_after_the_entry_that_is_named() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 1000).await.unwrap();
    for after in [0, 1, 255, 256, 257, 999, 1000, 1001, u64::MAX] {
        let seqs = read_after(&journal, "a", after).await.unwrap();
        let seqs = seqs.into_iter().map(|(seq, _)| seq);
        assert!(seqs.eq(after.saturating_add(1)..=1000), "after {after}");
    }
    assert_eq!(read(&journal, "unknown").await, []);
}

#[tokio::test]
async fn a_closed_session_is_listed_with_all_and_not_with_the_open_ones() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "open", 0, 1).await.unwrap();
    write(&journal, "over", 0, 1).await.unwrap();
    journal
        .append(&session("over"), &Claim::new(), Seq::new(1), &[closed()])
        .await
        .unwrap();
    assert_eq!(names(&journal, SessionFilter::All).await, ["open", "over"]);
    assert_eq!(names(&journal, SessionFilter::Open).await, ["open"]);
}

#[tokio::test]
async fn all_of_many_sessions_are_listed() {
    let place = Place::new();
    let journal = place.open();
    let mut written: Vec<_> = (0..2500).map(|number| format!("session {number}")).collect();
    futures_util::future::join_all(written.iter().map(|name| write(&journal, name, 0, 1))).await;
    written.sort();
    assert_eq!(names(&journal, SessionFilter::Open).await, written);
}

#[tokio::test]
async fn a_snapshot_takes_the_place_of_the_one_before() {
    let place = Place::new();
    let journal = place.open();
    let a = session("a");
    assert_eq!(journal.snapshot(&a).await.unwrap(), None);
    write(&journal, "a", 0, 5).await.unwrap();
    for seq in [2, 5] {
        let snapshot = Snapshot::new(Seq::new(seq), vec![seq as u8; 10]);
        journal.keep_snapshot(&a, snapshot.clone()).await.unwrap();
        assert_eq!(journal.snapshot(&a).await.unwrap(), Some(snapshot));
    }
    drop(journal);
    assert_eq!(place.open().snapshot(&a).await.unwrap().unwrap().seq.as_u64(), 5);
}

#[tokio::test]
async fn a_snapshot_ahead_of_the_entries_is_never_given() {
    let place = Place::new();
    let journal = place.open();
    let a = session("a");
    write(&journal, "a", 0, 5).await.unwrap();
    journal
        .keep_snapshot(&a, Snapshot::new(Seq::new(6), vec![1]))
        .await
        .unwrap();
    assert_eq!(journal.snapshot(&a).await.unwrap(), None);
    write(&journal, "a", 5, 1).await.unwrap();
    journal
        .keep_snapshot(&a, Snapshot::new(Seq::new(6), vec![2]))
        .await
        .unwrap();
    assert_eq!(journal.snapshot(&a).await.unwrap().unwrap().state, [2]);
    // The state after a restored older copy of the table, or an edit.
    drop(journal);
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute("UPDATE snapshots SET seq = 7", []).unwrap();
    assert_eq!(place.open().snapshot(&a).await.unwrap(), None);
}

#[tokio::test]
async fn a_hundred_thousand_entries_are_read_in_order() {
    let place = Place::new();
    let journal = place.open();
    for after in (0..100_000).step_by(10_000) {
        write(&journal, "long", after, 10_000).await.unwrap();
    }
    assert_eq!(read(&journal, "long").await, messages(0, 100_000));
}

#[tokio::test]
async fn a_journal_is_opened_and_dropped_without_a_runtime() {
    let place = Place::new();
    std::thread::spawn(move || {
        let journal = place.open();
        drop(journal.clone());
        drop(journal);
        assert_eq!(place.names(), ["sessions.db"]);
        drop(SqliteJournal::open_read_only(place.path()).unwrap());
    })
    .join()
    .unwrap();
}
