//! Files of earlier versions.

use async_tool_runtime::journal::SessionFilter;
use async_tool_sqlite::SqliteJournal;
use futures_util::StreamExt as _;

use crate::fixture::{Place, messages, names, read, session, write};

/// Makes a file of version 1, with session "a" of 5 messages, and the closed session "b" of 1.
fn version_1(place: &Place) {
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL")
        .unwrap();
    file.execute_batch(include_str!("version_1.sql")).unwrap();
    for (number, name, last, is_closed) in [(1, "a", 5, false), (2, "b", 1, true)] {
        file.execute(
            "INSERT INTO sessions (number, name, last, closed, began, changed, bytes) VALUES (?1, ?2, ?3, ?4, 7, 8, 9)",
            (number, name, last, is_closed),
        )
        .unwrap();
        for (seq, message) in (1..).zip(messages(0, last)) {
            file.execute(
                "INSERT INTO entries (place, entry) VALUES (?1 << 32 | ?2, ?3)",
                (number, seq, serde_json::to_string(&message).unwrap()),
            )
            .unwrap();
        }
    }
    file.execute_batch("PRAGMA application_id = 0x41544A4C; PRAGMA user_version = 1")
        .unwrap();
}

/// The whole schema of the file.
fn schema(place: &Place) -> Vec<(String, Option<String>)> {
    let file = rusqlite::Connection::open(place.path()).unwrap();
    let mut statement = file
        .prepare("SELECT name, sql FROM sqlite_schema ORDER BY name")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let squeeze = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    rows.map(|row| {
        row.map(|(name, sql): (String, Option<String>)| (name, sql.map(squeeze)))
            .unwrap()
    })
    .collect()
}

#[tokio::test]
async fn a_file_of_version_1_becomes_one_of_this_version_and_loses_nothing() {
    let place = Place::new();
    version_1(&place);
    let journal = place.open();
    assert_eq!(read(&journal, "a").await, messages(0, 5));
    assert_eq!(read(&journal, "b").await, messages(0, 1));
    assert_eq!(names(&journal, SessionFilter::Open).await, ["a"]);
    let summary = journal.summary(&session("a")).await.unwrap().unwrap();
    assert_eq!((summary.began.as_millis(), summary.changed.as_millis()), (7, 8));
    write(&journal, "a", 5, 2).await.unwrap();
    let memory = journal.memory("user");
    memory.remember("written by the new version").await.unwrap();
    drop((memory, journal));

    let journal = place.open();
    assert_eq!(read(&journal, "a").await, messages(0, 7));
    assert_eq!(journal.memory("user").recall("version", 1).await.unwrap().len(), 1);
    drop(journal);

    let new = Place::new();
    drop(new.open());
    assert_eq!(schema(&place), schema(&new));
}

#[tokio::test]
async fn a_file_of_version_1_is_read_as_it_is_and_has_no_notes() {
    let place = Place::new();
    version_1(&place);
    let reader = SqliteJournal::open_read_only(place.path()).unwrap();
    assert_eq!(read(&reader, "a").await, messages(0, 5));
    let memory = reader.memory("user");
    assert!(memory.recall("anything", 5).await.unwrap().is_empty());
    assert!(memory.recall("", 5).await.unwrap().is_empty());
    assert_eq!(memory.notes().count().await, 0);
    assert_eq!(reader.memories().count().await, 0);

    // Another process upgrades the file, and the reader sees it.
    let writer = place.open();
    writer.memory("user").remember("now there is one").await.unwrap();
    assert_eq!(memory.recall("there", 5).await.unwrap().len(), 1);
}
