//! The recorded sessions, which every later program must resume.

use std::{fmt::Write as _, fs, sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Journal, Message, TaskId,
    agent::{Ledger, StartError},
    context::AnswerContent,
    journal::{Claim, Entry, Format, MemoryJournal, Seq, check_journal},
    testing::ScriptedModel,
};
use serde_json::json;

use super::{
    files::{self, formats, is_recording},
    recording::tools,
};
use crate::{journal::recovery::listener, stand::manager};

/// The entries before the session drains and closes.
pub(super) fn open_part(entries: &[Entry]) -> &[Entry] {
    &entries[..place(entries, |entry| matches!(entry, Entry::Draining { .. }))]
}

/// The entries of the first process, which ended in the middle of its work.
fn first_process(entries: &[Entry]) -> &[Entry] {
    &entries[..place(entries, |entry| matches!(entry, Entry::Resumed { .. }))]
}

fn place(entries: &[Entry], is_it: impl Fn(&Entry) -> bool) -> usize {
    entries.iter().position(is_it).expect("the session has it")
}

/// A journal with these entries of session `s`.
pub(super) async fn journal_of(entries: &[Entry]) -> Arc<MemoryJournal> {
    let journal = Arc::new(MemoryJournal::new());
    journal
        .append(&"s".into(), &Claim::new(), Seq::START, entries)
        .await
        .unwrap();
    journal
}

/// The transcript, without the wording of answers, and without ages, which depend on the clock.
fn written(messages: &[Arc<Message>]) -> String {
    let mut text = String::new();
    for message in messages {
        match &**message {
            Message::User { text: said, .. } => writeln!(text, "user: {}", short(said)),
            Message::Assistant {
                text: said,
                calls,
                provider,
            } => {
                let provider = provider
                    .as_ref()
                    .map_or_else(String::new, |provider| format!(" {provider}"));
                let calls = calls
                    .iter()
                    .map(|call| format!("\n    {} {} {}", call.id, call.name, call.arguments));
                writeln!(text, "assistant: {said}{provider}{}", calls.collect::<String>())
            }
            Message::Answers(answers) => {
                text.push_str("answers:\n");
                answers.iter().try_for_each(|answer| match &answer.content {
                    AnswerContent::Ack(ack) => writeln!(
                        text,
                        "    {} {} {:?} {}",
                        answer.call, answer.tool, ack.task, ack.status
                    ),
                    AnswerContent::Result(result) => {
                        writeln!(text, "    {} {} {}", answer.call, answer.tool, json!(result.outcome))
                    }
                    other => writeln!(text, "    {} {} {}", answer.call, answer.tool, json!(other)),
                })
            }
            Message::Delivery { text: told, .. } => writeln!(text, "delivery: {}", without_ages(told)),
            Message::Note { text: note } => writeln!(text, "note: {note}"),
            other => writeln!(text, "{other:?}"),
        }
        .unwrap();
    }
    text
}

fn short(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    format!("{shown}({} bytes)", text.len())
}

fn without_ages(text: &str) -> String {
    let mut parts = text.split(r#"_ms":"#);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(r#"_ms":…"#);
        shown.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    shown
}

/// Fails if a text isn't the expected one of a format; with `RECORD=forms`, writes the text instead.
fn compare_text(format: Format, name: &str, text: &str) {
    let path = files::path(format, name);
    if is_recording("forms") {
        return fs::write(path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{} expects:\n{expected}\nbut it is:\n{text}",
        path.display()
    );
}

#[test]
fn a_session_of_every_format_is_folded_to_the_transcript_that_it_had() {
    for format in formats() {
        let entries = files::entries(format, "session.jsonl");
        check_journal(&entries).unwrap();
        let ledger = Ledger::fold(&entries).unwrap();
        assert!(ledger.is_closed(), "format {format}");
        compare_text(format, "transcript.txt", &written(ledger.transcript().messages()));
    }
}

/// Completes all that waits for people or the outside.
async fn complete(manager: &AsyncToolManager, tasks: impl IntoIterator<Item = TaskId>) {
    for task in tasks {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if manager.approve(task).is_err() {
            let _is_over_or_waits_for_nothing = manager.resolve(task, "done by hand");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_of_every_format_is_resumed_and_goes_on() {
    for format in formats() {
        let entries = files::entries(format, "session.jsonl");
        let entries = first_process(&entries);
        let before = Ledger::fold(entries).unwrap();
        let journal = journal_of(entries).await;
        // `look` and `post` have run before.
        let manager = tools(&Arc::new(2.into()));
        let model = ScriptedModel::new().otherwise(|_| async_tool_runtime::model::ModelStream::text("I go on."));
        let builder = AsyncAgent::builder(model, manager.clone()).session("s");
        let agent = builder.journal(Arc::clone(&journal)).resume().await.unwrap();
        let resumption = agent.resumption().unwrap().clone();
        let tasks = agent.tasks().await.unwrap();
        let open = tasks
            .iter()
            .filter(|task| !task.status.is_terminal())
            .map(|task| task.task);
        complete(&manager, open).await;
        agent.run_until_idle().await.unwrap();
        agent.send("Is all done?").await.unwrap();
        agent.run_until_idle().await.unwrap();
        let messages = agent.transcript().await.unwrap();
        agent.close().await.unwrap();
        let kept = before.transcript().messages().len();
        assert_eq!(messages[..kept], *before.transcript().messages(), "format {format}");
        let lists = [
            &resumption.again,
            &resumption.waiting,
            &resumption.unknown,
            &resumption.ended,
        ];
        let [again, waiting, unknown, ended] = lists.map(|tasks| format!("{tasks:?}"));
        let fates = format!("again: {again}, waiting: {waiting}, unknown: {unknown}, ended: {ended}");
        let text = format!("{fates}\n{}", written(&messages[kept..]));
        compare_text(format, "resumed.txt", &text);
        check_journal(&journal.entries(&"s".into())).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_of_every_format_is_resumed_wherever_it_was_left_with_its_tools_and_without() {
    for format in formats() {
        let entries = files::entries(format, "session.jsonl");
        for end in 1..=entries.len() {
            for has_tools in [true, false] {
                let journal = journal_of(&entries[..end]).await;
                let manager = if has_tools {
                    tools(&Arc::new(2.into()))
                } else {
                    manager([])
                };
                let builder = AsyncAgent::builder(listener(), manager.clone()).session("s");
                let resumed = builder.journal(Arc::clone(&journal)).resume().await;
                if end == entries.len() {
                    assert!(matches!(resumed, Err(StartError::SessionClosed { .. })));
                    continue;
                }
                let agent = resumed.unwrap_or_else(|error| panic!("format {format}, after entry {end}: {error:?}"));
                let tasks = agent.tasks().await.unwrap();
                let open = tasks
                    .iter()
                    .filter(|task| !task.status.is_terminal())
                    .map(|task| task.task);
                complete(&manager, open).await;
                let rest = tokio::time::timeout(Duration::from_secs(86_400), agent.run_until_idle());
                let is_at_rest = rest.await.is_ok_and(|end| end.is_ok());
                assert!(
                    is_at_rest,
                    "format {format}, after entry {end}: {:#?}",
                    agent.tasks().await
                );
                agent.close().await.unwrap();
                let entries = journal.entries(&"s".into());
                check_journal(&entries).unwrap_or_else(|error| panic!("format {format}, after entry {end}: {error}"));
                assert!(matches!(entries.last(), Some(Entry::Closed { .. })));
            }
        }
    }
}
