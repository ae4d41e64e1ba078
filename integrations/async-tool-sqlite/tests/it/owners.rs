//! Ownership of sessions, within one process: each open journal is an owner, and has one claim for each session.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_tool_runtime::{
    Journal as _,
    journal::{AppendError, Claim, Seq, Snapshot},
    task::Timestamp,
};
use async_tool_sqlite::{Ownership, SqliteJournal};

use crate::fixture::{Place, closed, messages, read, session, write, write_as};

const LEASE: Duration = Duration::from_secs(3_600);

/// Manual clocks of a process: the time of day, and the monotonic one.
#[derive(Clone)]
struct Time(Arc<AtomicU64>, u64);

impl Time {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)), 1_000_000)
    }

    /// The same moments, with another time of day.
    fn at(&self, time_of_day: u64) -> Self {
        Self(Arc::clone(&self.0), time_of_day)
    }

    /// Lets hundredths of a lease pass.
    fn pass(&self, hundredths: u64) {
        self.0.fetch_add(hundredths * 36_000, Ordering::SeqCst);
    }

    fn open(&self, place: &Place) -> SqliteJournal {
        let (now, ticks, origin) = (Arc::clone(&self.0), Arc::clone(&self.0), self.1);
        SqliteJournal::builder(place.path())
            .clock(move || Timestamp::from_millis(origin + now.load(Ordering::SeqCst)))
            // So long that no thread shows a sign of life while a test runs.
            .lease(LEASE)
            .ticks(move || Duration::from_millis(ticks.load(Ordering::SeqCst)))
            .open()
            .unwrap()
    }
}

/// Shows a sign of life of all owners, as their threads do every quarter of a lease.
fn beat(place: &Place) {
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute("UPDATE owners SET heard_from = heard_from + 1", [])
        .unwrap();
}

#[track_caller]
fn assert_held(result: Result<u64, AppendError>, hundredths: u32) {
    match result {
        Err(AppendError::Taken {
            retry_after: Some(after),
        }) => assert_eq!(after, LEASE / 100 * hundredths),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_taken_here(result: Result<u64, AppendError>) {
    assert!(
        matches!(result, Err(AppendError::Taken { retry_after: None })),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_session_of_a_live_owner_is_held_whatever_the_entry_is_written_after() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "a", 0, 2).await.unwrap();
    for after in [0, 2, 7] {
        assert_held(write(&second, "a", after, 1).await, 100);
        assert_held(write(&second, "a", after, 0).await, 100);
    }
    assert_eq!(read(&second, "a").await, messages(0, 2));
    assert_eq!(write(&first, "a", 2, 1).await.unwrap(), 3);
    assert_eq!(write(&second, "b", 0, 1).await.unwrap(), 1, "another session is free");
}

#[tokio::test]
async fn a_session_changes_hands_when_its_owner_was_seen_silent_for_a_lease_and_the_robbed_claim_is_told() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second, claim) = (time.open(&place), time.open(&place), Claim::new());
    write_as(&claim, &first, "a", 0, 2).await.unwrap();
    write(&first, "b", 0, 1).await.unwrap();
    for left in [100, 70, 40, 10] {
        assert_held(write(&second, "a", 2, 0).await, left);
        time.pass(30);
    }
    let third = time.open(&place);
    assert_held(write(&third, "a", 2, 0).await, 100);
    assert_eq!(write(&second, "a", 2, 0).await.unwrap(), 2);
    assert_eq!(
        write(&second, "b", 1, 0).await.unwrap(),
        1,
        "the same owner was watched"
    );
    assert!(!claim.is_lost(), "it has not written since");
    assert_held(write_as(&claim, &first, "a", 2, 0).await, 100);
    assert!(claim.is_lost() && !claim.is_confirmed());
    assert_eq!(write(&second, "a", 2, 1).await.unwrap(), 3);
    assert_held(write(&first, "a", 2, 1).await, 100);
    second.close().await;
    assert_taken_here(write_as(&claim, &first, "a", 3, 1).await);
    assert_eq!(write(&first, "a", 3, 1).await.unwrap(), 4, "another claim");
}

#[tokio::test]
async fn no_step_of_a_clock_takes_a_session_from_an_owner_that_shows_that_it_lives() {
    const DAY: u64 = 86_400_000;
    let (place, time) = (Place::new(), Time::new());
    let first = time.open(&place);
    write(&first, "a", 0, 2).await.unwrap();
    // Processes whose time of day is a day ahead, a day behind, and at the beginning of all days.
    for of_day in [1_000_000 + DAY, 0, u64::MAX / 4] {
        let second = time.at(of_day).open(&place);
        for _ in 0..40 {
            assert_held(write(&second, "a", 2, 0).await, 100);
            time.pass(30);
            beat(&place);
        }
    }
    assert_eq!(write(&first, "a", 2, 1).await.unwrap(), 3);
}

#[tokio::test]
async fn unwatched_time_counts_as_a_third_of_a_lease() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "a", 0, 2).await.unwrap();
    // The machine was suspended for three leases, or both processes were stopped.
    for passed in 0..3 {
        let third = LEASE / 3 * passed;
        let held = write(&second, "a", 2, 0).await;
        let is_held = matches!(held, Err(AppendError::Taken { retry_after: Some(after) }) if after == LEASE - third);
        assert!(is_held, "{passed}: {held:?}");
        time.pass(300);
    }
    beat(&place);
    assert_held(write(&second, "a", 2, 0).await, 100);
    assert_eq!(write(&first, "a", 2, 1).await.unwrap(), 3);
}

#[tokio::test]
async fn an_owner_is_watched_for_a_caller_that_tries_once_and_again_when_it_was_told_to() {
    let place = Place::new();
    let open = || {
        SqliteJournal::builder(place.path())
            .lease(Duration::from_secs(1))
            .open()
            .unwrap()
    };
    let (first, second) = (open(), open());
    write(&first, "a", 0, 2).await.unwrap();
    // Its thread is kept from every sign of life: the file has no row of it.
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute_batch(
        "CREATE TRIGGER hung BEFORE UPDATE ON owners WHEN old.number = 1 BEGIN SELECT RAISE(ABORT, 'hung'); END",
    )
    .unwrap();
    let begun = Instant::now();
    let Err(AppendError::Taken {
        retry_after: Some(after),
    }) = write(&second, "a", 2, 0).await
    else {
        panic!("it is held")
    };
    tokio::time::sleep(after).await;
    assert_eq!(write(&second, "a", 2, 1).await.unwrap(), 3, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn two_claims_of_one_journal_never_have_the_same_session() {
    let place = Place::new();
    let journal = place.open();
    let clone = journal.clone();
    let (first, second) = (Claim::new(), Claim::new());
    write_as(&first, &journal, "a", 0, 2).await.unwrap();
    for journal in [&journal, &clone] {
        for (after, count) in [(2, 0), (2, 1), (0, 1), (9, 0)] {
            assert_taken_here(write_as(&second, journal, "a", after, count).await);
        }
    }
    write_as(&first, &clone, "a", 2, 1).await.unwrap();
    journal.release(&session("a"), &second).await.unwrap();
    assert_taken_here(write_as(&second, &journal, "a", 3, 0).await);
    journal.release(&session("a"), &first).await.unwrap();
    write_as(&second, &journal, "a", 3, 1).await.unwrap();
    assert_taken_here(write_as(&first, &journal, "a", 4, 0).await);
    drop(second);
    write_as(&first, &journal, "a", 4, 0).await.unwrap();
    assert_eq!(read(&journal, "a").await, messages(0, 4));
}

#[tokio::test]
async fn a_claim_of_an_append_that_was_rolled_back_has_nothing() {
    let place = Place::new();
    let journal = place.open();
    let (first, second) = (Claim::new(), Claim::new());
    write_as(&first, &journal, "a", 0, 2).await.unwrap();
    journal.release(&session("a"), &first).await.unwrap();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    let fail = "CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'full'); END";
    file.execute_batch(fail).unwrap();
    let failed = write_as(&first, &journal, "a", 2, 1).await;
    assert!(matches!(failed, Err(AppendError::Unavailable(_))), "{failed:?}");
    file.execute_batch("DROP TRIGGER full").unwrap();
    write_as(&second, &journal, "a", 2, 1).await.unwrap();
}

#[tokio::test]
async fn a_sign_of_life_tells_the_claims_what_they_have_and_frees_the_sessions_of_dropped_ones() {
    let place = Place::new();
    let journal = SqliteJournal::builder(place.path())
        .lease(Duration::from_secs(1))
        .open()
        .unwrap();
    let (kept, robbed, dropped) = (Claim::new(), Claim::new(), Claim::new());
    for (claim, name) in [(&kept, "kept"), (&robbed, "robbed"), (&dropped, "dropped")] {
        write_as(claim, &journal, name, 0, 1).await.unwrap();
    }
    drop(dropped);
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute("UPDATE sessions SET owner = 7 WHERE name = 'robbed'", [])
        .unwrap();
    tokio::time::timeout(Duration::from_secs(5), async {
        while !robbed.is_lost() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it is told");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        assert!(kept.is_confirmed(), "a third of a lease is 333 ms");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!kept.is_lost());
    for (name, ownership) in [("kept", Ownership::This), ("dropped", Ownership::Free)] {
        let summary = journal.summary(&session(name)).await.unwrap().unwrap();
        assert_eq!(summary.ownership, ownership, "{name}");
    }
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
    first
        .append(&session("a"), &Claim::new(), Seq::new(1), &[closed()])
        .await
        .unwrap();
    for journal in [&second, &first, &second] {
        assert_eq!(write(journal, "a", 2, 0).await.unwrap(), 2);
        let conflict = write(journal, "a", 1, 0).await;
        assert!(matches!(conflict, Err(AppendError::Conflict { .. })), "{conflict:?}");
        let summary = journal.summary(&session("a")).await.unwrap().unwrap();
        assert_eq!(summary.ownership, Ownership::Free);
    }
}

#[tokio::test]
async fn a_claim_without_entries_holds_a_session_that_has_none() {
    let (place, time) = (Place::new(), Time::new());
    let (first, second) = (time.open(&place), time.open(&place));
    write(&first, "new", 0, 0).await.unwrap();
    assert_held(write(&second, "new", 0, 1).await, 100);
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
        Err(AppendError::Conflict { .. })
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
        matches!(refused, Err(AppendError::Taken { retry_after: Some(_) })),
        "{refused:?}"
    );
    assert_eq!(second.snapshot(&session("a")).await.unwrap(), None);
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
    assert_held(write(&first, "a", 4, 1).await, 100);
}
