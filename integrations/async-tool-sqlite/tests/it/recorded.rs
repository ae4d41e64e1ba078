//! Files that were recorded with each version, which every later version must resume.
//!
//! `recorded/version_<n>.db` is a file of version n, and `version_<n>.jsonl` has the entries of its session. A step to a new version needs
//! both. `RECORD=file cargo test -p async-tool-sqlite --test it recorded` writes those of the current version, from the session that
//! the tests of the runtime keep.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, Journal, Message,
    agent::{Ledger, Parked},
    context::PrunePolicy,
    journal::{Claim, Entry, Format, Seq},
    model::ModelStream,
    testing::{ScriptedModel, check_journal},
};
use async_tool_sqlite::SqliteJournal;

use crate::fixture::{Place, read, session};

/// First recorded version.
const FIRST: i32 = 3;

fn recorded() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/recorded")
}

/// The entries of a file of JSON lines, up to the point where the host ends the session.
fn open_session(path: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(path).unwrap();
    let entries = text.lines().map(|line| serde_json::from_str(line).unwrap());
    entries
        .take_while(|entry| !matches!(entry, Entry::Draining { .. }))
        .collect()
}

fn version_of(path: &Path) -> i32 {
    let file = rusqlite::Connection::open(path).unwrap();
    file.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// Writes the file of the current version, with a snapshot of the session's first part.
async fn record() {
    let place = Place::new();
    let files = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/it/journal/formats/files");
    let entries = open_session(&files.join(Format::CURRENT.to_string()).join("session.jsonl"));
    let journal = place.open();
    let (half, claim) = (entries.len() / 2, Claim::new());
    let after = journal
        .append(&session("s"), &claim, Seq::START, &entries[..half])
        .await
        .unwrap();
    let snapshot = Ledger::fold(&entries[..half]).unwrap().to_snapshot(after).unwrap();
    journal.keep_snapshot(&session("s"), snapshot).await.unwrap();
    journal
        .append(&session("s"), &claim, after, &entries[half..])
        .await
        .unwrap();
    journal.close().await;
    // Without its log, the file is whole.
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute_batch("PRAGMA journal_mode = DELETE; VACUUM").unwrap();
    drop(file);
    fs::create_dir_all(recorded()).unwrap();
    let name = format!("version_{}", version_of(&place.path()));
    fs::copy(place.path(), recorded().join(format!("{name}.db"))).unwrap();
    let lines = entries
        .iter()
        .map(|entry| format!("{}\n", serde_json::to_string(entry).unwrap()));
    fs::write(recorded().join(format!("{name}.jsonl")), lines.collect::<String>()).unwrap();
}

#[tokio::test]
async fn a_recorded_file_of_every_version_is_taken_up_and_its_session_goes_on() {
    if std::env::var("RECORD").is_ok_and(|recorded| recorded == "file") {
        record().await;
    }
    let place = Place::new();
    place.open().close().await;
    let current = version_of(&place.path());
    for version in FIRST..=current {
        let kept = recorded().join(format!("version_{version}.db"));
        assert!(
            kept.exists(),
            "there is no {}; see the head of this file",
            kept.display()
        );
        let place = Place::new();
        fs::copy(&kept, place.path()).unwrap();
        let entries = open_session(&kept.with_extension("jsonl"));
        let before = Ledger::fold(&entries).unwrap();

        // A reader takes the file as it is.
        let reader = SqliteJournal::open_read_only(place.path()).unwrap();
        assert_eq!(read(&reader, "s").await, entries, "version {version}");
        drop(reader);
        assert_eq!(version_of(&place.path()), version);

        // A program without the session's tools: what it can't run ends, and what only the outside can complete waits.
        let journal = place.open();
        let add = FunctionTool::new("add", "Adds.", |_: serde_json::Value, _| async {
            Ok::<_, async_tool_runtime::ToolError>(0)
        });
        let manager = AsyncToolManager::builder().tool(add).build().unwrap();
        let model = ScriptedModel::new().otherwise(|_| ModelStream::text("I go on."));
        let builder = AsyncAgent::builder(model, manager.clone()).prune(PrunePolicy::default());
        let agent = builder.session("s").journal(journal.clone()).resume().await.unwrap();
        let limit = Duration::from_secs(20);
        let parked = tokio::time::timeout(limit, agent.run_until_parked()).await.unwrap();
        assert!(matches!(parked, Ok(Parked { .. })), "version {version}: {parked:?}");
        let tasks = agent.tasks().await.unwrap();
        let order = tasks.iter().find(|task| &*task.call.name == "order").unwrap();
        manager.resolve_durably(order.task, "tea").await.unwrap();
        agent.run_until_idle().await.unwrap();
        let messages = agent.transcript().await.unwrap();
        let known = before.transcript().messages();
        assert_eq!(messages[..known.len()], *known, "version {version}");
        let told: String = messages[known.len()..]
            .iter()
            .map(|message| match &**message {
                Message::Delivery { text, .. } => text.as_str(),
                _ => "",
            })
            .collect();
        for said in [
            r#""result":"tea""#,
            "the tool `book` is not registered any more",
            "the tool `fire` is not registered any more",
        ] {
            assert_eq!(told.matches(said).count(), 1, "version {version}: {told}");
        }
        agent.close().await.unwrap();
        let written = read(&journal, "s").await;
        check_journal(&written).unwrap();
        assert!(matches!(written.last(), Some(Entry::Closed { .. })));
        journal.close().await;
        assert_eq!(version_of(&place.path()), current, "the file is upgraded");
    }
}
