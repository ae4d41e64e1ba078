//! Bytes of images, sounds and files beside the entries.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, Journal as _, Message, ToolCall, ToolContext, ToolError,
    content::{Content, Media, MediaRule, MediaRules},
    journal::{Entry, Seq},
    model::{self, Capabilities, ModelStream},
};
use async_tool_sqlite::{Salvage, SqliteJournal, Tampering};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::fixture::{Place, session};

const IMAGES: MediaRules = MediaRules::of(&[MediaRule::new("image/*").in_results(true)]);

fn large() -> Media {
    Media::bytes("image/png", vec![7_u8; 100_000]).with_name("large.png")
}

fn small() -> Media {
    Media::bytes("image/png", vec![7_u8; 10])
}

/// A session in which the user sends a large and a small image, and a tool returns the large one again.
pub(crate) async fn talk(journal: &SqliteJournal) -> AsyncAgent {
    let model = model::from_fn(async |request| {
        let is_asked = matches!(
            request.messages.last().map(|message| &**message),
            Some(Message::User { .. })
        );
        Ok(match is_asked {
            true => ModelStream::calls([ToolCall::new("c1", "draw", json!({}))]),
            false => ModelStream::text("done"),
        })
    });
    let model = model.with_capabilities(Capabilities::default().with_media(IMAGES));
    let draw = FunctionTool::new("draw", "Draws.", |_: Value, _: ToolContext| async {
        Ok::<_, ToolError>(json!({"chart": large()}))
    });
    let manager = AsyncToolManager::builder().tool(draw).build().unwrap();
    let builder = AsyncAgent::builder(model, manager)
        .session("a")
        .journal(Arc::new(journal.clone()));
    let agent = builder.resume_or_start().await.unwrap();
    agent
        .run_to_completion(Content::from("look: ").with(large()).with(small()))
        .await
        .unwrap();
    agent
}

#[tokio::test]
async fn large_media_are_kept_once_beside_the_entries_and_are_there_after_a_restart() {
    let place = Place::new();
    let journal = SqliteJournal::open(place.path()).unwrap();
    let agent = talk(&journal).await;
    let before = agent.transcript().await.unwrap();
    agent.leave().await.unwrap();
    let raw: Vec<_> = journal.raw(&session("a"), Seq::START).try_collect().await.unwrap();
    assert!(
        raw.iter().all(|entry| entry.as_bytes().len() < 3_000),
        "an entry has the bytes"
    );
    journal.close().await;
    let file = rusqlite::Connection::open(place.path()).unwrap();
    let (count, bytes): (i64, i64) = file
        .query_row("SELECT count(*), sum(length(bytes)) FROM blobs", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!((count, bytes), (1, 100_000));
    drop(file);

    let journal = SqliteJournal::open(place.path()).unwrap();
    let agent = talk(&journal).await;
    let after = agent.transcript().await.unwrap();
    assert_eq!(after[..before.len()], before[..]);
    let Message::User { media, .. } = &*after[0] else {
        panic!()
    };
    assert_eq!(media[0].media.as_bytes(), large().as_bytes());
    let Message::Answers(answers) = &*after[2] else {
        panic!()
    };
    assert_eq!(answers[0].media()[0].as_bytes(), large().as_bytes());
    agent.close().await.unwrap();
}

#[tokio::test]
async fn export_and_verification_include_the_bytes() {
    let place = Place::new();
    let journal = SqliteJournal::open(place.path()).unwrap();
    talk(&journal).await.close().await.unwrap();
    let lines: Vec<String> = journal.export(&session("a")).try_collect().await.unwrap();
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let blobs: Vec<_> = lines.iter().filter(|line| line.get("blob").is_some()).collect();
    assert_eq!(blobs.len(), 2, "one for each entry that names it");
    assert_eq!(Some(blobs[0]["data"].as_str().unwrap()), large().to_base64().as_deref());
    let verified = journal.verify(&session("a")).await.unwrap();
    assert_eq!(verified.finding, None);
    journal.close().await;

    for edit in ["UPDATE blobs SET bytes = zeroblob(100000)", "DELETE FROM blobs"] {
        rusqlite::Connection::open(place.path())
            .unwrap()
            .execute(edit, [])
            .unwrap();
        let journal = SqliteJournal::open(place.path()).unwrap();
        let finding = journal.verify(&session("a")).await.unwrap().finding.unwrap();
        let entries: Vec<_> = journal.read(&session("a"), Seq::START).try_collect().await.unwrap();
        let first = entries
            .iter()
            .find(|(_, entry)| matches!(entry, Entry::UserMessage { .. }))
            .unwrap()
            .0;
        assert_eq!((finding.seq, finding.tampering), (first, Tampering::Blob));
        let lines: Vec<_> = journal.export(&session("a")).collect().await;
        let error = lines.last().unwrap().as_ref().unwrap_err();
        let error = std::error::Error::source(error).unwrap().to_string();
        assert!(error.contains("missing or damaged"), "{error}");
        journal.close().await;
    }
}

#[tokio::test]
async fn a_session_whose_bytes_are_lost_goes_on_with_a_description() {
    let place = Place::new();
    let journal = SqliteJournal::open(place.path()).unwrap();
    talk(&journal).await.leave().await.unwrap();
    journal.close().await;
    rusqlite::Connection::open(place.path())
        .unwrap()
        .execute("DELETE FROM blobs", [])
        .unwrap();
    let journal = SqliteJournal::open(place.path()).unwrap();
    let agent = talk(&journal).await;
    let Message::User { media, .. } = &*agent.transcript().await.unwrap()[0].clone() else {
        panic!()
    };
    assert_eq!(
        media[0].media.describe(),
        "[image \"large.png\": image/png, 100000 bytes, not shown any more]"
    );
    agent.close().await.unwrap();
}

#[tokio::test]
async fn salvage_saves_the_bytes_and_tells_of_those_that_are_gone() {
    let place = Place::new();
    let journal = SqliteJournal::open(place.path()).unwrap();
    talk(&journal).await.close().await.unwrap();
    let exported: Vec<String> = journal.export(&session("a")).try_collect().await.unwrap();
    journal.close().await;

    let saved = || {
        let mut salvage = Salvage::open(place.path()).unwrap();
        let found = salvage.sessions()[0].clone();
        let lines: Vec<String> = salvage.export(&found).collect::<Result<_, _>>().unwrap();
        (lines, found.missing_blobs)
    };
    assert_eq!(saved(), (exported.clone(), Vec::new()));

    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute_batch("DELETE FROM blobs; VACUUM;").unwrap();
    drop(file);
    let (lines, missing) = saved();
    let is_blob = |line: &&String| line.starts_with("{\"blob\"");
    let entries: Vec<_> = exported.iter().filter(|line| !is_blob(line)).cloned().collect();
    assert_eq!(lines, entries, "the entries are saved without them");
    assert_eq!(missing.len(), 1);
    assert!(exported.iter().find(is_blob).unwrap().contains(&missing[0]));
}
