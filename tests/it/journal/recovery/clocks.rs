//! Deadlines of a session whose processes have different clocks.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, FunctionTool, SessionId, ToolCall,
    agent::{AgentState, CloseMode},
    journal::{Claim, Entry, JoinPolicy, Journal, MemoryJournal, Seq},
    model::ModelStream,
    testing::ScriptedModel,
    tool::Effect,
};
use serde_json::{Value, json};
use tokio::{
    runtime::Builder,
    time::{Instant, sleep},
};

use super::process::{entries, kept, listener};
use crate::stand::{manager, secs, tool_of};

const DAY: i64 = 86_400_000;

/// The entries as a process would have written them whose clock is this many milliseconds ahead.
async fn written_by_a_clock_ahead(before: &MemoryJournal, ahead: i64) -> Arc<MemoryJournal> {
    fn shift(value: &mut Value, ahead: i64) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match field.as_i64() {
                        Some(at) if at > 1_000_000_000_000 && name != "task" => *field = json!(at + ahead),
                        _ => shift(field, ahead),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| shift(item, ahead)),
            _ => {}
        }
    }
    let known = entries(before);
    let shifted = known.iter().map(|entry| {
        let mut value = serde_json::to_value(entry).unwrap();
        shift(&mut value, ahead);
        serde_json::from_value(value).unwrap()
    });
    let (after, shifted) = (kept(), shifted.collect::<Vec<Entry>>());
    let session = SessionId::new("s");
    after
        .append(&session, &Claim::new(), Seq::START, &shifted)
        .await
        .unwrap();
    after
}

/// A task that reads for ever.
fn look() -> FunctionTool {
    tool_of("look", |_, _| std::future::pending())
        .effect(Effect::Read)
        .grace(Duration::ZERO)
}

fn order() -> FunctionTool {
    tool_of("order", |_, cx| async move {
        Ok(cx.defer_within::<Value>(secs(3_600)).await)
    })
    .grace(Duration::ZERO)
}

/// A tool that returns after the session was grouped, and before it was lost.
fn quick() -> FunctionTool {
    tool_of("quick", |_, _| async {
        sleep(secs(8)).await;
        Ok(json!("here"))
    })
    .effect(Effect::Read)
    .grace(Duration::ZERO)
}

fn calling(tools: &'static [&'static str]) -> ScriptedModel {
    ScriptedModel::new()
        .turn(move |_| {
            let made = tools.iter().enumerate();
            ModelStream::calls(made.map(|(place, tool)| ToolCall::new(format!("c{}", place + 1), *tool, json!({}))))
        })
        .otherwise(|_| ModelStream::text("so be it"))
}

/// A session whose agent called these tools, did `then`, and was lost ten seconds later.
async fn lost(tools: &'static [&'static str], then: impl AsyncFnOnce(&AsyncAgent)) -> Arc<MemoryJournal> {
    let kept = kept();
    let place = manager([look(), order(), quick()]);
    let builder = AsyncAgent::builder(calling(tools), place)
        .journal(Arc::clone(&kept))
        .session("s");
    let agent = builder.start().await.unwrap();
    agent.send("go on").await.unwrap();
    sleep(secs(5)).await;
    then(&agent).await;
    sleep(secs(10)).await;
    // An entry, so that the session knows of these ten seconds.
    let number = agent.tasks().await.unwrap()[0].number;
    agent
        .set_delivery(number, async_tool_runtime::tool::DeliveryPolicy::WhenIdle)
        .await
        .unwrap();
    let _never_dropped = std::mem::ManuallyDrop::new(agent);
    kept
}

async fn resumed(kept: &Arc<MemoryJournal>, model: ScriptedModel) -> AsyncAgent {
    let builder = AsyncAgent::builder(model, manager([look(), order(), quick()]));
    builder.journal(Arc::clone(kept)).session("s").resume().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_drain_goes_on_for_the_time_that_was_left_whatever_the_clocks_say() {
    for ahead in [0, DAY, -DAY, 40_000, -40_000] {
        let before = lost(&["look"], async |agent| {
            let closing = agent.close_with(CloseMode::Drain { limit: secs(100) });
            let _it_goes_on = tokio::time::timeout(secs(1), closing).await;
        })
        .await;
        let kept = written_by_a_clock_ahead(&before, ahead).await;
        let begun = Instant::now();
        let agent = resumed(&kept, listener()).await;
        while agent.state() != AgentState::Closed {
            sleep(Duration::from_millis(100)).await;
        }
        let took = begun.elapsed();
        // Eleven seconds had passed.
        assert!(took >= secs(88) && took <= secs(91), "{ahead}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_wakes_the_model_after_the_time_that_was_left_whatever_the_clocks_say() {
    for ahead in [0, DAY, -DAY, 40_000, -40_000] {
        let before = lost(&["look", "quick"], async |agent| {
            let tasks: Vec<_> = agent.tasks().await.unwrap().iter().map(|task| task.number).collect();
            agent
                .group("both", tasks, JoinPolicy::All, Some(secs(100)))
                .await
                .unwrap();
        })
        .await;
        let kept = written_by_a_clock_ahead(&before, ahead).await;
        let (begun, model) = (Instant::now(), listener());
        let _agent = resumed(&kept, model.clone()).await;
        while model.requests().is_empty() {
            sleep(Duration::from_millis(500)).await;
        }
        let took = begun.elapsed();
        assert!(took >= secs(88) && took <= secs(91), "{ahead}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_completion_is_waited_for_no_longer_than_the_time_that_was_left_whatever_the_clocks_say() {
    // A process whose clock is behind lets a deadline pass too early. There is no way to tell that from a long sleep.
    for (ahead, least, most) in [
        (0, 3_585, 3_590),
        (DAY, 3_585, 3_590),
        (40_000, 3_585, 3_590),
        (-DAY, 0, 5),
    ] {
        let before = lost(&["order"], async |_| ()).await;
        let kept = written_by_a_clock_ahead(&before, ahead).await;
        let begun = Instant::now();
        let agent = resumed(&kept, listener()).await;
        agent.run_until_idle().await.unwrap();
        let took = begun.elapsed().as_secs();
        assert!(took >= least && took <= most, "{ahead}: {took}");
    }
}

#[test]
fn a_result_wakes_the_model_though_the_manager_is_of_a_runtime_whose_time_is_ahead() {
    let paused = || Builder::new_current_thread().enable_time().start_paused(true).build();
    let kept = kept();
    let first = paused().unwrap();
    first.block_on(async {
        let builder = AsyncAgent::builder(calling(&["quick"]), manager([quick()]));
        let agent = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
        agent.send("go on").await.unwrap();
        sleep(secs(2)).await;
        let _never_dropped = std::mem::ManuallyDrop::new(agent);
    });
    drop(first);
    let place = paused().unwrap().block_on(async {
        sleep(secs(3_600)).await;
        manager([look(), order(), quick()])
    });
    paused().unwrap().block_on(async {
        let model = listener();
        let builder = AsyncAgent::builder(model.clone(), place);
        let agent = builder.journal(Arc::clone(&kept)).session("s").resume().await.unwrap();
        let idle = tokio::time::timeout(secs(60), agent.run_until_idle());
        idle.await.expect("its timer is lost").unwrap();
        assert!(!model.requests().is_empty(), "the model has not seen the result");
    });
}
