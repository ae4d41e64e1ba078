//! Edits of the file that a chain detects.

use std::io::Read as _;

use async_tool_runtime::{
    Journal as _,
    journal::{Claim, Seq},
};
use async_tool_sqlite::{Head, SqliteJournal, Tampering};
use futures_util::{StreamExt as _, TryStreamExt as _};
use rusqlite::Connection;

use crate::fixture::{Place, closed, messages, read, session, write};

/// A file with a chained session of 10 entries, packed or not, and a second session.
async fn chained(is_packed: bool) -> (Place, Head) {
    let place = Place::new();
    let journal = SqliteJournal::builder(place.path()).hash_chain(true).open().unwrap();
    write(&journal, "a", 0, 4).await.unwrap();
    write(&journal, "a", 4, 5).await.unwrap();
    write(&journal, "b", 0, 3).await.unwrap();
    let head = journal.head(&session("a")).await.unwrap().unwrap();
    journal
        .append(&session("a"), &Claim::new(), Seq::new(9), &[closed()])
        .await
        .unwrap();
    if is_packed {
        assert_eq!(journal.compact().await.unwrap().entries, 10);
    }
    (place, head)
}

async fn found(place: &Place) -> Option<(u64, Tampering)> {
    let journal = SqliteJournal::open_read_only(place.path()).unwrap();
    let verification = journal.verify(&session("a")).await.unwrap();
    let all: Vec<_> = journal.verify_all().try_collect().await.unwrap();
    assert_eq!(all[0], verification);
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].finding, None, "the other session is as it was");
    assert_eq!(verification.head.is_some(), verification.finding.is_none());
    verification
        .finding
        .map(|finding| (finding.seq.as_u64(), finding.tampering))
}

/// Returns the finding after this edit of the file.
async fn after(edit: &str) -> Option<(u64, Tampering)> {
    let (place, _) = chained(false).await;
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch(edit).unwrap();
    drop(file);
    found(&place).await
}

#[tokio::test]
async fn a_session_that_nobody_touched_is_sound_packed_or_not() {
    for is_packed in [false, true] {
        let (place, head) = chained(is_packed).await;
        assert_eq!(found(&place).await, None);
        let journal = place.open();
        let now = journal.verify_against(&head).await.unwrap();
        assert_eq!((now.entries, now.finding), (10, None));
        assert_ne!(now.head.as_ref(), Some(&head));
        assert_eq!(now.head, journal.head(&session("a")).await.unwrap());
    }
}

#[tokio::test]
async fn an_edit_is_found_where_it_is() {
    for seq in 1..=10 {
        let edit = format!("UPDATE entries SET entry = entry || ' ' WHERE session = 1 AND seq = {seq}");
        assert_eq!(after(&edit).await, Some((seq, Tampering::Changed)));
    }
}

#[tokio::test]
async fn a_deletion_is_found_at_the_beginning_in_the_middle_and_at_the_end() {
    for seq in [1, 5, 10] {
        let edit = format!("DELETE FROM entries WHERE session = 1 AND seq = {seq}");
        assert_eq!(after(&edit).await, Some((seq, Tampering::Missing)));
    }
    assert_eq!(
        after("DELETE FROM entries WHERE session = 1").await,
        Some((1, Tampering::Missing))
    );
}

#[tokio::test]
async fn an_end_that_was_cut_off_together_with_the_count_is_found_by_the_head() {
    let edit = "DELETE FROM entries WHERE session = 1 AND seq > 7; UPDATE sessions SET last = 7 WHERE number = 1";
    assert_eq!(after(edit).await, Some((7, Tampering::HeadChanged)));
}

#[tokio::test]
async fn an_insertion_is_found() {
    let behind = "INSERT INTO entries (place, entry, link) SELECT place + 1, entry, link FROM entries WHERE session = 1 AND seq = 10";
    assert_eq!(after(behind).await, Some((11, Tampering::Unexpected)));
    let counted = format!("{behind}; UPDATE sessions SET last = 11 WHERE number = 1");
    assert_eq!(after(&counted).await, Some((11, Tampering::Changed)));
    let between = "
        UPDATE entries SET place = -place - 1 WHERE session = 1 AND seq >= 5;
        UPDATE entries SET place = -place WHERE place < 0;
        INSERT INTO entries (place, entry, link, sum) SELECT place - 1, entry, link, sum FROM entries WHERE session = 1 AND seq = 6;
        UPDATE sessions SET last = 11 WHERE number = 1;";
    assert_eq!(after(between).await, Some((6, Tampering::Changed)));
}

#[tokio::test]
async fn entries_that_have_changed_places_are_found() {
    let edit = "
        UPDATE entries SET place = -1 WHERE session = 1 AND seq = 3;
        UPDATE entries SET place = place - 1 WHERE session = 1 AND seq = 4;
        UPDATE entries SET place = (SELECT max(place) FROM entries WHERE session = 1 AND seq = 3) + 1 WHERE place = -1;";
    assert_eq!(after(edit).await, Some((3, Tampering::Changed)));
    let from_another = "UPDATE entries SET (entry, link) = (SELECT entry, link FROM entries WHERE session = 2 AND seq = 2) WHERE session = 1 AND seq = 2";
    assert_eq!(after(from_another).await, Some((2, Tampering::Changed)));
}

#[tokio::test]
async fn an_edited_head_or_link_is_found() {
    assert_eq!(
        after("UPDATE sessions SET head = zeroblob(32) WHERE number = 1").await,
        Some((10, Tampering::HeadChanged))
    );
    assert_eq!(
        after("UPDATE entries SET link = zeroblob(32) WHERE session = 1 AND seq = 4").await,
        Some((4, Tampering::Changed))
    );
    assert_eq!(
        after("UPDATE sessions SET head = NULL WHERE number = 1").await,
        Some((1, Tampering::Changed))
    );
}

/// Head of a packed row of ten chained entries, and its entries as bytes; `None` if they can't be unpacked.
fn unpacked(row: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    const HEAD: usize = 2 + 10 * (4 + 32);
    let (head, packed) = row.split_at_checked(HEAD)?;
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(packed).read_to_end(&mut bytes).ok()?;
    Some((head, bytes))
}

#[tokio::test]
async fn damage_of_a_packed_row_is_found_wherever_it_is() {
    let (place, _) = chained(true).await;
    let pack: Vec<u8> = {
        let file = Connection::open(place.path()).unwrap();
        file.query_row("SELECT entries FROM packs", [], |row| row.get(0))
            .unwrap()
    };
    assert!(unpacked(&pack).is_some());
    for at in 0..pack.len() {
        let mut damaged = pack.clone();
        damaged[at] ^= 1 << (at % 8);
        let file = Connection::open(place.path()).unwrap();
        file.execute("UPDATE packs SET entries = ?1", [&damaged]).unwrap();
        drop(file);
        // Some bits have no meaning, such as those behind the last symbol: the same entries come out.
        let is_harmless = unpacked(&damaged).is_some_and(|bytes| Some(bytes) == unpacked(&pack));
        assert!(
            found(&place).await.is_some() || is_harmless,
            "byte {at} of {}",
            pack.len()
        );
    }
    let file = Connection::open(place.path()).unwrap();
    file.execute("DELETE FROM packs", []).unwrap();
    drop(file);
    assert_eq!(found(&place).await, Some((1, Tampering::Missing)));
}

#[tokio::test]
async fn a_session_that_was_written_anew_as_a_whole_is_found_by_a_head_that_was_kept() {
    let (place, head) = chained(false).await;
    // An editor who knows this crate removes the session, and writes it again with one word changed.
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("DELETE FROM entries WHERE session = 1; DELETE FROM sessions WHERE number = 1")
        .unwrap();
    drop(file);
    let journal = SqliteJournal::builder(place.path()).hash_chain(true).open().unwrap();
    let gone = journal.verify_against(&head).await.unwrap().finding.unwrap();
    assert_eq!((gone.seq.as_u64(), gone.tampering), (1, Tampering::Missing));
    let mut entries = messages(0, 10);
    entries[2] = crate::fixture::message(33);
    journal
        .append(&session("a"), &Claim::new(), Seq::START, &entries)
        .await
        .unwrap();
    assert_eq!(journal.verify(&session("a")).await.unwrap().finding, None);
    let other = journal.verify_against(&head).await.unwrap().finding.unwrap();
    assert_eq!((other.seq.as_u64(), other.tampering), (9, Tampering::OtherHead));
}

#[tokio::test]
async fn a_chain_that_was_taken_away_is_found_by_a_head_that_was_kept() {
    let (place, head) = chained(false).await;
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("UPDATE entries SET link = NULL; UPDATE sessions SET head = NULL")
        .unwrap();
    drop(file);
    let journal = place.open();
    assert_eq!(
        journal.verify(&session("a")).await.unwrap().finding,
        None,
        "nothing says that there was one"
    );
    let unchained = journal.verify_against(&head).await.unwrap().finding.unwrap();
    assert_eq!((unchained.seq.as_u64(), unchained.tampering), (1, Tampering::Unchained));
}

#[tokio::test]
async fn a_session_stays_what_it_was_at_its_first_entry() {
    let place = Place::new();
    let plain = place.open();
    write(&plain, "plain", 0, 2).await.unwrap();
    drop(plain);
    let chaining = SqliteJournal::builder(place.path()).hash_chain(true).open().unwrap();
    write(&chaining, "plain", 2, 2).await.unwrap();
    write(&chaining, "chained", 0, 2).await.unwrap();
    drop(chaining);
    let plain = place.open();
    write(&plain, "chained", 2, 2).await.unwrap();
    for (name, is_chained) in [("plain", false), ("chained", true)] {
        let verification = plain.verify(&session(name)).await.unwrap();
        assert_eq!((verification.is_chained, verification.finding), (is_chained, None));
        assert_eq!(verification.entries, 4);
        assert_eq!(read(&plain, name).await, messages(0, 4));
    }
}

#[tokio::test]
async fn a_head_is_read_from_the_text_it_was_written_as() {
    let (place, head) = chained(false).await;
    assert_eq!(head.to_string().parse(), Ok(head));
    for wrong in [
        "",
        "1",
        "1:ab:x",
        "x:00:y",
        &format!("1:{}:y", "zz".repeat(32)),
        &format!("1:{}", "ab".repeat(32)),
    ] {
        assert!(wrong.parse::<Head>().is_err(), "{wrong}");
    }
    let journal = place.open();
    assert_eq!(journal.head(&session("unknown")).await.unwrap(), None);
    assert_eq!(journal.verify(&session("unknown")).await.unwrap().entries, 0);
    assert_eq!(journal.verify_all().count().await, 2);
}
