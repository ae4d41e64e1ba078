//! Damage within entries, which checksums find at each read.

use std::fs;

use async_tool_runtime::{
    Journal as _,
    journal::{Claim, Seq, Snapshot},
};
use async_tool_sqlite::{OpenCheck, SqliteJournal, StoreError};

use crate::fixture::{Place, closed, read, read_after, session, write};

/// A closed journal with a session of 30 messages, and the close.
async fn recorded(is_chained: bool, is_packed: bool) -> Place {
    let place = Place::new();
    let journal = SqliteJournal::builder(place.path())
        .hash_chain(is_chained)
        .open()
        .unwrap();
    write(&journal, "a", 0, 30).await.unwrap();
    journal
        .append(&session("a"), &Claim::new(), Seq::new(30), &[closed()])
        .await
        .unwrap();
    if is_packed {
        assert_eq!(journal.compact().await.unwrap().entries, 31);
    }
    place
}

/// The entry at which reading the session fails, with the kind of its error.
async fn damaged(place: &Place) -> Option<(u64, &'static str)> {
    let journal = SqliteJournal::builder(place.path())
        .check(OpenCheck::None)
        .open_read_only()
        .unwrap();
    let error = read_after(&journal, "a", 0).await.err()?;
    let error = std::error::Error::source(&error)?.downcast_ref::<StoreError>()?;
    match error {
        StoreError::Corrupt { seq, .. } => Some((seq.as_u64(), "corrupt")),
        StoreError::Missing { seq, .. } => Some((seq.as_u64(), "missing")),
        StoreError::Unreadable { seq, .. } => Some((seq.as_u64(), "unreadable")),
        _ => Some((0, "other")),
    }
}

#[tokio::test]
async fn every_letter_that_changes_within_an_entry_is_found_when_it_is_read() {
    for is_chained in [false, true] {
        let place = recorded(is_chained, false).await;
        let sound = fs::read(place.path()).unwrap();
        let (mut changed, mut found) = (0, 0);
        for number in 1..=30 {
            let text = format!(r#"message {number}""#);
            let at = sound
                .windows(text.len())
                .position(|part| part == text.as_bytes())
                .unwrap();
            // Letters of the text stay JSON; the digits become those of another message.
            for offset in [0, 3, 6, 7, text.len() - 2] {
                for bit in [0, 1] {
                    let mut file = sound.clone();
                    file[at + offset] ^= 1 << bit;
                    fs::write(place.path(), file).unwrap();
                    changed += 1;
                    found += usize::from(damaged(&place).await == Some((number, "corrupt")));
                }
            }
        }
        println!("chained {is_chained}: {found} of {changed} changed letters found");
        assert_eq!(found, changed);
    }
}

#[tokio::test]
async fn no_bit_of_a_packed_row_changes_unnoticed() {
    let place = recorded(false, true).await;
    let sound = read(&place.open(), "a").await;
    let file = rusqlite::Connection::open(place.path()).unwrap();
    let pack: Vec<u8> = file
        .query_row("SELECT entries FROM packs", [], |row| row.get(0))
        .unwrap();
    for at in 0..pack.len() {
        let mut edited = pack.clone();
        edited[at] ^= 1 << (at % 8);
        file.execute("UPDATE packs SET entries = ?1", [edited]).unwrap();
        // Some bits of a DEFLATE stream mean nothing.
        if damaged(&place).await.is_none() {
            assert_eq!(read(&place.open(), "a").await, sound, "byte {at}");
        }
    }
}

#[tokio::test]
async fn entries_at_the_place_of_others_and_entries_behind_the_end_are_found() {
    let swap = "
        UPDATE entries SET place = -1 WHERE seq = 3;
        UPDATE entries SET place = place - 1 WHERE seq = 4;
        UPDATE entries SET place = (SELECT max(place) FROM entries WHERE seq = 3) + 1 WHERE place = -1;";
    for (edit, expected) in [
        (swap, (3, "corrupt")),
        (
            "UPDATE entries SET entry = (SELECT entry FROM entries WHERE seq = 9) WHERE seq = 8",
            (8, "corrupt"),
        ),
        ("UPDATE entries SET sum = NULL WHERE seq = 5", (5, "corrupt")),
        ("UPDATE entries SET sum = sum + 1 WHERE seq = 5", (5, "corrupt")),
        ("UPDATE sessions SET last = 20", (21, "corrupt")),
        ("UPDATE sessions SET last = 32", (32, "missing")),
    ] {
        let place = recorded(false, false).await;
        let file = rusqlite::Connection::open(place.path()).unwrap();
        file.execute_batch(edit).unwrap();
        drop(file);
        assert_eq!(damaged(&place).await, Some(expected), "{edit}");
        let journal = SqliteJournal::open_read_only(place.path()).unwrap();
        let finding = journal.verify(&session("a")).await.unwrap().finding.unwrap();
        assert_eq!(finding.seq.as_u64(), expected.0, "{edit}");
    }
}

#[tokio::test]
async fn a_damaged_session_is_not_packed() {
    let place = recorded(false, false).await;
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute_batch("UPDATE entries SET entry = replace(entry, 'message', 'massage') WHERE seq = 7")
        .unwrap();
    let done = place.open().compact().await.unwrap();
    assert_eq!((done.sessions, done.skipped), (0, 1));
}

#[tokio::test]
async fn a_damaged_snapshot_is_none_and_the_entries_remain() {
    let place = Place::new();
    let journal = place.open();
    write(&journal, "a", 0, 3).await.unwrap();
    let snapshot = Snapshot::new(Seq::new(2), b"state".to_vec());
    journal.keep_snapshot(&session("a"), snapshot.clone()).await.unwrap();
    assert_eq!(journal.snapshot(&session("a")).await.unwrap(), Some(snapshot));
    for edit in ["state = x'7374617475'", "seq = 1", "sum = NULL"] {
        let file = rusqlite::Connection::open(place.path()).unwrap();
        let edit = format!("BEGIN; UPDATE snapshots SET {edit}");
        file.execute_batch(&edit).unwrap();
        file.execute_batch("COMMIT").unwrap();
        assert_eq!(journal.snapshot(&session("a")).await.unwrap(), None, "{edit}");
    }
    assert_eq!(read(&journal, "a").await.len(), 3);
}
