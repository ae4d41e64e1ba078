//! Functions for tools: listing, export, raw entries.

use async_tool_runtime::{
    Journal as _,
    journal::{Claim, Seq, SessionFilter},
    task::Timestamp,
};
use async_tool_sqlite::{Ownership, SqliteJournal};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use crate::fixture::{Place, checksum, closed, message, messages, read_after, session, why, write};

#[tokio::test]
async fn a_list_says_what_each_session_is() {
    let place = Place::new();
    let at = |time| move || Timestamp::from_millis(time);
    let journal = SqliteJournal::builder(place.path()).clock(at(5000)).open().unwrap();
    write(&journal, "claimed only", 0, 0).await.unwrap();
    write(&journal, "open", 0, 3).await.unwrap();
    drop(journal);
    let journal = SqliteJournal::builder(place.path())
        .clock(at(7000))
        .hash_chain(true)
        .open()
        .unwrap();
    write(&journal, "open", 3, 1).await.unwrap();
    write(&journal, "over", 0, 2).await.unwrap();
    journal
        .append(&session("over"), &Claim::new(), Seq::new(2), &[closed()])
        .await
        .unwrap();
    journal.compact().await.unwrap();

    let list: Vec<_> = journal.list(SessionFilter::All).try_collect().await.unwrap();
    let [open, over] = &list[..] else { panic!("{list:?}") };
    let bytes = |entries: &[_]| {
        entries
            .iter()
            .map(|entry| serde_json::to_string(entry).unwrap().len() as u64)
            .sum::<u64>()
    };
    assert_eq!(
        (open.session.as_str(), open.entries, open.packed_entries),
        ("open", 4, 0)
    );
    assert_eq!((open.began.as_millis(), open.changed.as_millis()), (5000, 7000));
    assert_eq!(
        (open.is_closed, open.is_chained, open.ownership),
        (false, false, Ownership::This)
    );
    assert_eq!((open.bytes, open.packed_bytes), (bytes(&messages(0, 4)), 0));
    assert_eq!(
        (over.session.as_str(), over.entries, over.packed_entries),
        ("over", 3, 3)
    );
    assert_eq!(
        (over.is_closed, over.is_chained, over.ownership),
        (true, true, Ownership::Free)
    );
    assert!(over.packed_bytes > 0);

    let reader = SqliteJournal::builder(place.path())
        .clock(at(8000))
        .open_read_only()
        .unwrap();
    let open = reader.summary(&session("open")).await.unwrap().unwrap();
    let held = Ownership::Other {
        process: std::process::id(),
        heard_from: Timestamp::from_millis(7_000),
    };
    assert_eq!(open.ownership, held);
    assert_eq!(reader.list(SessionFilter::Open).count().await, 1);
    assert_eq!(reader.summary(&session("claimed only")).await.unwrap(), None);
    drop(journal);
    let open = reader.summary(&session("open")).await.unwrap().unwrap();
    assert_eq!(open.ownership, Ownership::Free);
}

#[tokio::test]
async fn an_export_has_a_line_for_each_entry() {
    let place = Place::new();
    let journal = SqliteJournal::builder(place.path()).hash_chain(true).open().unwrap();
    write(&journal, "a", 0, 600).await.unwrap();
    let lines: Vec<_> = journal.export(&session("a")).try_collect().await.unwrap();
    let raw: Vec<_> = journal.raw(&session("a"), Seq::START).try_collect().await.unwrap();
    assert_eq!((lines.len(), raw.len()), (600, 600));
    for ((line, raw), number) in lines.iter().zip(&raw).zip(1..) {
        assert!(!line.contains('\n'));
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["seq"], number);
        assert_eq!(line["entry"], serde_json::to_value(message(number)).unwrap());
        let link: String = raw.link().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(line["link"], link);
        assert_eq!(raw.as_bytes(), serde_json::to_vec(&message(number)).unwrap());
    }
    let last = journal.head(&session("a")).await.unwrap().unwrap();
    assert_eq!(Some(last.hash()), raw[599].link());
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_named() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 300).await.unwrap();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    for (broken, expected) in [
        (&br#"{"entry":"of a later version"}"#[..], "of a later version"),
        (br#"{"entry""#, "EOF"),
        (b"\"\xFF\"", "invalid utf-8"),
    ] {
        let edit = "UPDATE entries SET entry = CAST(?1 AS TEXT), sum = ?2 WHERE seq = 280";
        // A program that writes this also writes its checksum.
        let sum = checksum("a", 280, broken);
        file.execute(edit, (broken, sum)).unwrap();
        let error = read_after(&journal, "a", 0).await.unwrap_err();
        let why = why(&error);
        assert!(why.contains("entry 280 of session \"a\" can't be read"), "{why}");
        assert!(why.contains(expected), "{why}");
        let read: Vec<_> = journal.read(&session("a"), Seq::START).collect().await;
        assert_eq!(read.len(), 280, "the entries before it, and the error");
        assert_eq!(read_after(&journal, "a", 280).await.unwrap().len(), 20);
    }
    let error = journal.export(&session("a")).try_collect::<Vec<_>>().await.unwrap_err();
    assert!(why(&error).contains("entry 280"));
    file.execute("DELETE FROM entries WHERE seq = 280", []).unwrap();
    let error = read_after(&journal, "a", 0).await.unwrap_err();
    assert!(
        why(&error).contains("entry 280 of session \"a\" is missing"),
        "{}",
        why(&error)
    );
}
