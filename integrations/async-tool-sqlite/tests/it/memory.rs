//! Notes: storage, scopes and errors.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_tool_runtime::task::Timestamp;
use async_tool_sqlite::{Memory, MemoryError, NewNote, Note, NoteId, OpenCheck, SqliteJournal, StoreError};
use futures_util::{StreamExt as _, future::join_all};

use crate::fixture::{Place, messages, read, why, write};

async fn notes(memory: &Memory) -> Vec<Note> {
    memory.notes().map(Result::unwrap).collect().await
}

async fn texts(memory: &Memory) -> Vec<String> {
    notes(memory).await.into_iter().map(|note| note.text).collect()
}

async fn found(memory: &Memory, query: &str) -> Vec<String> {
    let found = memory.recall(query, 10).await.unwrap();
    found.into_iter().map(|found| found.note.text).collect()
}

/// A journal with a manual clock.
fn with_clock(place: &Place) -> (SqliteJournal, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(1_000));
    let hands = Arc::clone(&clock);
    let now = move || Timestamp::from_millis(clock.load(Ordering::Relaxed));
    (SqliteJournal::builder(place.path()).clock(now).open().unwrap(), hands)
}

#[tokio::test]
async fn notes_survive_the_journal_and_are_found_by_readers_also() {
    let place = Place::new();
    let journal = place.open();
    let memory = journal.memory("user 7");
    let id = memory.remember("Rex is the name of the dog").await.unwrap();
    assert_eq!(id.to_string(), "n1");
    drop(memory);
    journal.close().await;

    for check in [OpenCheck::Full, OpenCheck::Quick] {
        let reader = SqliteJournal::builder(place.path())
            .check(check)
            .open_read_only()
            .unwrap();
        let memory = reader.memory("user 7");
        assert_eq!(found(&memory, "dog's name").await, ["Rex is the name of the dog"]);
        let refused = memory.remember("more").await.unwrap_err();
        assert!(matches!(refused, MemoryError::Store(StoreError::ReadOnly)), "{refused}");
        assert!(why(&refused).contains("open it for writing"));
        drop((memory, reader));
        drop(SqliteJournal::builder(place.path()).check(check).open().unwrap());
    }
    assert_eq!(
        texts(&place.open().memory("user 7")).await,
        ["Rex is the name of the dog"]
    );
}

#[tokio::test]
async fn notes_of_one_scope_are_never_seen_in_another() {
    let place = Place::new();
    let journal = place.open();
    let scopes = ["a", "b", "", "a ", "A", "ä"];
    for scope in scopes {
        journal
            .memory(scope)
            .remember(format!("secret of <{scope}>"))
            .await
            .unwrap();
    }
    for scope in scopes {
        let memory = journal.memory(scope);
        let own = [format!("secret of <{scope}>")];
        assert_eq!(found(&memory, "secret").await, own);
        assert_eq!(found(&memory, "").await, own);
        assert_eq!(found(&memory, "secret nowhere").await, own);
        assert_eq!(texts(&memory).await, own);
    }
    assert!(found(&journal.memory("c"), "secret").await.is_empty());
    // The same id in another scope is another note.
    journal.memory("a").forget("n1".parse().unwrap()).await.unwrap();
    assert_eq!(texts(&journal.memory("b")).await, ["secret of <b>"]);
    let summaries: Vec<_> = journal.memories().map(Result::unwrap).collect().await;
    let summaries: Vec<_> = summaries
        .iter()
        .map(|summary| (&*summary.scope, summary.notes))
        .collect();
    assert_eq!(summaries, [("a", 0), ("b", 1), ("", 1), ("a ", 1), ("A", 1), ("ä", 1)]);
}

#[tokio::test]
async fn the_same_text_is_one_note_whose_time_and_tags_go_on() {
    let place = Place::new();
    let (journal, clock) = with_clock(&place);
    let memory = journal.memory("user");
    let first = memory
        .remember(NewNote::new("likes tea").tags(["drink"]))
        .await
        .unwrap();
    clock.store(2_000, Ordering::Relaxed);
    let second = memory.remember("likes chess").await.unwrap();
    clock.store(3_000, Ordering::Relaxed);
    let again = memory
        .remember(NewNote::new("  likes tea\n").tags(["drink", " hot  drink "]))
        .await
        .unwrap();
    assert_eq!(first, again);
    let notes = notes(&memory).await;
    assert_eq!(notes.iter().map(|note| note.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(notes[0].tags, ["drink", "hot drink"]);
    let times = (notes[0].written.as_millis(), notes[0].touched.as_millis());
    assert_eq!(times, (1_000, 3_000));
    assert_eq!(
        found(&memory, "").await,
        ["likes tea", "likes chess"],
        "the newest first"
    );
    assert_eq!(found(&memory, "hot").await, ["likes tea"]);
}

#[tokio::test]
async fn tags_that_have_no_room_are_not_added_to_a_note() {
    let place = Place::new();
    let memory = place.open().memory("user").max_note_bytes(40);
    memory.remember("likes tea").await.unwrap();
    for number in 0..100 {
        memory
            .remember(NewNote::new("likes tea").tags([format!("tag {number}")]))
            .await
            .unwrap();
    }
    assert_eq!(
        notes(&memory).await[0].tags,
        ["tag 0", "tag 1", "tag 2", "tag 3", "tag 4"]
    );
}

#[tokio::test]
async fn one_key_is_one_note_also_after_the_journal_was_opened_again_and_the_note_forgotten() {
    let place = Place::new();
    let journal = place.open();
    let note = |text: &str| NewNote::new(text).key("call 1");
    let id = journal.memory("user").remember(note("first")).await.unwrap();
    assert_eq!(journal.memory("user").remember(note("first")).await.unwrap(), id);
    journal.close().await;

    let journal = place.open();
    let memory = journal.memory("user");
    assert_eq!(memory.remember(note("said in other words")).await.unwrap(), id);
    assert_eq!(texts(&memory).await, ["first"]);
    assert!(memory.forget(id).await.unwrap());
    assert_eq!(memory.remember(note("first")).await.unwrap(), id);
    assert!(texts(&memory).await.is_empty());
    // Another scope has its own keys, and writing without the old key is a new note.
    journal.memory("other").remember(note("of another")).await.unwrap();
    assert_eq!(texts(&journal.memory("other")).await, ["of another"]);
    memory.remember(NewNote::new("first").key("call 2")).await.unwrap();
    assert_eq!(texts(&memory).await, ["first"]);
}

#[tokio::test]
async fn a_note_that_is_forgotten_is_found_no_more_and_its_id_is_never_given_again() {
    let place = Place::new();
    let memory = place.open().memory("user");
    let id = memory.remember("lives in Oslo").await.unwrap();
    assert!(memory.forget(id).await.unwrap());
    assert!(!memory.forget(id).await.unwrap(), "it is gone already");
    assert!(found(&memory, "Oslo").await.is_empty());
    let next = memory.remember("lives in Bergen").await.unwrap();
    assert_eq!(next.to_string(), "n2");
    let unknown = memory.forget("n3".parse().unwrap()).await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "there is no note n3; use the id of a note that `recall` found"
    );
    for id in ["n0", "n4294967295"] {
        assert!(matches!(
            memory.forget(id.parse().unwrap()).await,
            Err(MemoryError::Unknown { .. })
        ));
    }
    for text in ["", "n", "3", "n-1", "n+1", "n4294967296", "note 3"] {
        assert!(text.parse::<NoteId>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn limits_are_errors_that_say_what_to_do_and_nothing_is_dropped() {
    let place = Place::new();
    let memory = place.open().memory("user").max_note_bytes(20).max_notes(2);
    let long = memory.remember("x".repeat(21)).await.unwrap_err();
    assert_eq!(
        long.to_string(),
        "the note has 21 bytes, and the limit is 20; shorten it, or split it into several notes"
    );
    let tagged = NewNote::new("x".repeat(18)).tags(["yy"]);
    assert!(matches!(
        memory.remember(tagged).await,
        Err(MemoryError::TooLong { bytes: 21, .. })
    ));
    assert!(matches!(memory.remember(" \n ").await, Err(MemoryError::Empty)));
    let first = memory.remember("x".repeat(20)).await.unwrap();
    memory.remember("second").await.unwrap();
    let full = memory.remember("third").await.unwrap_err();
    assert_eq!(
        full.to_string(),
        "the memory is full: it has 2 notes; forget notes that are no longer useful, and try again"
    );
    memory.remember("second").await.unwrap();
    assert_eq!(texts(&memory).await, ["x".repeat(20), "second".to_owned()]);
    memory.forget(first).await.unwrap();
    memory.remember("third").await.unwrap();
    assert_eq!(texts(&memory).await, ["second", "third"]);
}

#[tokio::test]
async fn a_filter_sees_text_and_tags_before_they_are_written() {
    let place = Place::new();
    let memory = place.open().memory("user");
    let memory = memory.with_filter(|text| (!text.contains("PIN")).then(|| text.replace("Ada", "[name]")));
    let memory = memory.with_filter(|text| Some(text.replace("[name]", "Ada")));
    memory
        .remember(NewNote::new("Ada likes tea").tags(["Ada", "PIN"]))
        .await
        .unwrap();
    let refused = memory.remember("the PIN is 1234").await.unwrap_err();
    assert_eq!(refused.to_string(), "this may not be remembered");
    let notes = notes(&memory).await;
    assert_eq!(notes.len(), 1);
    assert_eq!(
        (&*notes[0].text, &*notes[0].tags),
        ("Ada likes tea", &["Ada".to_owned()][..])
    );
    assert!(found(&memory, "1234").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn notes_and_appends_are_written_at_once_and_a_note_that_is_refused_harms_nothing() {
    let place = Place::new();
    let journal = place.open();
    let tasks = (0..64).map(|number| {
        let journal = journal.clone();
        tokio::spawn(async move {
            let memory = journal.memory("shared").max_notes(40);
            let (name, text) = (format!("session {number}"), format!("note {number}"));
            let mut after = 0;
            for _ in 0..4 {
                after = write(&journal, &name, after, 2).await.unwrap();
            }
            memory.remember(text).await.is_ok()
        })
    });
    let kept = join_all(tasks)
        .await
        .into_iter()
        .filter(|kept| *kept.as_ref().unwrap())
        .count();
    assert_eq!(kept, 40);
    journal.close().await;
    let journal = place.open();
    assert_eq!(notes(&journal.memory("shared")).await.len(), 40);
    for number in 0..64 {
        assert_eq!(read(&journal, &format!("session {number}")).await, messages(0, 8));
    }
}

#[tokio::test]
async fn two_journals_of_one_file_see_the_same_notes() {
    let place = Place::new();
    let (one, other) = (place.open(), place.open());
    let id = one.memory("user").remember("from the one").await.unwrap();
    assert_eq!(other.memory("user").remember("from the one").await.unwrap(), id);
    assert_eq!(
        other
            .memory("user")
            .remember("from the other")
            .await
            .unwrap()
            .to_string(),
        "n2"
    );
    assert_eq!(texts(&one.memory("user")).await, ["from the one", "from the other"]);
}

#[tokio::test]
async fn many_notes_are_listed_in_order_page_by_page() {
    let place = Place::new();
    let memory = place.open().memory("user");
    let texts: Vec<_> = (0..600).map(|number| format!("note {number}")).collect();
    join_all(texts.iter().map(|text| memory.remember(text.as_str()))).await;
    let listed = notes(&memory).await;
    assert!(listed.iter().map(|note| note.id.as_u32()).eq(1..=600));
    assert!(listed.iter().map(|note| &note.text).eq(&texts));
}

#[tokio::test]
async fn a_full_disk_refuses_a_note_and_loses_none() {
    let place = Place::new();
    let journal = place.open();
    let memory = journal.memory("user");
    memory.remember("kept").await.unwrap();
    journal.limit_pages(Some(1)).await.unwrap();
    let mut refused = None;
    for number in 0..2_000 {
        if let Err(error) = memory.remember(format!("note {number} {}", "x".repeat(3_000))).await {
            refused = Some(error);
            break;
        }
    }
    assert!(
        matches!(refused, Some(MemoryError::Store(StoreError::Full))),
        "{refused:?}"
    );
    let before = notes(&memory).await.len();
    journal.limit_pages(None).await.unwrap();
    memory.remember("there is room again").await.unwrap();
    assert_eq!(notes(&memory).await.len(), before + 1);
    assert_eq!(found(&memory, "kept").await, ["kept"]);
}
