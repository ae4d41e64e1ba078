//! Many concurrent appends.

use std::task::{Context, Waker};

use async_tool_runtime::{
    Journal as _,
    journal::{AppendError, Claim, Seq},
};
use futures_util::future::join_all;

use crate::fixture::{Place, messages, read, session, why, write, write_as};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_sessions_are_written_at_once_and_each_has_its_entries() {
    let place = Place::new();
    let journal = place.open();
    let tasks = (0..200).map(|number| {
        let journal = journal.clone();
        tokio::spawn(async move {
            let name = format!("session {number}");
            let mut after = 0;
            for count in [1, 3, 0, 2, 5, 1] {
                after = write(&journal, &name, after, count).await.unwrap();
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    drop(journal);
    let journal = place.open();
    for number in 0..200 {
        assert_eq!(read(&journal, &format!("session {number}")).await, messages(0, 12));
    }
}

#[tokio::test]
async fn of_many_that_write_after_the_same_entry_one_goes_on() {
    let place = Place::new();
    let journal = place.open();
    let (mut last, claim) = (0, Claim::new());
    for _ in 0..20 {
        let results = join_all((0..16).map(|_| write_as(&claim, &journal, "a", last, 2))).await;
        let (written, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(written.len(), 1);
        last += 2;
        for refusal in refused {
            assert!(matches!(refusal, Err(AppendError::Conflict { last: found }) if found.as_u64() == last));
        }
    }
    assert_eq!(read(&journal, "a").await, messages(0, 40));
}

#[tokio::test]
async fn a_conflict_harms_no_other_session_of_its_group() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "ahead", 0, 5).await.unwrap();
    let names: Vec<_> = (0..100).map(|number| format!("session {number}")).collect();
    let mut appends = Vec::new();
    for name in &names {
        appends.push(write(&journal, name, 0, 3));
        appends.push(write(&journal, "ahead", 1, 3));
    }
    for (number, result) in join_all(appends).await.into_iter().enumerate() {
        assert_eq!(result.is_ok(), number % 2 == 0, "{result:?}");
    }
    for name in &names {
        assert_eq!(read(&journal, name).await, messages(0, 3));
    }
    assert_eq!(read(&journal, "ahead").await, messages(0, 5));
}

#[tokio::test]
async fn an_append_whose_future_is_dropped_is_written_as_a_whole_or_not_at_all() {
    let place = Place::new();
    let journal = place.open();
    for number in 0..100 {
        let session = session(&format!("session {number}"));
        let entries = messages(0, 7);
        let claim = Claim::new();
        let mut append = journal.append(&session, &claim, Seq::START, &entries);
        if number % 2 == 0 {
            // A single poll hands the append to the thread; its result is never awaited.
            let _ = append.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }
    journal.close().await;
    let journal = place.open();
    for number in 0..100 {
        let found = read(&journal, &format!("session {number}")).await;
        let expected = if number % 2 == 0 { 7 } else { 0 };
        assert_eq!(found, messages(0, expected), "session {number}");
    }
}

#[tokio::test]
async fn what_was_queued_when_the_last_handle_is_dropped_is_written() {
    let place = Place::new();
    let journal = place.open();
    let (mut after, claim) = (0, Claim::new());
    for _ in 0..50 {
        let session = session("a");
        let entries = messages(after, 4);
        let mut append = journal.append(&session, &claim, Seq::new(after), &entries);
        let _ = append.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        after += 4;
    }
    drop(journal);
    assert_eq!(place.names(), ["sessions.db"], "log and owner are gone");
    assert_eq!(read(&place.open(), "a").await, messages(0, 200));
}

#[tokio::test]
async fn a_full_disk_takes_nothing_along_and_the_journal_goes_on_when_there_is_space() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 10).await.unwrap();
    journal.limit_pages(Some(1)).await.unwrap();
    let mut written = 0;
    let refused = loop {
        match write(&journal, "b", written, 50).await {
            Ok(last) => written = last,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Unavailable(_)), "{refused:?}");
    assert!(why(&refused).contains("there is no space left"), "{}", why(&refused));
    // A small append succeeds, even in a group with one that is too large.
    let (small, large) = tokio::join!(write(&journal, "a", 10, 0), write(&journal, "b", written, 5000));
    assert_eq!(small.unwrap(), 10);
    assert!(matches!(large, Err(AppendError::Unavailable(_))));
    assert_eq!(read(&journal, "a").await, messages(0, 10));
    assert_eq!(read(&journal, "b").await, messages(0, written));
    journal.limit_pages(None).await.unwrap();
    assert_eq!(write(&journal, "b", written, 5000).await.unwrap(), written + 5000);
    drop(journal);
    let journal = place.open();
    assert_eq!(read(&journal, "b").await, messages(0, written + 5000));
}

#[tokio::test]
async fn a_file_that_another_process_keeps_locked_is_unavailable_and_then_available_again() {
    let place = Place::new();
    let journal = async_tool_sqlite::SqliteJournal::builder(place.path())
        .busy_timeout(std::time::Duration::from_millis(20))
        .open()
        .unwrap();
    write(&journal, "a", 0, 1).await.unwrap();
    let other = rusqlite::Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (first, second) = tokio::join!(write(&journal, "a", 1, 1), write(&journal, "b", 0, 1));
    for refused in [first, second] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, AppendError::Unavailable(_)));
        assert!(why(&refused).contains("keeps the journal locked"), "{}", why(&refused));
    }
    assert_eq!(read(&journal, "a").await, messages(0, 1), "reading goes on");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(write(&journal, "a", 1, 1).await.unwrap(), 2);
}
