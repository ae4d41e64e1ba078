//! The one owner of a session.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, Effect, FunctionTool, ToolCall, agent::StartError, model::ModelStream,
    testing::ScriptedModel,
};
use serde_json::{Value, json};

use super::process::{Seen, caller, check, entries, kept, leave, listener, numbers, resume, stuck};
use crate::stand::{FailingJournal, Fault, manager, tool_of, until};

#[tokio::test(start_paused = true)]
async fn one_of_many_processes_that_resume_a_session_wins_and_the_others_run_nothing() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("look", Effect::Read, &seen)]), &["look"]).await;
    // All of them have read before any of them writes.
    let slow = FailingJournal::of(&kept);
    slow.set(Fault::Slow(Duration::from_millis(10)));
    let racing: Vec<_> = (0..8)
        .map(|_| {
            let builder = AsyncAgent::builder(listener(), manager([stuck("look", Effect::Read, &seen)]));
            builder.journal(slow.clone()).session("s").resume()
        })
        .collect();
    let mut ends = Vec::new();
    for racer in racing.into_iter().map(tokio::spawn).collect::<Vec<_>>() {
        ends.push(racer.await.unwrap());
    }
    let (won, lost): (Vec<_>, Vec<_>) = ends.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(
        lost.iter().all(|end| end.as_ref().is_err_and(StartError::is_conflict)),
        "{lost:?}"
    );
    won.into_iter().next().unwrap().unwrap().run_until_idle().await.unwrap();
    assert_eq!(seen.of("look").len(), 2, "once before, and once by the winner");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn the_previous_owner_of_a_session_writes_no_more_and_stops_its_tasks() {
    let (kept, seen) = (kept(), Seen::default());
    let before = manager([stuck("look", Effect::Read, &seen)]);
    let builder = AsyncAgent::builder(caller(&["look"]), before.clone());
    let hung = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
    hung.send("go on").await.unwrap();
    while seen.of("look").is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let agent = resume(&kept, &manager([stuck("look", Effect::Read, &seen)]), &listener()).await;
    agent.run_until_idle().await.unwrap();
    let written = entries(&kept);
    let error = hung.send("I am still here").await.unwrap_err();
    assert!(error.to_string().contains("another agent has the session"), "{error}");
    assert_eq!(entries(&kept), written);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(before.stats().running, 0);
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_closed_or_unknown_session_is_not_resumed() {
    let kept = kept();
    let builder = || {
        let builder = AsyncAgent::builder(listener(), manager([]));
        builder.journal(Arc::clone(&kept)).session("s")
    };
    assert!(matches!(
        builder().resume().await,
        Err(StartError::UnknownSession { .. })
    ));
    let agent = builder().resume_or_start().await.unwrap();
    assert!(agent.resumption().is_none());
    agent.close().await.unwrap();
    let error = builder().resume_or_start().await.unwrap_err();
    assert_eq!(error.to_string(), "session `s` is closed; start another one");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_session_is_resumed_in_the_same_process_and_dropping_the_old_agent_stops_nothing() {
    let (kept, seen) = (kept(), Seen::default());
    let manager = manager([stuck("look", Effect::Read, &seen), quick_tool()]);
    let journal = FailingJournal::of(&kept);
    let builder = AsyncAgent::builder(caller(&["look"]), manager.clone());
    let builder = builder.journal(journal.clone()).session("s");
    let old = builder.start().await.unwrap();
    old.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    journal.set(Fault::Unavailable);
    assert!(old.send("are you there?").await.is_err(), "the journal has failed");
    journal.set(Fault::None);

    let model = ScriptedModel::new().otherwise(|request| match request.last_user_text() {
        Some("again") if !format!("{:?}", request.messages).contains("quick") => {
            ModelStream::calls([ToolCall::new("c9", "quick", json!({}))])
        }
        _ => ModelStream::text("I see"),
    });
    let builder = AsyncAgent::builder(model.clone(), manager.clone());
    let agent = builder.journal(journal).session("s").resume().await.unwrap();
    drop(old);
    tokio::time::sleep(Duration::from_secs(5)).await;
    agent.send("again").await.unwrap();
    let rest = tokio::time::timeout(Duration::from_secs(3_600), agent.run_until_idle());
    rest.await.expect("it hears of its tasks").unwrap();
    let said = format!("{:?}", model.requests().last().unwrap().messages);
    assert!(
        said.contains("it was quick"),
        "the new agent hears of its tasks: {said}"
    );
    check(&kept);
}

fn quick_tool() -> FunctionTool {
    tool_of("quick", |_, _| async { Ok(json!("it was quick")) })
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_left_goes_on_elsewhere_and_nothing_of_it_goes_on_here() {
    let (kept, seen) = (kept(), Seen::default());
    let order = || tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO);
    let tools = || {
        [
            stuck("look", Effect::Read, &seen),
            stuck("pay", Effect::Once, &seen),
            order(),
        ]
    };
    let before = manager(tools());
    let builder = AsyncAgent::builder(caller(&["look", "pay", "order"]), before.clone());
    let agent = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
    let mut events = agent.events();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    agent.leave().await.unwrap();
    assert_eq!(before.stats().running, 0);
    until(&mut events, |event| matches!(event, AgentEventKind::Left)).await;
    assert!(events.next().await.is_none());
    let written = entries(&kept);
    assert!(agent.send("are you there?").await.is_err());
    drop(agent);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(entries(&kept), written);

    let manager = manager(tools());
    let agent = resume(&kept, &manager, &listener()).await;
    let resumption = agent.resumption().unwrap();
    assert_eq!(
        (&resumption.again, &resumption.waiting),
        (&numbers(&[1]), &numbers(&[3]))
    );
    assert_eq!(resumption.unknown, numbers(&[2]));
    let task = agent.tasks().await.unwrap()[2].task;
    manager.resolve(task, "delivered").unwrap();
    agent.run_until_idle().await.unwrap();
    check(&kept);
}
