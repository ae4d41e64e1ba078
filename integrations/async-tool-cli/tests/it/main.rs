//! Tests of the program, on files that the library has written.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

#[cfg(feature = "inspect")]
mod inspect;
mod traces;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use async_tool_runtime::{
    AsyncAgent, AsyncTaskResult, AsyncToolManager, Journal as _, SessionId, TaskId, TaskNo, TaskOutcome, TaskStatus,
    ToolCall,
    agent::Ledger,
    async_tool,
    journal::{CallAnswer, Claim, Entry, InterruptCause, Seq},
    model::{ModelStream, StopReason, TurnEnd},
    task::{TaskSpec, Timestamp, Timing, TurnCause, TurnNo},
    testing::ScriptedModel,
    tool::InputRequest,
    tools,
};
use async_tool_sqlite::SqliteJournal;
use expect_test::expect;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Ran {
    code: i32,
    out: String,
    error: String,
}

fn run(arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_async-tool"))
        .args(arguments)
        .output()
        .unwrap();
    ran(output)
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A directory, and the path of a journal in it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.db");
    (directory, path)
}

async fn write(path: &Path, session: &str, entries: &[Entry], is_chained: bool) {
    let journal = SqliteJournal::builder(path).hash_chain(is_chained).open().unwrap();
    journal
        .append(&SessionId::new(session), &Claim::new(), Seq::START, entries)
        .await
        .unwrap();
    journal.close().await;
}

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_000 + millis)
}

/// A session with fixed times. Its tool and its model send control characters to the terminal.
fn session() -> Vec<Entry> {
    let task = TaskId::from_u128(1);
    let call = ToolCall::new("call_1", "look_up", json!({"topic": "bees\u{1b}[2J"}));
    let spec = TaskSpec::new(SessionId::new("s"), call.clone())
        .with_task(task)
        .with_number(TaskNo::new(1));
    let outcome = TaskOutcome::Completed(json!("\u{1b}]0;owned\u{7}all of bees ".repeat(20)));
    let result = AsyncTaskResult::new(&spec, outcome, Timing::new(at(20), Some(at(21)), at(120)), 1);
    let opened: Entry =
        serde_json::from_value(json!({"entry": "opened", "nonce": "n0n0n0n0n0n0n0n0n0", "at": 1_000})).unwrap();
    vec![
        opened,
        Entry::UserMessage {
            text: "what of\nbees?\u{202e}".to_owned(),
            media: Vec::new(),
            traceparent: None,
            at: at(5),
        },
        Entry::TurnStarted {
            turn: TurnNo::new(1),
            cause: TurnCause::User,
            at: at(5),
        },
        Entry::Accepted {
            turn: TurnNo::new(1),
            task,
            number: TaskNo::new(1),
            call,
            awaits: Vec::new(),
            own: false,
            repeats: None,
            at: at(20),
        },
        Entry::TurnEnded {
            turn: TurnNo::new(1),
            text: "I look.".to_owned(),
            calls: vec![TaskNo::new(1)],
            end: TurnEnd::new(StopReason::ToolCalls),
            cuts: 0,
            ungrounded: Vec::new(),
            asks_again: false,
            at: at(20),
        },
        Entry::Settled {
            result: Arc::new(result),
        },
        Entry::Answered {
            turn: TurnNo::new(1),
            answers: vec![CallAnswer::Result(TaskNo::new(1))],
            eager: true,
            instruction: None,
            at: at(121),
        },
        Entry::TurnStarted {
            turn: TurnNo::new(2),
            cause: TurnCause::Results,
            at: at(121),
        },
        Entry::TurnEnded {
            turn: TurnNo::new(2),
            text: "All of bees.".to_owned(),
            calls: Vec::new(),
            end: TurnEnd::default(),
            cuts: 0,
            ungrounded: Vec::new(),
            asks_again: false,
            at: at(300),
        },
        Entry::Closing { at: at(400) },
        Entry::Closed { at: at(400) },
    ]
}

#[tokio::test]
async fn a_session_is_shown_as_a_conversation_with_its_tasks() {
    let (_directory, path) = place();
    write(&path, "s", &session(), false).await;
    let shown = run(&["journal", "show", path.to_str().unwrap()]);
    assert_eq!((shown.code, shown.error.as_str()), (0, ""));
    expect![[r#"
            1       0.000 s  session    opened
            2       0.005 s  user       what of\nbees?\u{202e}
            3       0.005 s  model      turn 1 begins
            4       0.020 s  call       t1 = look_up({"topic":"bees\u001b[2J"})
            5       0.020 s  model      I look. [calls t1]
            6       0.120 s  result     t1 = "\u001b]0;owned\u0007all of bees \u001b]0;owned\u0007all of bees \u001b]0;owned\u0007all of bees \u001b]0;owned\u0007all of bees \u001b]0;owned\u0007all of bees \u001b]0;owned\u0007all of bees \u001b]… (442 more characters, see --all) after 100ms
            7       0.121 s  answer     t1 with its result
            8       0.121 s  model      turn 2 begins
            9       0.300 s  model      All of bees.
           10       0.400 s  session    closing
           11       0.400 s  session    closed

        task  tool     status     attempts  took   delivered
        t1    look_up  completed  1         100ms  answer (entry 7)
    "#]].assert_eq(&shown.out);
}

#[tokio::test]
async fn a_stop_is_shown_with_its_cause() {
    let (_directory, path) = place();
    let mut entries = session();
    entries.truncate(8);
    entries.push(Entry::TurnInterrupted {
        turn: TurnNo::new(2),
        text: "All of".to_owned(),
        calls: Vec::new(),
        cause: InterruptCause::Host,
        cuts: 0,
        at: at(200),
    });
    entries.push(Entry::Halted { at: at(200) });
    write(&path, "s", &entries, false).await;
    let shown = run(&["journal", "show", path.to_str().unwrap()]);
    assert_eq!((shown.code, shown.error.as_str()), (0, ""));
    assert!(
        shown.out.contains("model      interrupted by the host: All of\n"),
        "{}",
        shown.out
    );
    let halted = "host       halts the agent, until a message or a result comes\n";
    assert!(shown.out.contains(halted), "{}", shown.out);
}

#[tokio::test]
async fn nothing_of_others_drives_the_terminal() {
    let (_directory, path) = place();
    // An escape, the eight-bit form of its sequence, the delete character, an override of the direction, and a tag.
    let name = "s\u{1b}[31m\u{9b}2J\u{7f}\u{202e}\u{e0001}";
    let mut entries = session();
    entries[1] = Entry::UserMessage {
        text: name.to_owned(),
        media: Vec::new(),
        traceparent: None,
        at: at(5),
    };
    write(&path, name, &entries, false).await;
    let path = path.to_str().unwrap();
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["show"],
        &["show", "--all"],
        &["show", "--json"],
        &["verify"],
        &["replay"],
        &["replay", "--json"],
        &["replay", "--at", "7"],
        &["replay", "--at", "7", "--all"],
        &["replay", "--at", "7", "--json"],
        &["export"],
        &["export", "--salvage"],
        &["export", "--format", "perfetto", "--contents"],
        &["export", "--format", "otlp", "--contents"],
    ] {
        let all: Vec<_> = ["journal", arguments[0], path]
            .into_iter()
            .chain(arguments[1..].iter().copied())
            .collect();
        let shown = run(&all);
        let is_unsafe =
            |letter: char| letter.is_control() && letter != '\n' || matches!(letter, '\u{202e}' | '\u{e0001}');
        assert!(!shown.out.contains(is_unsafe), "{arguments:?}: {:?}", shown.out);
        assert!(!shown.error.contains(is_unsafe), "{arguments:?}: {:?}", shown.error);
        if arguments.contains(&"--json") || arguments[0] == "export" {
            let values: Vec<Value> = shown
                .out
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let text = Value::Array(values).to_string();
            let expected = serde_json::to_string(name).unwrap();
            assert!(text.contains(expected.trim_matches('"')), "{arguments:?}: {text}");
        }
    }
}

#[tokio::test]
async fn names_are_shown_whole_and_all_shortens_nothing() {
    let (_directory, path) = place();
    // A session of a sub-agent.
    let name = format!("{}/{}", "s".repeat(36), TaskId::from_u128(7));
    let mut entries = session();
    let tool = "look_up_".repeat(8);
    for entry in &mut entries {
        if let Entry::Accepted { call, .. } = entry {
            call.name = tool.as_str().into();
        }
    }
    write(&path, &name, &entries, false).await;
    let file = path.to_str().unwrap();
    for arguments in [
        &["list", file][..],
        &["verify", file],
        &["replay", file],
        &["replay", file, "--at", "3"],
        &["export", file, "--salvage"],
    ] {
        let all: Vec<_> = ["journal"].iter().chain(arguments).copied().collect();
        let shown = run(&all);
        assert!(format!("{}{}", shown.out, shown.error).contains(&name), "{arguments:?}");
        assert!(!shown.out.contains("see --all"), "{arguments:?}: {}", shown.out);
        assert!(!shown.error.contains("see --all"), "{arguments:?}: {}", shown.error);
    }
    let shown = run(&["journal", "show", file, "--all"]);
    assert!(shown.out.lines().last().unwrap().contains(&tool), "{}", shown.out);
    assert!(!shown.out.contains("see --all"), "{}", shown.out);
}

#[tokio::test]
async fn long_values_are_cut_unless_all_is_wanted() {
    let (_directory, path) = place();
    write(&path, "s", &session(), false).await;
    let path = path.to_str().unwrap();
    let (short, all) = (
        run(&["journal", "show", path]),
        run(&["journal", "show", path, "--all"]),
    );
    assert!(short.out.contains("more characters, see --all"));
    assert!(!all.out.contains("see --all"));
    assert_eq!(all.out.matches("all of bees ").count(), 20);
}

#[tokio::test]
async fn sessions_are_listed_and_one_of_many_has_to_be_named() {
    let (_directory, path) = place();
    write(&path, "one", &session()[..9], false).await;
    write(&path, "two", &session(), true).await;
    let file = path.to_str().unwrap();
    let listed = run(&["journal", "list", file]);
    let rows: Vec<Vec<&str>> = listed
        .out
        .lines()
        .map(|line| line.split_whitespace().take(4).collect())
        .collect();
    assert_eq!(
        rows,
        [
            ["session", "entries", "state", "chained"],
            ["one", "9", "open", "no"],
            ["two", "11", "closed", "yes"]
        ]
    );
    assert_eq!(run(&["journal", "list", file, "--open"]).out.lines().count(), 2);
    let line: Value =
        serde_json::from_str(run(&["journal", "list", file, "--json"]).out.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&line["session"], &line["entries"], &line["state"]),
        (&json!("one"), &json!(9), &json!("open"))
    );

    let unnamed = run(&["journal", "show", file]);
    assert_eq!((unnamed.code, unnamed.out.as_str()), (2, ""));
    assert_eq!(
        unnamed.error,
        format!("error: there are 2 sessions in {file}; name one of them: one two\n")
    );
    let unknown = run(&["journal", "show", file, "three"]);
    assert_eq!(unknown.code, 2);
    assert_eq!(
        unknown.error,
        format!("error: there is no session `three` in {file}; `async-tool journal list {file}` lists all\n")
    );
}

#[tokio::test]
async fn what_is_no_journal_is_an_error_and_stays_as_it_is() {
    let (directory, path) = place();
    for command in ["list", "show", "verify", "export", "replay", "compact"] {
        let missing = run(&["journal", command, path.to_str().unwrap()]);
        assert_eq!(missing.code, 2, "{command}");
        assert_eq!(
            missing.error,
            format!("error: there is no journal at {}\n", path.display())
        );
    }
    assert!(!path.exists());
    let text = directory.path().join("notes.txt");
    std::fs::write(&text, "these are my notes, and they are long enough to be something").unwrap();
    assert_eq!(run(&["journal", "compact", text.to_str().unwrap()]).code, 2);
    assert_eq!(
        std::fs::read_to_string(&text).unwrap(),
        "these are my notes, and they are long enough to be something"
    );
    assert_eq!(run(&["journal", "nonsense"]).code, 2);
}

#[tokio::test]
async fn a_changed_entry_is_found_and_named() {
    let (_directory, path) = place();
    write(&path, "s", &session(), true).await;
    let file = path.to_str().unwrap();
    let sound = run(&["journal", "verify", file]);
    assert_eq!(sound.code, 0, "{}", sound.out);
    let (_, head) = sound.out.trim().split_once("head ").unwrap();
    assert_eq!(run(&["journal", "verify", file, "--head", head]).code, 0);
    let other = head.replacen("11:", "10:", 1);
    assert_eq!(run(&["journal", "verify", file, "--head", &other]).code, 1);
    assert_eq!(run(&["journal", "verify", file, "--head", "nonsense"]).code, 2);

    let database = rusqlite::Connection::open(&path).unwrap();
    let changed = database.execute(
        "UPDATE entries SET entry = replace(entry, 'I look.', 'I lock.') WHERE entry LIKE '%I look.%'",
        [],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(database);
    let found = run(&["journal", "verify", file]);
    assert_eq!(found.code, 1);
    assert!(found.out.starts_with("s: WRONG at entry 5: "), "{}", found.out);
    let line: Value = serde_json::from_str(&run(&["journal", "verify", file, "--json"]).out).unwrap();
    assert_eq!(line["finding"]["seq"], 5);
}

#[tokio::test]
async fn an_export_is_the_entries_as_they_are() {
    let (directory, path) = place();
    write(&path, "s", &session(), false).await;
    let exported = run(&["journal", "export", path.to_str().unwrap()]);
    assert_eq!(exported.code, 0);
    assert_eq!(exported.out.lines().count(), 11);
    let to = directory.path().join("s.jsonl");
    let arguments = [
        "journal",
        "export",
        path.to_str().unwrap(),
        "s",
        "-o",
        to.to_str().unwrap(),
    ];
    assert_eq!(run(&arguments).code, 0);
    // A file has the stored text. The standard output, which may be a terminal, has the same values.
    let saved = std::fs::read_to_string(&to).unwrap();
    assert!(saved.contains("bees?\u{202e}") && exported.out.contains("bees?\\u202e"));
    assert_eq!(saved.replace('\u{202e}', "\\u202e"), exported.out);
    // An existing file is not overwritten.
    let again = run(&arguments);
    assert_eq!(again.code, 2);
    assert!(again.error.contains("must not exist"), "{}", again.error);
}

#[tokio::test]
async fn a_reader_who_goes_away_is_no_error() {
    let (_directory, path) = place();
    let mut entries = session();
    entries.truncate(1);
    let said = |number: u64| Entry::UserMessage {
        text: "more ".repeat(30),
        media: Vec::new(),
        traceparent: None,
        at: at(number),
    };
    entries.extend((0..5_000).map(said));
    write(&path, "s", &entries, false).await;
    for command in ["show", "export"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_async-tool"))
            .args(["journal", command, path.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ran = ran(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.error.as_str()), (0, ""), "{command}");
    }
}

#[tokio::test]
async fn a_verdict_does_not_depend_on_a_reader() {
    let (_directory, path) = place();
    for session_name in ["a", "b"] {
        write(&path, session_name, &session(), false).await;
    }
    let database = rusqlite::Connection::open(&path).unwrap();
    database
        .execute(
            "UPDATE entries SET entry = entry || ' ' WHERE session = 2 AND seq = 5",
            [],
        )
        .unwrap();
    drop(database);
    for arguments in [
        &["verify"][..],
        &["verify", "--json"],
        &["replay"],
        &["replay", "--json"],
        &["export", "--salvage"],
        &["compact"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_async-tool"))
            .args(["journal", arguments[0], path.to_str().unwrap()])
            .args(&arguments[1..])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ran = ran(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 1, "{arguments:?}: {}", ran.error);
        assert!(!ran.error.contains("error:"), "{arguments:?}: {}", ran.error);
    }
}

#[tokio::test]
async fn a_damaged_page_leaves_a_verdict_on_each_session() {
    let (_directory, path) = place();
    let message = |number: u64| Entry::UserMessage {
        text: format!("message {number}"),
        media: Vec::new(),
        traceparent: None,
        at: at(number),
    };
    let mut long = session();
    long.truncate(1);
    long.extend((2..3_000).map(message));
    for (name, entries) in [("a", &session()), ("b", &long), ("c", &session())] {
        write(&path, name, entries, false).await;
    }
    let mut file = std::fs::read(&path).unwrap();
    let page = file
        .chunks_mut(4096)
        .find(|page| page[0] == 0x0D && page.windows(13).any(|part| part == b"message 1500\""));
    page.unwrap().fill(0x5A);
    std::fs::write(&path, &file).unwrap();
    let file = path.to_str().unwrap();
    for command in ["verify", "replay"] {
        let ran = run(&["journal", command, file]);
        let verdicts: Vec<_> = ran
            .out
            .lines()
            .map(|line| line.split(" at entry 1").next().unwrap())
            .collect();
        assert_eq!(ran.code, 1, "{command}: {}", ran.error);
        assert_eq!(verdicts.len(), 3, "{command}: {}", ran.out);
        assert!(verdicts[0].starts_with("a: 11 entries, "), "{command}: {}", ran.out);
        assert_eq!(verdicts[1], "b: WRONG", "{command}: {}", ran.out);
        assert!(verdicts[2].starts_with("c: 11 entries, "), "{command}: {}", ran.out);
        // The file as a whole is damaged, too.
        assert!(ran.error.contains("is damaged ("), "{command}: {}", ran.error);
    }
    let shown = run(&["journal", "replay", file, "b", "--at", "2900"]);
    assert_eq!(shown.code, 1, "{}", shown.error);
    assert!(shown.out.starts_with("b after entry 1"), "{}", shown.out);
    // A command that needs the whole file says the same.
    let listed = run(&["journal", "list", file]);
    assert_eq!(listed.code, 1, "{}", listed.error);
    assert!(listed.error.contains("export --salvage"), "{}", listed.error);
}

/// Looks something up.
#[async_tool(effect = "read")]
async fn look_up(topic: String) -> String {
    format!("all of {topic}")
}

#[tokio::test]
async fn a_session_of_an_agent_keeps_every_promise() {
    let (_directory, path) = place();
    let journal = SqliteJournal::open(&path).unwrap();
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("1", "look_up", json!({"topic": "bees"}))]))
        .text("that is all of them");
    let manager = AsyncToolManager::builder().tools(tools![look_up]).build().unwrap();
    let agent = AsyncAgent::builder(model, manager)
        .session("s")
        .journal(journal.clone())
        .start()
        .await
        .unwrap();
    agent.send("bees?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    drop(agent);
    journal.close().await;

    let replayed = run(&["journal", "replay", path.to_str().unwrap()]);
    assert_eq!((replayed.code, replayed.error.as_str()), (0, ""), "{}", replayed.out);
    assert!(
        replayed.out.contains("every promise kept; no snapshot"),
        "{}",
        replayed.out
    );
}

#[tokio::test]
async fn the_table_says_what_an_open_task_waits_for_as_far_as_the_journal_knows_it() {
    let arguments = json!({"topic": "bees"}).into();
    let asked = |request| Entry::Asked {
        task: TaskNo::new(1),
        request,
        at: at(30),
    };
    let deferred = Entry::Deferred {
        task: TaskNo::new(1),
        until: None,
        at: at(30),
    };
    for (entry, expected) in [
        (
            asked(Some(InputRequest::Approval { arguments })),
            "input_required (consent)",
        ),
        (asked(None), "open "),
        (deferred, "open (waits for the outside)"),
    ] {
        let (_directory, path) = place();
        let mut entries = session();
        entries.truncate(5);
        entries.push(entry);
        write(&path, "s", &entries, false).await;
        let shown = run(&["journal", "show", path.to_str().unwrap(), "s"]);
        assert_eq!((shown.code, shown.error.as_str()), (0, ""));
        assert!(shown.out.lines().last().unwrap().contains(expected), "{}", shown.out);
    }
}

#[tokio::test]
async fn replay_shows_the_state_at_an_entry_in_the_middle() {
    let (_directory, path) = place();
    write(&path, "s", &session(), false).await;
    let path = path.to_str().unwrap();
    let shown = run(&["journal", "replay", path, "s", "--at", "5"]);
    assert_eq!((shown.code, shown.error.as_str()), (0, ""));
    expect![[r#"
        s after entry 5 of 11, 0.020 s after its start
        state       answering, turn 1
        open tasks  t1 = look_up({"topic":"bees\u001b[2J"}), since 0.020 s
        inbox       nothing
        transcript  user    what of\nbees?\u{202e}
                    model   I look. [calls look_up]

        s: 11 entries, every promise kept; no snapshot
    "#]]
    .assert_eq(&shown.out);

    let line = run(&["journal", "replay", path, "--at", "7", "--json"]);
    let line: Value = serde_json::from_str(&line.out).unwrap();
    let state = &line["state"];
    assert_eq!((&line["verdict"], &line["entries"]), (&json!("sound"), &json!(11)));
    assert_eq!(
        (&state["seq"], &state["state"], &state["turn"], &state["open"]),
        (&json!(7), &json!("waiting"), &Value::Null, &json!([]))
    );
    assert_eq!(state["transcript"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn replay_reports_the_entry_that_breaks_a_promise() {
    let (_directory, path) = place();
    let mut entries = session();
    entries[6] = Entry::Answered {
        turn: TurnNo::new(1),
        answers: vec![CallAnswer::Ack(TaskNo::new(1), TaskStatus::Queued)],
        eager: true,
        instruction: None,
        at: at(121),
    };
    write(&path, "s", &entries, false).await;
    let path = path.to_str().unwrap();
    let found = run(&["journal", "replay", path]);
    assert_eq!(found.code, 1, "{}", found.out);
    assert!(
        found
            .out
            .starts_with("s: WRONG at entry 7: a settled call is answered with its result: {\"entry\":\"answered\""),
        "{}",
        found.out
    );
    // The state shown is the one before the entry.
    let shown = run(&["journal", "replay", path, "--at", "9", "--json"]);
    let line: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(
        (shown.code, &line["verdict"], &line["seq"]),
        (1, &json!("broken"), &json!(7))
    );
    assert_eq!(
        (&line["state"]["seq"], &line["state"]["state"]),
        (&json!(6), &json!("answering"))
    );
}

#[tokio::test]
async fn replay_reports_a_snapshot_that_is_not_the_fold() {
    let (_directory, path) = place();
    // A closed session keeps no snapshot.
    let entries = session()[..9].to_vec();
    write(&path, "s", &entries, false).await;
    let snapshot_of = |entries: &[Entry]| Ledger::fold(entries).unwrap().to_snapshot(Seq::new(5)).unwrap();
    let keep = async |snapshot| {
        let journal = SqliteJournal::open(&path).unwrap();
        journal.keep_snapshot(&SessionId::new("s"), snapshot).await.unwrap();
        journal.close().await;
    };
    keep(snapshot_of(&entries[..5])).await;
    let file = path.to_str().unwrap();
    let same = run(&["journal", "replay", file]);
    assert_eq!(same.code, 0, "{}", same.out);
    assert_eq!(
        same.out,
        "s: 9 entries, every promise kept; the snapshot at entry 5 equals the fold\n"
    );

    let mut other = entries.clone();
    other[1] = Entry::UserMessage {
        text: "what of wasps?".to_owned(),
        media: Vec::new(),
        traceparent: None,
        at: at(5),
    };
    keep(snapshot_of(&other[..5])).await;
    let differs = run(&["journal", "replay", file]);
    assert_eq!(differs.code, 1, "{}", differs.out);
    assert_eq!(
        differs.out,
        "s: WRONG, the snapshot at entry 5 differs from the fold: transcript; the entries keep every promise\n"
    );
    let line: Value = serde_json::from_str(&run(&["journal", "replay", file, "--json"]).out).unwrap();
    assert_eq!(line["verdict"], "snapshot_differs");
    assert_eq!(
        line["snapshot"],
        json!({"seq": 5, "verdict": "differs", "parts": ["transcript"]})
    );
}

#[tokio::test]
async fn replay_refuses_an_entry_that_is_not_there() {
    let (_directory, path) = place();
    write(&path, "s", &session(), false).await;
    let path = path.to_str().unwrap();
    for at in ["0", "12"] {
        let refused = run(&["journal", "replay", path, "--at", at]);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""));
        assert_eq!(
            refused.error,
            format!("error: session `s` has no entry {at}; `--at` takes a number from 1 to 11\n")
        );
    }
    assert_eq!(run(&["journal", "replay", path, "--at", "five"]).code, 2);
}

#[tokio::test]
async fn closed_sessions_are_packed_and_read_as_before() {
    let (_directory, path) = place();
    write(&path, "s", &session(), true).await;
    let file = path.to_str().unwrap();
    let before = run(&["journal", "show", file]).out;
    let packed = run(&["journal", "compact", file]);
    assert_eq!(packed.code, 0, "{}", packed.error);
    assert!(
        packed.out.starts_with("packed 1 sessions with 11 entries"),
        "{}",
        packed.out
    );
    assert_eq!(run(&["journal", "show", file]).out, before);
    assert_eq!(run(&["journal", "verify", file]).code, 0);
}

/// Journals that are damaged in different ways, with the smallest number of entries that can be saved.
#[tokio::test]
async fn a_salvage_saves_all_undamaged_entries_and_says_which_are_missing() {
    let (_directory, path) = place();
    let messages = |session: &str| -> Vec<_> {
        let text = |number: usize| format!("{session} {number} {}", "of many words ".repeat(number % 400));
        (0..300)
            .map(|number| Entry::UserMessage {
                text: text(number),
                media: Vec::new(),
                traceparent: None,
                at: at(0),
            })
            .collect()
    };
    for session in ["a", "b"] {
        write(&path, session, &messages(session), session == "a").await;
    }
    let sound = std::fs::read(&path).unwrap();
    let page = 4096;
    let pages = sound.len() / page;
    let leaf = (1..pages).find(|number| {
        let contents = &sound[number * page..][..page];
        contents[0] == 0x0D && contents.windows(12).any(|part| part == b"user_message")
    });
    let parent = (1..pages).rev().find(|number| sound[number * page] == 0x05).unwrap();
    let damage = |number: usize| {
        let mut file = sound.clone();
        file[number * page..][..page].fill(0x5A);
        file
    };
    let mut letter = sound.clone();
    let at = sound.windows(4).position(|part| part == b"a 7 ").unwrap();
    letter[at] ^= 1;
    for (name, file, least) in [
        ("whole", sound.clone(), 600),
        ("a letter", letter, 599),
        ("a page of entries", damage(leaf.unwrap()), 500),
        ("a page of the tree", damage(parent), 600),
        ("the first page", damage(0), 600),
        ("cut in half", sound[..sound.len() / 2].to_vec(), 200),
    ] {
        std::fs::write(&path, &file).unwrap();
        let ran = run(&["journal", "export", "--salvage", path.to_str().unwrap()]);
        let saved: Vec<Value> = ran
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        println!("{name}: {} of 600 entries saved", saved.len());
        assert!(saved.len() >= least, "{name}: {}\n{}", saved.len(), ran.error);
        for line in &saved {
            let (session, seq) = (line["session"].as_str().unwrap(), line["seq"].as_u64().unwrap());
            let expected = serde_json::to_value(&messages(session)[seq as usize - 1]).unwrap();
            assert_eq!(line["entry"], expected, "{name}");
        }
        assert_eq!(ran.code, i32::from(saved.len() < 600), "{name}: {}", ran.error);
        assert_eq!(
            ran.error.contains("missing: "),
            saved.len() < 600,
            "{name}: {}",
            ran.error
        );
        assert_eq!(std::fs::read(&path).unwrap(), file, "nothing is changed");
    }
    let ran = run(&["journal", "export", "--salvage", "nowhere.db"]);
    assert_eq!((ran.code, &*ran.out), (2, ""), "{}", ran.error);
}

#[tokio::test]
async fn an_export_that_fails_leaves_no_file() {
    let (directory, path) = place();
    write(&path, "a", &session(), false).await;
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("UPDATE entries SET entry = entry || ' ' WHERE seq = 5", [])
        .unwrap();
    drop(file);
    let out = directory.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let target = out.join("a.jsonl");
    let ran = run(&[
        "journal",
        "export",
        path.to_str().unwrap(),
        "-o",
        target.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 1);
    assert!(ran.error.contains("entry 5 of session"), "{}", ran.error);
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);

    // A full disk, where one can be had.
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4096", "tmpfs"])
        .arg(&out)
        .output();
    if mount.is_ok_and(|mount| mount.status.success()) {
        let (_other, sound) = place();
        let long = Entry::UserMessage {
            text: "long ".repeat(10_000),
            media: Vec::new(),
            traceparent: None,
            at: at(0),
        };
        write(&sound, "a", &[long], false).await;
        let ran = run(&[
            "journal",
            "export",
            sound.to_str().unwrap(),
            "-o",
            target.to_str().unwrap(),
        ]);
        let left = std::fs::read_dir(&out).unwrap().count();
        let _ = Command::new("umount").arg(&out).status();
        assert_eq!((ran.code, left), (2, 0), "{}", ran.error);
        assert!(ran.error.contains("No space left"), "{}", ran.error);
        println!("on a full disk: {}", ran.error.trim());
    }
}
