//! Entries and snapshots of a newer program, and entries that no program writes.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncAgent, Journal, SessionId,
    agent::{Ledger, Recovery, StartError},
    journal::{Entry, Format, Seq, Snapshot, check_journal},
    task::Timestamp,
    testing::sample_entries,
};
use serde_json::{Value, json};

use super::{
    files::{entries, lines},
    recorded::{journal_of, open_part},
};
use crate::{
    journal::recovery::listener,
    stand::{FailingJournal, manager},
};

const NEWER: Format = Format::new(Format::CURRENT.as_u32() + 7);

fn resumed_by_a_newer_program() -> Entry {
    Entry::Resumed {
        format: NEWER,
        by: "a newer program".to_owned(),
        at: Timestamp::from_millis(1_735_689_700_000),
    }
}

fn session() -> Vec<Entry> {
    let entries = entries(Format::CURRENT, "session.jsonl");
    open_part(&entries).to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_session_that_a_newer_program_has_resumed_is_refused_in_one_sentence_and_left_as_it_is() {
    let mut newer = session();
    newer.push(resumed_by_a_newer_program());
    let kept = journal_of(&newer).await;
    let other = AsyncAgent::builder(listener(), manager([])).session("other");
    other
        .journal(Arc::clone(&kept))
        .start()
        .await
        .unwrap()
        .leave()
        .await
        .unwrap();

    let journal: Arc<dyn Journal> = kept.clone();
    let manager = manager([]);
    let Recovery { agents, failed, .. } = manager
        .recover(&journal, |_| Some(AsyncAgent::builder(listener(), manager.clone())))
        .await
        .unwrap();
    assert_eq!(
        agents.iter().map(|agent| agent.session().as_str()).collect::<Vec<_>>(),
        ["other"]
    );
    let [failed] = &failed[..] else { panic!("{failed:?}") };
    let StartError::Newer { session, seq, found } = &failed.error else {
        panic!("{failed:?}")
    };
    assert_eq!(
        (session.as_str(), seq.as_u64(), *found),
        ("s", newer.len() as u64, NEWER)
    );
    assert_eq!(
        failed.error.to_string(),
        format!(
            "session `s` has entries of format {NEWER} from entry {} on, and this program reads formats up to {}; update the program",
            newer.len(),
            Format::CURRENT
        )
    );
    assert_eq!(kept.entries(&SessionId::new("s")), newer, "nothing is written");

    assert!(
        Ledger::fold(&newer)
            .unwrap_err()
            .to_string()
            .contains("update the program")
    );
    let error = check_journal(&newer).unwrap_err();
    assert!(error.promise().contains(&format!("format {NEWER}")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_a_newer_program_began_is_refused() {
    let opened = Entry::Opened {
        format: NEWER,
        nonce: "n".to_owned(),
        works_for: None,
        at: Timestamp::from_millis(1),
    };
    let journal = journal_of(&[opened]).await;
    let builder = || {
        AsyncAgent::builder(listener(), manager([]))
            .session("s")
            .journal(Arc::clone(&journal))
    };
    for refused in [builder().resume().await, builder().resume_or_start().await] {
        assert!(matches!(refused, Err(StartError::Newer { .. })), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_of_an_older_program_is_read_and_goes_on() {
    let without_formats = lines(Format::CURRENT, "session.jsonl").into_iter().map(|line| {
        let mut entry: Value = serde_json::from_str(&line).unwrap();
        entry.as_object_mut().unwrap().remove("format");
        serde_json::from_value::<Entry>(entry).unwrap()
    });
    let entries: Vec<Entry> = without_formats.collect();
    assert!(matches!(entries[0], Entry::Opened { format, .. } if format == Format::new(0)));
    let journal = journal_of(open_part(&entries)).await;
    let builder = AsyncAgent::builder(listener(), manager([])).session("s");
    let agent = builder.journal(Arc::clone(&journal)).resume().await.unwrap();
    agent.close().await.unwrap();
    let written = journal.entries(&SessionId::new("s"));
    check_journal(&written).unwrap();
    // The program that goes on says its own format.
    let is_current = |entry: &Entry| matches!(entry, Entry::Resumed { format, .. } if *format == Format::CURRENT);
    assert!(written.iter().any(is_current));
}

/// Resumes the session with this snapshot in its journal; returns the number of entries that were read.
async fn read_with(entries: &[Entry], snapshot: Snapshot) -> (usize, Result<AsyncAgent, StartError>) {
    let journal = FailingJournal::of(&journal_of(entries).await).snapshot_every(1_000_000);
    journal.add_snapshot(snapshot);
    let builder = AsyncAgent::builder(listener(), manager([])).session("s");
    let resumed = builder.journal(journal.clone()).resume().await;
    (journal.take_read(), resumed)
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_of_another_program_is_left_out_and_the_entries_count() {
    let session = session();
    let ledger = Ledger::fold(&session).unwrap();
    let seq = Seq::new(session.len() as u64);
    let state: Value = serde_json::from_slice(&ledger.to_snapshot(seq).unwrap().state).unwrap();
    let changed = |change: fn(&mut Value)| {
        let mut state = state.clone();
        change(&mut state);
        Snapshot::new(seq, serde_json::to_vec(&state).unwrap())
    };
    let (read, resumed) = read_with(&session, changed(|_| {})).await;
    assert!(
        read == 0 && resumed.is_ok(),
        "its own snapshot is used: {read}, {resumed:?}"
    );
    let others: [(&str, fn(&mut Value)); 5] = [
        ("a later snapshot format", |state| state["format"] = json!(4_000)),
        ("an earlier snapshot format", |state| state["format"] = json!(1)),
        ("newer entries", |state| state["entries"] = json!(4_000)),
        ("a field that is not known", |state| state["mood"] = json!("good")),
        ("a value that is not known", |state| state["life"] = json!("Paused")),
    ];
    for (case, change) in others {
        let (read, resumed) = read_with(&session, changed(change)).await;
        assert!(read == session.len(), "{case}: {read} entries are read");
        let agent = resumed.unwrap_or_else(|error| panic!("{case}: {error:?}"));
        assert_eq!(
            agent.transcript().await.unwrap()[..ledger.transcript().messages().len()],
            *ledger.transcript().messages()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_rollback_no_snapshot_hides_that_the_entries_are_newer() {
    let mut newer = session();
    let ledger = Ledger::fold(&newer).unwrap();
    newer.push(resumed_by_a_newer_program());
    let seq = Seq::new(newer.len() as u64);
    // The newer program stores ledgers in the same form, and its snapshot covers its own entries.
    let mut state: Value = serde_json::from_slice(&ledger.to_snapshot(seq).unwrap().state).unwrap();
    state["entries"] = json!(NEWER.as_u32());
    let (_, resumed) = read_with(&newer, Snapshot::new(seq, serde_json::to_vec(&state).unwrap())).await;
    assert!(
        matches!(resumed, Err(StartError::Newer { found: NEWER, .. })),
        "{resumed:?}"
    );
    // An older program's snapshot doesn't cover them.
    let older = ledger.to_snapshot(Seq::new(seq.as_u64() - 1)).unwrap();
    let (read, resumed) = read_with(&newer, older).await;
    assert!(
        read == 1 && matches!(resumed, Err(StartError::Newer { .. })),
        "{read}, {resumed:?}"
    );
}

#[test]
fn a_newer_entry_whose_form_has_changed_is_refused_with_both_formats() {
    let newer = NEWER.as_u32();
    for text in [
        json!({"entry": "resumed", "format": newer, "by": {"process": 1}, "at": 1}),
        json!({"at": "12:00", "entry": "resumed", "format": newer}),
        json!({"entry": "opened", "nonce": null, "at": 1, "format": newer}),
        json!({"entry": "opened", "format": newer}),
    ] {
        let error = serde_json::from_str::<Entry>(&text.to_string())
            .unwrap_err()
            .to_string();
        let expected = format!(
            "the entries have format {newer}, and this program reads formats up to {}; update the program",
            Format::CURRENT
        );
        assert!(error.starts_with(&expected), "{text}: {error}");
    }
}

#[test]
fn an_unknown_kind_field_or_value_is_refused_and_never_left_out() {
    let unknown = json!({"entry": "slept", "at": 1});
    let error = serde_json::from_value::<Entry>(unknown).unwrap_err();
    assert!(error.to_string().contains("unknown variant `slept`"), "{error}");

    let mut refused = 0;
    for entry in sample_entries() {
        let stored = serde_json::to_value(&entry).unwrap();
        for place in [
            "",
            "/result",
            "/result/timing",
            "/result/preview",
            "/end",
            "/end/usage",
            "/pruned",
            "/pruned/cuts/0",
            "/awaits/0",
            "/media/0",
            "/media/0/media",
            "/media/0/media/$media",
            "/result/media/0",
        ] {
            let mut longer = stored.clone();
            let Some(Value::Object(fields)) = longer.pointer_mut(place) else {
                continue;
            };
            fields.insert("colour".to_owned(), json!("blue"));
            let error = serde_json::from_value::<Entry>(longer).unwrap_err();
            assert!(
                error.to_string().contains("unknown field `colour`"),
                "{place} of {entry:?}: {error}"
            );
        }

        // Every word of the format, wherever it is, replaced by one that is none.
        for (place, word) in words(&stored, String::new()) {
            let mut other = stored.clone();
            *other.pointer_mut(&place).unwrap() = json!(format!("{word}_later"));
            let read = serde_json::from_value::<Entry>(other);
            assert!(read.is_err(), "{place} of {stored}: {read:?}");
            refused += 1;
        }
    }
    assert!(refused > 50, "{refused}");
}

/// Places of the strings that stand for variants.
fn words(value: &Value, place: String) -> Vec<(String, String)> {
    const FIELDS: [&str; 7] = ["entry", "status", "policy", "join", "stop", "kind", "retry"];
    let mut found = Vec::new();
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let below = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                // Texts and values of tools, models and users are not the format's.
                if ["arguments", "schema", "provider", "content", "checkpoint"].contains(&name.as_str()) {
                    continue;
                }
                match field {
                    Value::String(word) if FIELDS.contains(&name.as_str()) && is_word(word) => {
                        found.push((below, word.clone()))
                    }
                    Value::Object(_) if name == "value" && field.get("kind").is_none() => {}
                    other => found.extend(words(other, below)),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                found.extend(words(item, format!("{place}/{index}")));
            }
        }
        _ => {}
    }
    found
}

fn is_word(text: &str) -> bool {
    text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

#[test]
fn an_unreadable_format_is_an_error() {
    for format in [json!("1"), json!(-1), json!(1.5), json!(null), json!(4_294_967_296_u64)] {
        let text = json!({"entry": "resumed", "format": format, "by": "x", "at": 1});
        assert!(serde_json::from_value::<Entry>(text.clone()).is_err(), "{text}");
    }
}
