//! The recording of a session: every kind of entry, in two processes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, TaskNo, ToolCall, ToolContext, ToolError,
    agent::{AckPolicy, AsyncAgentBuilder, CloseMode, MessagePolicy},
    context::PrunePolicy,
    journal::{Entry, JoinPolicy, MemoryJournal},
    model::{ModelEvent, StopReason, TurnEnd, Usage},
    policy::Approval,
    tool::DeliveryPolicy,
};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::files::{is_recording, write};
use crate::stand::{FailingJournal, Fault, HeldModel, manager, say, timed, tool_of};

/// The tools of the recorded session. The first runs of `look` and `post` never end.
pub(super) fn tools(runs: &Arc<AtomicUsize>) -> AsyncToolManager {
    let stuck = |name: &'static str, effect| {
        let runs = Arc::clone(runs);
        let tool = tool_of(name, move |_, cx| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            async move {
                if run < 2 {
                    cx.save_checkpoint(json!({"seen": run})).await?;
                    std::future::pending::<()>().await;
                }
                Ok(json!("seen"))
            }
        });
        tool.effect(effect).grace(Duration::ZERO)
    };
    let book = FunctionTool::new("book", "Books a seat.", |_: Value, cx: ToolContext| async move {
        let seat: u32 = cx.request("Which seat?").await?;
        Ok::<_, ToolError>(format!("seat {seat}"))
    });
    let fire = tool_of("fire", |_, _| async { Ok(json!("fired")) });
    manager([
        tool_of("add", |given, _| async move {
            Ok(json!(
                given["a"].as_i64().unwrap_or(0) + given["b"].as_i64().unwrap_or(0)
            ))
        })
        .effect(Effect::Read),
        tool_of("note", |given, _| async move { Ok(given) }).futures(true),
        tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO),
        timed("peek").effect(Effect::Read).grace(Duration::ZERO),
        fire.approval(Approval::Always).grace(Duration::ZERO),
        book.grace(Duration::ZERO),
        stuck("look", Effect::Read),
        stuck("post", Effect::Once),
    ])
}

pub(super) fn builder(model: &HeldModel, manager: &AsyncToolManager) -> AsyncAgentBuilder {
    AsyncAgent::builder(model.clone(), manager.clone())
        .session("s")
        .ack_policy(AckPolicy::Deferred)
        .prune(PrunePolicy::new(4_000).with_keep_recent(1))
}

fn call(turn: &UnboundedSender<ModelEvent>, calls: &[(&str, Value)]) {
    for (place, (tool, arguments)) in (1..).zip(calls) {
        let call = ToolCall::new(format!("c{place}"), *tool, arguments.clone());
        turn.send(ModelEvent::ToolCall(call)).unwrap();
    }
}

fn end(turn: &UnboundedSender<ModelEvent>) {
    let end = TurnEnd::new(StopReason::ToolCalls).with_usage(Usage::new(120, 12, 0));
    turn.send(ModelEvent::Done(end.with_provider(json!({"response": "r1"}))))
        .unwrap();
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A session in two processes.
async fn session() -> Vec<Entry> {
    let kept = Arc::new(MemoryJournal::new());
    let (journal, runs) = (FailingJournal::of(&kept), Arc::default());
    let model = HeldModel::default();
    let first = tools(&runs);
    let agent = builder(&model, &first).journal(journal.clone()).start().await.unwrap();

    // A call that is answered with its result.
    let turn = model.turn();
    let silent = model.turn();
    let last = model.turn();
    agent.send("Add 2 and 3.").await.unwrap();
    turn.send(ModelEvent::Text("I add them.".to_owned())).unwrap();
    call(&turn, &[("add", json!({"a": 2, "b": 3}))]);
    end(&turn);
    pass(1).await;
    // The turn that tells the result has said nothing yet, and gives way to a message.
    agent.send("Quickly, please.").await.unwrap();
    drop(silent);
    say(&last, "It is 5.");
    pass(1).await;

    // Calls of all kinds. The result of `peek` replaces its acknowledgement.
    let turn = model.turn();
    let last = model.turn();
    agent.send("Do everything.").await.unwrap();
    call(
        &turn,
        &[
            ("look", json!({"at": "the sea"})),
            ("post", json!({"to": "anna@example.org"})),
            ("order", json!({"what": "tea"})),
            ("book", json!({})),
            ("fire", json!({})),
            ("peek", json!({"ms": 2000, "value": "a boat"})),
            ("peek", json!({"ms": 60_000, "value": "a whale"})),
            ("peek", json!({"ms": 600_000})),
            ("note", json!({"seen": {"$task": "#1"}})),
        ],
    );
    end(&turn);
    say(&last, "All is under way.");
    pass(10).await;
    // Calls of tools that only read are accepted first.
    let [look, whale, last_peek, order] = [2, 4, 5, 7].map(TaskNo::new);
    agent
        .group("sights", [look, order], JoinPolicy::All, None)
        .await
        .unwrap();

    // A report of the agent itself.
    let turn = model.turn();
    let last = model.turn();
    agent.send("What is under way?").await.unwrap();
    call(&turn, &[("task", json!({"action": "list"}))]);
    end(&turn);
    say(&last, "A lot.");
    pass(1).await;

    // A result that interrupts a turn, and one that is told later.
    agent.set_delivery(whale, DeliveryPolicy::Interrupt).await.unwrap();
    let (turn, next) = (model.turn(), model.turn());
    agent.send("What do you see?").await.unwrap();
    turn.send(ModelEvent::Text("I see the sea, and".to_owned())).unwrap();
    pass(100).await;
    say(&next, "A whale!");
    pass(10).await;
    let turn = model.turn();
    agent.cancel(last_peek, "not wanted any more").await.unwrap();
    say(&turn, "I stop looking.");
    pass(60).await;

    // A turn that fails after a call, and is asked again.
    let turn = model.turn();
    let again = model.turn();
    agent.send("Add 1 and 1.").await.unwrap();
    call(&turn, &[("add", json!({"a": 1, "b": 1}))]);
    pass(1).await;
    drop(turn);
    pass(60).await;
    say(&again, "It is 2.");
    pass(1).await;

    // A turn that the host stops, and one that a message ends.
    let turn = model.turn();
    agent.send("Tell me a story.").await.unwrap();
    turn.send(ModelEvent::Text("Once upon a time".to_owned())).unwrap();
    call(&turn, &[("add", json!({"a": 2, "b": 2}))]);
    pass(1).await;
    agent.interrupt().await.unwrap();
    pass(100).await;
    let turn = model.turn();
    agent.send("Go on.").await.unwrap();
    turn.send(ModelEvent::Text("there was".to_owned())).unwrap();
    pass(1).await;
    let turn = model.turn();
    agent.send_as("Enough.", MessagePolicy::Interrupt).await.unwrap();
    say(&turn, "The end.");
    pass(1).await;

    // More than the model's context holds.
    for _ in 0..3 {
        let turn = model.turn();
        agent.send("Long ago. ".repeat(500)).await.unwrap();
        say(&turn, "I see.");
        pass(1).await;
    }
    journal.set(Fault::Hangs);

    // The next process.
    let (model, second) = (HeldModel::default(), tools(&runs));
    let turns: Vec<_> = (0..4).map(|_| model.turn()).collect();
    let agent = builder(&model, &second)
        .journal(Arc::clone(&kept))
        .resume()
        .await
        .unwrap();
    for turn in &turns {
        say(turn, "Here I am again.");
    }
    pass(60).await;
    let draining = agent.clone();
    let drained = tokio::spawn(async move {
        let limit = Duration::from_secs(3_600);
        draining.close_with(CloseMode::Drain { limit }).await
    });
    pass(10).await;
    agent.close_with(CloseMode::Detach).await.unwrap();
    drained.await.unwrap().unwrap();
    drop(agent);
    kept.entries(&"s".into())
}

/// A fixed time, at which the recorded session begins: 1 January 2025.
const BEGIN: u64 = 1_735_689_600_000;

/// The entries, with all times moved, so that they are in the past whatever clock the recording machine had.
fn moved(entries: &[Entry]) -> Vec<Value> {
    fn shift(value: &mut Value, by: u64) {
        match value {
            Value::Number(number) => {
                // No other number of the session is as large as a time.
                if let Some(time) = number.as_u64().filter(|time| *time >= by) {
                    *value = json!(time - by + BEGIN);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| shift(item, by)),
            Value::Object(fields) => fields.values_mut().for_each(|field| shift(field, by)),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    let by = entries[0].at().as_millis();
    let moved = entries.iter().map(|entry| {
        let mut entry = serde_json::to_value(entry).unwrap();
        shift(&mut entry, by);
        entry
    });
    moved.collect()
}

/// Also proves in every run that a session with every kind of entry can still be made.
#[tokio::test(start_paused = true)]
async fn a_session_with_every_kind_of_entry_can_be_recorded() {
    let entries = session().await;
    let kind = |entry: &Entry| serde_json::to_value(entry).unwrap()["entry"].clone();
    let recorded: Vec<Value> = entries.iter().map(kind).collect();
    for sample in async_tool_runtime::testing::sample_entries() {
        assert!(
            recorded.contains(&kind(&sample)),
            "{} is missing in {recorded:?}",
            kind(&sample)
        );
    }
    async_tool_runtime::journal::check_journal(&entries).unwrap();
    if is_recording("session") {
        write("session.jsonl", &moved(&entries));
    }
}
