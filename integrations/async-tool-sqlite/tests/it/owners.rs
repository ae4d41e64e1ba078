//! Ownership of sessions, within one process: each open journal is an owner.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_tool_runtime::{
    Journal as _,
    journal::{AppendError, Seq, Snapshot},
    task::Timestamp,
};
use async_tool_sqlite::{Ownership, SqliteJournal};

use crate::fixture::{Place, closed, messages, read, session, write};

/// A manual clock.
#[derive(Clone)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_000_000)))
    }

    fn pass(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    fn open(&self, place: &Place) -> SqliteJournal {
        let time = self.0.clone();
        SqliteJournal::builder(place.path())
            .clock(move || Timestamp::from_millis(time.load(Ordering::SeqCst)))
            .open()
            .unwrap()
    }
}

#[track_caller]
fn assert_held(result: Result<u64, AppendError>, last: u64, until: u64) {
    match result {
        Err(AppendError::Conflict {
            last: found,
            until: Some(end),
        }) => assert_eq!((found.as_u64(), end.as_millis()), (last, until)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_of_a_live_owner_is_held_until_its_lease_ends() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "a", 0, 2).await.unwrap();
    time.pass(10_000);
    for after in [0, 2, 7] {
        assert_held(write(&second, "a", after, 1).await, 2, 1_030_000);
        assert_held(write(&second, "a", after, 0).await, 2, 1_030_000);
    }
    assert_eq!(read(&second, "a").await, messages(0, 2));
    assert_eq!(write(&first, "a", 2, 1).await.unwrap(), 3);
    assert_eq!(write(&second, "b", 0, 1).await.unwrap(), 1, "another session is free");
}

#[tokio::test]
async fn a_session_changes_hands_when_the_lease_has_run_out_and_the_robbed_owner_is_told() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "a", 0, 2).await.unwrap();
    time.pass(29_999);
    assert_held(write(&second, "a", 2, 0).await, 2, 1_030_000);
    time.pass(1);
    let third = time.open(&place);
    assert_eq!(write(&third, "a", 2, 0).await.unwrap(), 2);
    assert_held(write(&first, "a", 2, 1).await, 2, 1_060_000);
    assert_held(write(&first, "a", 2, 0).await, 2, 1_060_000);
    assert_eq!(write(&third, "a", 2, 1).await.unwrap(), 3);
    assert_held(write(&first, "a", 2, 1).await, 3, 1_060_000);
    assert_eq!(read(&first, "a").await, messages(0, 3));
}

#[tokio::test]
async fn a_session_of_a_journal_that_was_closed_is_free_at_once() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "a", 0, 2).await.unwrap();
    first.close().await;
    assert_eq!(write(&second, "a", 2, 1).await.unwrap(), 3);
    let owner_files = place.names().iter().filter(|name| name.contains(".owner-")).count();
    assert_eq!(owner_files, 1, "{:?}", place.names());
}

#[tokio::test]
async fn a_closed_session_belongs_to_nobody() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "a", 0, 1).await.unwrap();
    first.append(&session("a"), Seq::new(1), &[closed()]).await.unwrap();
    for journal in [&second, &first, &second] {
        assert_eq!(write(journal, "a", 2, 0).await.unwrap(), 2);
        let conflict = write(journal, "a", 1, 0).await;
        assert!(
            matches!(conflict, Err(AppendError::Conflict { until: None, .. })),
            "{conflict:?}"
        );
        let summary = journal.summary(&session("a")).await.unwrap().unwrap();
        assert_eq!(summary.ownership, Ownership::Free);
    }
}

#[tokio::test]
async fn a_claim_without_entries_holds_a_session_that_has_none() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "new", 0, 0).await.unwrap();
    assert_held(write(&second, "new", 0, 1).await, 0, 1_030_000);
    write(&first, "new", 0, 1).await.unwrap();
}

#[tokio::test]
async fn a_refused_append_claims_nothing() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "a", 0, 2).await.unwrap();
    first.close().await;
    assert!(matches!(
        write(&second, "a", 1, 1).await,
        Err(AppendError::Conflict { until: None, .. })
    ));
    let third = time.open(&place);
    assert_eq!(write(&third, "a", 2, 1).await.unwrap(), 3);
}

#[tokio::test]
async fn a_snapshot_of_a_session_that_another_holds_is_refused() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "a", 0, 2).await.unwrap();
    let refused = second
        .keep_snapshot(&session("a"), Snapshot::new(Seq::new(1), vec![1]))
        .await;
    assert!(
        matches!(refused, Err(AppendError::Conflict { until: Some(_), .. })),
        "{refused:?}"
    );
    assert_eq!(second.snapshot(&session("a")).await.unwrap(), None);
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_lease_longer() {
    let (place, time) = (Place::new(), Time::new());
    let first = time.open(&place);
    write(&first, "a", 0, 2).await.unwrap();
    time.0.store(500_000, Ordering::SeqCst);
    let second = time.open(&place);
    assert_held(write(&second, "a", 2, 0).await, 2, 530_000);
}

#[tokio::test]
async fn an_owner_whose_row_was_taken_away_is_still_the_same() {
    let (place, time) = (Place::new(), Time::new());
    let first = time.open(&place);
    write(&first, "a", 0, 2).await.unwrap();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute("DELETE FROM owners", []).unwrap();
    assert_eq!(write(&first, "a", 2, 1).await.unwrap(), 3);
    let second = time.open(&place);
    assert_eq!(write(&second, "a", 3, 1).await.unwrap(), 4, "no row, no owner");
    assert_held(write(&first, "a", 4, 1).await, 4, 1_030_000);
}
