//! A journal that fails at any append of a session with a bit of everything.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Message, TaskId, ToolContext,
    agent::{AgentError, AgentState, CloseMode, Ledger},
    journal::Entry,
    model::ModelStream,
    tool::{Background, DeliveryPolicy},
};
use serde_json::{Value, json};

use crate::stand::{Books, FailingJournal, Fault, Log, answering, calls, is_at_rest, quick, tool_of};

/// Behaviour of a failing journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// Fails twice, then works again.
    InPassing,
    /// Fails once, after the write: the answer was lost.
    AnswerLost,
    ForGood,
    /// Reports that another process has written.
    Conflict,
}

/// A journal that fails at its n-th append, the opening being 0.
fn breaking(at: usize, failure: Failure) -> FailingJournal {
    FailingJournal::new().failing(move |attempt| match failure {
        _ if attempt.done != at => Fault::None,
        Failure::InPassing if attempt.failed < 2 => Fault::Unavailable,
        Failure::AnswerLost if attempt.failed == 0 => Fault::AnswerLost,
        Failure::ForGood => Fault::Unavailable,
        Failure::Conflict => Fault::Conflict,
        Failure::InPassing | Failure::AnswerLost => Fault::None,
    })
}

/// End of a session with a bit of everything.
struct Outcome {
    journal: FailingJournal,
    agent: AsyncAgent,
    manager: AsyncToolManager,
    ran: Vec<TaskId>,
    /// Violations that were seen while it ran.
    wrong: Vec<String>,
    closed: Result<(), AgentError>,
}

/// A tool that reports a violation if its task is not in the journal when it starts.
fn witness(name: &str, journal: &FailingJournal, ran: &Log<TaskId>, wrong: &Arc<Mutex<Vec<String>>>) -> FunctionTool {
    let (journal, ran, wrong) = (journal.clone(), ran.clone(), Arc::clone(wrong));
    tool_of(name, move |arguments: Value, cx: ToolContext| {
        let (journal, ran, wrong) = (journal.clone(), ran.clone(), Arc::clone(&wrong));
        async move {
            let is_accepted = journal
                .entries()
                .iter()
                .any(|entry| matches!(entry, Entry::Accepted { task, .. } if *task == cx.task()));
            if !is_accepted {
                wrong
                    .lock()
                    .unwrap()
                    .push(format!("{} runs and isn't accepted", cx.task()));
            }
            ran.note(cx.task());
            tokio::time::sleep(Duration::from_millis(arguments["ms"].as_u64().unwrap_or(0))).await;
            Ok(arguments["value"].clone())
        }
    })
    .background(Background::Always)
}

async fn play(at: usize, failure: Failure) -> Outcome {
    let journal = breaking(at, failure);
    let (ran, wrong) = (Log::new(), Arc::new(Mutex::new(Vec::new())));
    let tool = |name: &str| witness(name, &journal, &ran, &wrong);
    let manager = AsyncToolManager::builder()
        .tools([
            tool("work").into(),
            tool("look").effect(Effect::Read).background(Background::Auto).into(),
            tool("quiet").delivery(DeliveryPolicy::Silent).into(),
            tool("alarm").delivery(DeliveryPolicy::Interrupt).into(),
            tool("chain").futures(true).into(),
            quick().into(),
        ])
        .build()
        .unwrap();
    let model = {
        let (journal, wrong) = (journal.clone(), Arc::clone(&wrong));
        answering(move |request, asked| {
            let durable = Ledger::fold(&journal.entries()).unwrap();
            if durable.transcript().messages() != request.messages {
                wrong
                    .lock()
                    .unwrap()
                    .push("the model is shown what isn't durable".to_owned());
            }
            match asked {
                1 => calls([
                    ("work", json!({"ms": 5_000, "value": "x"})),
                    ("chain", json!({"ms": 1_000, "value": {"$task": "#1"}})),
                    ("look", json!({"ms": 10, "value": "seen"})),
                    ("quiet", json!({"ms": 100})),
                    ("alarm", json!({"ms": 7_000})),
                    ("task", json!({"action": "group", "tasks": ["#1", "#2"]})),
                ]),
                3 => calls([
                    ("task", json!({"action": "wait", "tasks": ["t1"], "seconds": 2})),
                    ("work", json!({"ms": 600_000})),
                    ("work", json!({"ms": 30_000, "value": "last"})),
                ]),
                4 => ModelStream::failed(async_tool_runtime::model::ModelError::transient("overloaded")),
                _ => ModelStream::text("well"),
            }
        })
    };
    let agent = AsyncAgent::builder(model, manager.clone())
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    let mut said = Vec::new();
    said.push(agent.send("go").await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    said.push(agent.send("and?").await);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let numbers = [1, 2].map(async_tool_runtime::TaskNo::new);
    let _ = agent.set_delivery(numbers[1], DeliveryPolicy::WhenIdle).await;
    let _ = agent.promote(numbers[0]).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let _ = agent.cancel(async_tool_runtime::TaskNo::new(8), "not needed").await;
    let closed = agent
        .close_with(CloseMode::Drain {
            limit: Duration::from_secs(3_600),
        })
        .await;
    // A message is accepted exactly if it is in the journal.
    let entries = journal.entries();
    for (said, text) in said.iter().zip(["go", "and?"]) {
        let is_written = entries
            .iter()
            .any(|entry| matches!(entry, Entry::UserMessage { text: known, .. } if known == text));
        if said.is_ok() != is_written {
            let text = format!("the message is taken: {}, written: {is_written}", said.is_ok());
            wrong.lock().unwrap().push(text);
        }
    }
    let wrong = wrong.lock().unwrap().clone();
    Outcome {
        journal,
        agent,
        manager,
        ran: ran.all(),
        wrong,
        closed,
    }
}

/// Checks the promises that hold for every failure of the journal.
async fn check(outcome: &Outcome, what: &str) {
    assert_eq!(outcome.wrong, Vec::<String>::new(), "{what}");
    let entries = outcome.journal.entries();
    let durable = Ledger::fold(&entries).unwrap_or_else(|error| panic!("{what}: {error}"));
    let _sound = Books::of(&entries);
    let once: HashSet<&TaskId> = outcome.ran.iter().collect();
    assert_eq!(once.len(), outcome.ran.len(), "{what}: a task ran twice");
    let shown = outcome.agent.transcript().await.unwrap();
    assert!(
        shown.len() >= durable.transcript().messages().len(),
        "{what}: everything can be read"
    );
    assert!(outcome.agent.tasks().await.is_ok(), "{what}");
    assert_eq!(outcome.agent.state(), AgentState::Closed, "{what}");
    // A tool that ignores its cancellation has a grace time before it is dropped.
    tokio::time::sleep(Duration::from_secs(60)).await;
    is_at_rest(&outcome.manager, what).await;
}

/// The messages that the model was shown, without times.
fn told(journal: &FailingJournal) -> Vec<String> {
    let ledger = Ledger::fold(&journal.entries()).unwrap();
    let messages = ledger.transcript().messages().iter();
    messages
        .map(|message| match &**message {
            Message::User { text, .. } => text.clone(),
            Message::Assistant { text, calls, .. } => format!("{text} {}", calls.len()),
            Message::Answers(answers) => format!("{} answers", answers.len()),
            Message::Delivery { tasks, .. } => format!("{tasks:?}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_at_any_append_loses_nothing_that_was_accepted_and_doubles_nothing() {
    let whole = play(usize::MAX, Failure::ForGood).await;
    check(&whole, "without a failure").await;
    whole.closed.clone().unwrap();
    let appends = whole.journal.done();
    assert!(appends > 20, "the scenario is rich: {appends}");
    let all_told = told(&whole.journal);
    assert!(all_told.len() > 8, "{all_told:#?}");
    let mut played = 0;
    for at in 1..appends {
        for failure in [
            Failure::InPassing,
            Failure::AnswerLost,
            Failure::ForGood,
            Failure::Conflict,
        ] {
            let what = format!("{failure:?} at append {at} of {appends}");
            let outcome = play(at, failure).await;
            check(&outcome, &what).await;
            played += 1;
            let entries = outcome.journal.entries();
            match failure {
                Failure::InPassing | Failure::AnswerLost => {
                    assert_eq!(outcome.closed, Ok(()), "{what}");
                    assert!(matches!(entries.last(), Some(Entry::Closed { .. })), "{what}");
                    assert_eq!(Books::of(&entries).lost(), [], "{what}");
                }
                Failure::ForGood | Failure::Conflict => {
                    assert!(matches!(outcome.closed, Err(AgentError::Stopped(_))), "{what}");
                    assert!(!matches!(entries.last(), Some(Entry::Closed { .. })), "{what}");
                }
            }
        }
    }
    println!("{played} failures of a journal with {appends} appends");
}
