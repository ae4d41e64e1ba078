//! Calls and turns that the first process had begun.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, Effect, FunctionTool, ToolCall, ToolContext, ToolError,
    journal::{Entry, MemoryJournal},
    model::ModelStream,
    task::Timestamp,
    testing::ScriptedModel,
};
use serde_json::{Value, json};

use super::process::{Seen, caller, check, entries, kept, leave, listener, numbers, resume, stuck, told};
use crate::stand::{FailingJournal, Fault, manager, tool_of, until};

#[tokio::test(start_paused = true)]
async fn a_repeatable_call_runs_again_with_its_key_and_an_unrepeatable_one_is_unknown() {
    let (kept, seen) = (kept(), Seen::default());
    let tools = || {
        [
            stuck("look", Effect::Read, &seen),
            stuck("put", Effect::Idempotent, &seen),
            stuck("pay", Effect::Once, &seen),
        ]
    };
    let (_dead, tasks) = leave(&kept, &manager(tools()), &["look", "put", "pay"]).await;

    let model = listener();
    let agent = resume(&kept, &manager(tools()), &model).await;
    let resumption = agent.resumption().unwrap().clone();
    assert_eq!(resumption.again, numbers(&[1, 2]));
    assert_eq!(resumption.unknown, numbers(&[3]));
    agent.run_until_idle().await.unwrap();

    for (tool, task) in ["look", "put"].into_iter().zip(&tasks) {
        assert_eq!(seen.of(tool), [(task.to_string(), 1), (task.to_string(), 2)]);
    }
    assert_eq!(seen.of("pay").len(), 1);
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("was restarted in the meantime"), "{told}");
    assert!(told.contains(r#""status":"unknown""#), "{told}");
    assert_eq!(told.matches(r#""result":"again""#).count(), 2, "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_in_and_not_told_is_told_once_and_the_restart_once() {
    let kept = kept();
    let gate = Arc::new(tokio::sync::Notify::new());
    let tool = |gate: &Arc<tokio::sync::Notify>| {
        let gate = Arc::clone(gate);
        FunctionTool::new("look", "Looks.", move |_: Value, _: ToolContext| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok::<_, ToolError>("seen")
            }
        })
        .effect(Effect::Read)
        .grace(Duration::ZERO)
    };
    let journal = FailingJournal::of(&kept);
    let agent = AsyncAgent::builder(caller(&["look"]), manager([tool(&gate)]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go on").await.unwrap();
    until(
        &mut events,
        |event| matches!(event, AgentEventKind::TurnEnded { text, .. } if !text.is_empty()),
    )
    .await;
    gate.notify_one();
    until(&mut events, |event| matches!(event, AgentEventKind::Settled { .. })).await;
    journal.set(Fault::Hangs);

    let model = listener();
    let agent = resume(&kept, &manager([tool(&gate)]), &model).await;
    assert_eq!(agent.resumption().unwrap().undelivered, numbers(&[1]));
    agent.run_until_idle().await.unwrap();
    agent.send("and?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert_eq!(told.matches("seen").count(), 1, "{told}");
    assert_eq!(told.matches("was restarted").count(), 1, "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_turn_whose_end_is_not_in_the_journal_is_asked_again() {
    let kept = kept();
    let journal = FailingJournal::of(&kept);
    let silent = ScriptedModel::new().turn(|_| ModelStream::new(futures_pending()));
    let agent = AsyncAgent::builder(silent.clone(), manager([]))
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    agent.send("are you there?").await.unwrap();
    journal.set(Fault::Hangs);

    let model = listener();
    let agent = resume(&kept, &manager([]), &model).await;
    assert!(agent.resumption().unwrap().repeats_turn);
    agent.run_until_idle().await.unwrap();
    assert_eq!(model.requests().len(), 1);
    assert_eq!(model.requests()[0].last_user_text(), Some("are you there?"));
    check(&kept);
}

fn futures_pending()
-> impl futures_core::Stream<Item = Result<async_tool_runtime::model::ModelEvent, async_tool_runtime::model::ModelError>>
+ Send {
    struct Never;
    impl futures_core::Stream for Never {
        type Item = Result<async_tool_runtime::model::ModelEvent, async_tool_runtime::model::ModelError>;
        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Pending
        }
    }
    Never
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_tool_is_gone_fails_and_says_so() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("look", Effect::Read, &seen)]), &["look"]).await;
    let model = listener();
    let agent = resume(&kept, &manager([]), &model).await;
    assert_eq!(agent.resumption().unwrap().ended, numbers(&[1]));
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("the tool `look` is not registered any more"), "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_for_the_result_of_another_starts_once_it_is_there() {
    let (kept, seen) = (kept(), Seen::default());
    let tools = || {
        let noted = seen.clone();
        let note = tool_of("note", move |arguments, cx| {
            noted.note("note", &cx);
            async move { Ok(arguments) }
        });
        [
            stuck("look", Effect::Read, &seen),
            note.futures(true).grace(Duration::ZERO),
        ]
    };
    let chained = ScriptedModel::new()
        .turn(|_| {
            let future = json!({"what": {"$task": "#1"}});
            ModelStream::calls([
                ToolCall::new("c1", "look", json!({})),
                ToolCall::new("c2", "note", future),
            ])
        })
        .otherwise(|_| ModelStream::text("so be it"));
    let journal = FailingJournal::of(&kept);
    let builder = AsyncAgent::builder(chained, manager(tools()));
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    journal.set(Fault::Hangs);

    let model = listener();
    let agent = resume(&kept, &manager(tools()), &model).await;
    let resumption = agent.resumption().unwrap();
    assert_eq!((&*resumption.again, &*resumption.unknown), (&*numbers(&[1]), &[][..]));
    agent.run_until_idle().await.unwrap();
    // The call must not be repeated; this is its first attempt.
    assert_eq!(
        seen.of("note").iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(),
        [1]
    );
    let told = told(model.requests().last().unwrap());
    assert!(told.contains(r#"{"what":"again"}"#), "{told}");
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_every_process_is_given_up() {
    let (kept, seen) = (kept(), Seen::default());
    let forever = || {
        let seen = seen.clone();
        tool_of("look", move |_, cx| {
            seen.note("look", &cx);
            std::future::pending()
        })
        .effect(Effect::Read)
        .grace(Duration::ZERO)
    };
    leave(&kept, &manager([forever()]), &["look"]).await;
    for _ in 0..2 {
        let journal = FailingJournal::of(&kept);
        let builder = AsyncAgent::builder(listener(), manager([forever()]));
        let agent = builder.journal(journal.clone()).session("s").resume().await.unwrap();
        assert_eq!(agent.resumption().unwrap().again, numbers(&[1]));
        tokio::time::sleep(Duration::from_secs(1)).await;
        journal.set(Fault::Hangs);
    }
    let model = listener();
    let agent = resume(&kept, &manager([forever()]), &model).await;
    assert_eq!(agent.resumption().unwrap().unknown, numbers(&[1]));
    agent.run_until_idle().await.unwrap();
    assert_eq!(
        seen.of("look").iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(told(model.requests().last().unwrap()).contains("has ended, for the third time"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_task_counts_from_when_it_was_first_accepted() {
    let (kept, seen) = (kept(), Seen::default());
    leave(&kept, &manager([stuck("look", Effect::Read, &seen)]), &["look"]).await;
    // The clocks of managers begin with the time of day, which doesn't stand still here.
    let is_later = || {
        let epoch = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        epoch > u128::from(accepted_at(&kept).as_millis())
    };
    while !is_later() {
        std::thread::yield_now();
    }
    let agent = resume(&kept, &manager([stuck("look", Effect::Read, &seen)]), &listener()).await;
    agent.run_until_idle().await.unwrap();
    let result = entries(&kept).iter().find_map(|entry| match entry {
        Entry::Settled { result } => Some(Arc::clone(result)),
        _ => None,
    });
    let result = result.unwrap();
    assert_eq!(result.attempts, 2);
    assert_eq!(result.timing.accepted, accepted_at(&kept));
}

fn accepted_at(kept: &MemoryJournal) -> Timestamp {
    let at = entries(kept).into_iter().find_map(|entry| match entry {
        Entry::Accepted { at, .. } => Some(at),
        _ => None,
    });
    at.expect("a task was accepted")
}
