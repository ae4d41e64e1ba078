//! Compaction of closed sessions.

use async_tool_runtime::{
    Journal as _,
    journal::{Claim, Entry, Seq, SessionFilter, Snapshot},
    task::Timestamp,
};
use futures_util::{TryStreamExt as _, future::join_all};

use crate::fixture::{Place, closed, messages, names, read, read_after, session, write};

/// Entries of some size.
fn long(count: u64) -> Vec<Entry> {
    (0..count)
        .map(|number| Entry::UserMessage {
            text: format!("{number}: {}", "what was said of the weather in Paris; ".repeat(20)),
            media: Vec::new(),
            traceparent: None,
            at: Timestamp::from_millis(number),
        })
        .collect()
}

#[tokio::test]
async fn packed_sessions_are_read_as_before_and_the_file_is_smaller() {
    let place = Place::new();
    let journal = place.open();
    let mut entries = long(3000);
    journal
        .append(&session("over"), &Claim::new(), Seq::START, &entries)
        .await
        .unwrap();
    journal
        .append(&session("over"), &Claim::new(), Seq::new(3000), &[closed()])
        .await
        .unwrap();
    entries.push(closed());
    journal
        .append(&session("open"), &Claim::new(), Seq::START, &long(50))
        .await
        .unwrap();
    let before = journal.compact().await.unwrap();
    assert_eq!((before.sessions, before.entries, before.skipped), (1, 3001, 0));
    assert!(before.bytes_after * 4 < before.bytes_before, "{before:?}");
    assert_eq!(std::fs::metadata(place.path()).unwrap().len(), before.bytes_after);
    assert_eq!(before.saved(), before.bytes_before - before.bytes_after);
    let again = journal.compact().await.unwrap();
    assert_eq!((again.sessions, again.saved()), (0, 0));
    assert_eq!(read(&journal, "over").await, entries);
    assert_eq!(read(&journal, "open").await, long(50));
    for after in [1, 500, 2999, 3000, 3001, 4000] {
        let later = read_after(&journal, "over", after).await.unwrap();
        assert!(
            later.into_iter().map(|(seq, _)| seq).eq(after + 1..=3001),
            "after {after}"
        );
    }
    assert_eq!(names(&journal, SessionFilter::All).await, ["open", "over"]);
    drop(journal);
    assert_eq!(read(&place.open(), "over").await, entries);
}

#[tokio::test]
async fn a_session_that_goes_on_after_it_was_packed_is_read_as_a_whole() {
    let place = Place::new();
    let journal = place.open();
    let mut written = messages(0, 10);
    written.push(closed());
    journal
        .append(&session("a"), &Claim::new(), Seq::START, &written)
        .await
        .unwrap();
    journal.compact().await.unwrap();
    for _ in 0..3 {
        let after = written.len() as u64;
        let mut more = messages(after, 5);
        more.push(closed());
        journal
            .append(&session("a"), &Claim::new(), Seq::new(after), &more)
            .await
            .unwrap();
        written.extend(more);
        assert_eq!(read(&journal, "a").await, written);
        journal.compact().await.unwrap();
        assert_eq!(read(&journal, "a").await, written);
    }
}

#[tokio::test]
async fn a_closed_session_has_no_snapshot() {
    let place = Place::new();
    let journal = place.open();
    let a = session("a");
    write(&journal, "a", 0, 3).await.unwrap();
    journal
        .keep_snapshot(&a, Snapshot::new(Seq::new(3), vec![1; 100]))
        .await
        .unwrap();
    journal
        .append(&a, &Claim::new(), Seq::new(3), &[closed()])
        .await
        .unwrap();
    assert_eq!(journal.snapshot(&a).await.unwrap(), None);
    journal
        .keep_snapshot(&a, Snapshot::new(Seq::new(4), vec![1; 100]))
        .await
        .unwrap();
    assert_eq!(journal.snapshot(&a).await.unwrap(), None);
    let file = rusqlite::Connection::open(place.path()).unwrap();
    let left: i64 = file
        .query_row("SELECT count(*) FROM snapshots", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn appends_and_reads_go_on_while_sessions_are_packed() {
    let place = Place::new();
    let journal = place.open();
    let over: Vec<_> = (0..20).map(|number| format!("over {number}")).collect();
    for name in &over {
        write(&journal, name, 0, 1000).await.unwrap();
        journal
            .append(&session(name), &Claim::new(), Seq::new(1000), &[closed()])
            .await
            .unwrap();
    }
    let writes = async {
        for after in 0..300 {
            write(&journal, "open", after, 1).await.unwrap();
        }
    };
    let reads = join_all(over.iter().map(|name| async {
        for _ in 0..3 {
            assert_eq!(read(&journal, name).await.len(), 1001);
        }
    }));
    let (packed, (), _) = tokio::join!(journal.compact(), writes, reads);
    assert_eq!(packed.unwrap().entries, 20 * 1001);
    assert_eq!(read(&journal, "open").await, messages(0, 300));
}

#[tokio::test]
async fn a_damaged_session_is_left_as_it_is() {
    let place = Place::new();
    let journal = place.open();
    for name in ["damaged", "sound"] {
        write(&journal, name, 0, 9).await.unwrap();
        journal
            .append(&session(name), &Claim::new(), Seq::new(9), &[closed()])
            .await
            .unwrap();
    }
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute("DELETE FROM entries WHERE session = 1 AND seq = 4", [])
        .unwrap();
    let compacted = journal.compact().await.unwrap();
    assert_eq!((compacted.sessions, compacted.skipped), (1, 1));
    let left: i64 = file
        .query_row("SELECT count(*) FROM entries WHERE session = 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 9);
    let raw = journal
        .raw(&session("damaged"), Seq::new(4))
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
    assert_eq!(raw.len(), 6);
}
