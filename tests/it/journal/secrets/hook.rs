//! The hook of the host that changes entries before they are written.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, SessionId, TaskOutcome,
    agent::{AgentError, Ledger, REDACTED, StartError},
    journal::{AppendError, Entry},
    model::ModelStream,
    task::Timestamp,
    testing::check_journal,
};
use serde_json::json;

use super::vault::{SECRET, check_kept, everything, holds_pin, holds_secret, play, turn};
use crate::stand::{FailingJournal, Fault, Stage, answering, calls, playing, until};

fn only_user_text(text: &'static str) -> impl Fn(&SessionId, &mut Entry) + Send + Sync {
    move |_, entry| {
        if let Entry::UserMessage { text: said, .. } = entry {
            text.clone_into(said);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_changes_the_journal_and_nothing_else() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let hook = move |session: &SessionId, entry: &mut Entry| {
        assert_eq!(session.as_str(), "s");
        note.lock().unwrap().push(serde_json::to_string(entry).unwrap());
        match entry {
            Entry::UserMessage { text, .. } => text.clear(),
            Entry::Accepted { call, .. } => call.arguments = json!({"hidden": true}).into(),
            Entry::Settled { result } => {
                let result = Arc::make_mut(result);
                result.arguments = json!(null).into();
                result.outcome = TaskOutcome::Completed(json!("short"));
            }
            Entry::TurnEnded { text, end, .. } => {
                text.clear();
                end.provider = None;
            }
            Entry::Delivered { text, .. } => *text = text.replace("welcome", "hello"),
            _ => {}
        }
    };
    let turns = vec![turn([
        ("log_in", json!({"user": "ada", "password": SECRET, "ms": 800})),
        ("use_it", json!({"what": "x".repeat(300)})),
    ])];
    let stage = play(turns, vec!["go".to_owned()], |agent| agent.redact(hook)).await;
    let live = format!("{:?}", stage.agent.transcript().await.unwrap());
    assert!(
        live.contains("welcome") && live.contains("go") && holds_secret(&live),
        "{live}"
    );
    let entries = stage.entries();
    check_kept(&entries);
    assert!(
        !seen.lock().unwrap().iter().any(|entry| holds_secret(entry)),
        "the library goes first"
    );
    assert_eq!(seen.lock().unwrap().len(), entries.len(), "once for each entry");
    for entry in &entries {
        match entry {
            Entry::UserMessage { text, .. } => assert_eq!(text, REDACTED),
            Entry::Accepted { call, .. } => assert!(call.redacted),
            Entry::Settled { result } => {
                assert!(result.redacted && result.preview.is_none());
            }
            Entry::TurnEnded { text, end, .. } => {
                assert!(text.is_empty() || text == REDACTED);
                assert_eq!(end.provider, None);
            }
            Entry::Delivered { text, .. } => assert!(text.contains(r#""result":"short""#), "{text}"),
            _ => {}
        }
    }
    assert!(entries.iter().any(|entry| matches!(entry, Entry::Delivered { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_or_changes_too_much_stops_the_session_and_writes_nothing() {
    type Hook = fn(&SessionId, &mut Entry);
    let hooks: [(Hook, &str); 6] = [
        (
            |_, entry| {
                if let Entry::UserMessage { text, .. } = entry {
                    panic!("{text}");
                }
            },
            "the redaction hook panicked (at an entry of the kind `user_message`)",
        ),
        (
            |_, entry| {
                if let Entry::UserMessage { at, .. } = entry {
                    *at = Timestamp::from_millis(0);
                    *entry = Entry::Closing { at: *at };
                }
            },
            "changed more than it may",
        ),
        (
            |_, entry| {
                if let Entry::Accepted { call, .. } = entry {
                    call.name = "other".into();
                }
            },
            "changed more than it may",
        ),
        (
            |_, entry| {
                if let Entry::Settled { result } = entry {
                    Arc::make_mut(result).outcome = TaskOutcome::Unknown("?".to_owned());
                }
            },
            "changed more than it may",
        ),
        (
            |_, entry| {
                if let Entry::Delivered { text, .. } = entry {
                    *text = text.replace("t1", "t2");
                }
            },
            "broke the frame of a delivery",
        ),
        (
            |_, entry| {
                if let Entry::Answered { answers, .. } = entry {
                    answers.clear();
                }
            },
            "changed more than it may",
        ),
    ];
    for (hook, expected) in hooks {
        let turns = [turn([("log_in", json!({"user": "ada", "ms": 5_000}))])];
        let model = answering(move |_, asked| match asked {
            1 => calls([("log_in", turns[0][0].1.clone())]),
            _ => ModelStream::text("done"),
        });
        let stage = Stage::set(model, everything(), |agent| agent.redact(hook)).await;
        let mut events = stage.agent.events();
        let _it_may_stop = stage.agent.send(SECRET).await;
        let _it_may_stop = stage.agent.run_until_idle().await;
        let Err(AgentError::Stopped(reason)) = stage.agent.send("more").await else {
            panic!("{expected}: it goes on")
        };
        assert!(reason.contains(expected) && !holds_secret(&reason), "{reason}");
        until(&mut events, |kind| matches!(kind, AgentEventKind::JournalFailed { .. })).await;
        // The earlier entries are valid and can be resumed from.
        let entries = stage.entries();
        check_journal(&entries).unwrap();
        Ledger::fold(&entries).unwrap();
    }

    let manager = AsyncToolManager::builder().build().unwrap();
    let builder = AsyncAgent::builder(playing([]), manager).redact(|_: &SessionId, _: &mut Entry| panic!("no"));
    let refused = builder.start().await.unwrap_err();
    assert!(
        matches!(refused, StartError::Journal(AppendError::Unredacted { .. })),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_repeated_append_is_recognised_without_its_secrets_and_snapshots_hold_none() {
    // Every append is written, its answer is lost, and it is tried again.
    let journal = FailingJournal::new().snapshot_every(1).failing(|attempt| {
        if attempt.failed == attempt.done {
            Fault::AnswerLost
        } else {
            Fault::None
        }
    });
    let manager = AsyncToolManager::builder()
        .tools(everything().map(Into::into))
        .build()
        .unwrap();
    let model = playing([|| {
        calls([
            ("log_in", json!({"user": "ada", "password": SECRET, "how": "echo"})),
            ("vault", json!({"ms": 900})),
        ])
    }]);
    let agent = AsyncAgent::builder(model, manager)
        .journal(journal.clone())
        .session("s")
        .redact(only_user_text("hidden"))
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let entries = journal.entries();
    check_kept(&entries);
    assert!(matches!(entries.last(), Some(Entry::Closed { .. })));

    let snapshots = journal.snapshots();
    assert!(snapshots.len() >= 3, "{}", snapshots.len());
    for snapshot in &snapshots {
        let text = String::from_utf8_lossy(&snapshot.state);
        assert!(!holds_secret(&text), "{text}");
        assert!(!holds_pin(&serde_json::from_slice(&snapshot.state).unwrap()), "{text}");
        let length = usize::try_from(snapshot.seq.as_u64()).unwrap();
        let folded = Ledger::fold(&entries[..length]).unwrap();
        assert_eq!(
            Ledger::from_snapshot(snapshot),
            Some(folded),
            "it is what the entries say"
        );
    }
}
