//! Deadlines of tasks that are completed from outside.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, TaskId, TaskStatus, ToolCall, ToolErrorKind,
    journal::Entry,
    manager::ResolveError,
    model::ModelStream,
    policy::RetryPolicy,
    testing::ScriptedModel,
    tool::{Dedupe, Effect},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::process::{check, entries, kept, listener, numbers, resume, told};
use crate::stand::{blocking, kind, manager, secs, start, tool_of};

/// A tool whose task must be completed within an hour.
fn order() -> FunctionTool {
    tool_of("order", |_, cx| async move {
        Ok(cx.defer_within::<Value>(secs(3_600)).await)
    })
    .grace(Duration::ZERO)
}

async fn parked(
    kept: &Arc<async_tool_runtime::journal::MemoryJournal>,
    manager: &AsyncToolManager,
) -> (AsyncAgent, TaskId) {
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "order", json!({}))]))
        .otherwise(|_| ModelStream::text("so be it"));
    let builder = AsyncAgent::builder(model, manager.clone());
    let agent = builder.journal(Arc::clone(kept)).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    let task = agent.run_until_parked().await.unwrap().waits[0].task;
    (agent, task)
}

#[tokio::test(start_paused = true)]
async fn a_deferred_task_fails_at_its_deadline_and_is_not_tried_again() {
    let both = tool_of("both", |_, cx| async move {
        let (long, short) = (
            cx.defer_within::<Value>(secs(7_200)),
            cx.defer_within::<Value>(secs(3_600)),
        );
        let (_long, short) = tokio::join!(long, short);
        Ok(short)
    });
    let first = tool_of("first", |_, cx| async move {
        let (short, _long) = tokio::join!(cx.defer_within::<Value>(secs(3_600)), cx.defer::<Value>());
        Ok(short)
    });
    let held = blocking("held", |cx| Err(cx.deferred_within(secs(3_600))));
    let retried = tool_of("retried", |_, cx| async move {
        Ok(cx.defer_within::<Value>(secs(3_600)).await)
    })
    .effect(Effect::Read)
    .retry(RetryPolicy::new(5))
    .timeout(secs(10));
    let shared = tool_of("shared", |_, cx| async move {
        Ok(cx.defer_within::<Value>(secs(3_600)).await)
    })
    .dedupe(Dedupe::Share);
    let manager = manager([order(), both, first, held, retried, shared]);
    for tool in ["order", "both", "first", "held", "retried", "shared"] {
        let begun = Instant::now();
        let task = start(&manager, tool);
        let result = task.outcome().await;
        assert_eq!(kind(&result), Some(ToolErrorKind::Timeout), "{tool}: {result:?}");
        assert_eq!((result.attempts, begun.elapsed().as_secs()), (1, 3_600), "{tool}");
        let late = manager.resolve(task.id(), "too late");
        assert_eq!(late, Err(ResolveError::AlreadySettled(TaskStatus::Failed)), "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_comes_in_time_counts() {
    let manager = manager([order()]);
    let task = start(&manager, "order");
    tokio::time::sleep(secs(3_599)).await;
    manager.resolve(task.id(), "parcel").unwrap();
    assert_eq!(task.outcome().await.outcome.value(), Some(&json!("parcel")));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_after_a_restart() {
    let (kept, before, after) = (kept(), manager([order()]), manager([order()]));
    let begun = Instant::now();
    let (agent, task) = parked(&kept, &before).await;
    tokio::time::sleep(secs(1_800)).await;
    agent.leave().await.unwrap();

    let model = listener();
    let agent = resume(&kept, &after, &model).await;
    assert_eq!(agent.resumption().unwrap().waiting, numbers(&[1]));
    let wait = agent.run_until_parked().await.unwrap().waits.remove(0);
    assert!(wait.until.is_some() && wait.task == task, "{wait:?}");
    agent.run_until_idle().await.unwrap();
    assert_eq!(begun.elapsed().as_secs(), 3_600);
    let told = told(model.requests().last().unwrap());
    assert!(told.contains("no result came from outside"), "{told}");
    let late = after.resolve_durably(task, "too late").await;
    assert_eq!(late, Err(ResolveError::AlreadySettled(TaskStatus::Failed)));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passed_between_two_processes_ends_the_task_at_the_resume() {
    let (kept, before, after) = (kept(), manager([order()]), manager([order()]));
    let (agent, task) = parked(&kept, &before).await;
    agent.leave().await.unwrap();
    tokio::time::sleep(secs(4_000)).await;

    let agent = resume(&kept, &after, &listener()).await;
    assert_eq!(agent.resumption().unwrap().ended, numbers(&[1]));
    let late = after.resolve(task, "too late");
    assert_eq!(late, Err(ResolveError::AlreadySettled(TaskStatus::Failed)));
    let kinds = entries(&kept).into_iter().filter_map(|entry| match entry {
        Entry::Settled { result } => kind(&result),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [ToolErrorKind::Timeout]);
    agent.run_until_idle().await.unwrap();
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_comes_after_a_restart_and_in_time_counts() {
    let (kept, before, after) = (kept(), manager([order()]), manager([order()]));
    let (agent, task) = parked(&kept, &before).await;
    agent.leave().await.unwrap();
    tokio::time::sleep(secs(3_500)).await;
    let agent = resume(&kept, &after, &listener()).await;
    after.resolve_durably(task, "parcel").await.unwrap();
    tokio::time::sleep(secs(3_600)).await;
    agent.run_until_idle().await.unwrap();
    assert_eq!(agent.tasks().await.unwrap()[0].status, TaskStatus::Completed);
    check(&kept);
}

#[test]
fn a_deadline_is_never_put_off() {
    use async_tool_runtime::{agent::Ledger, journal::check_journal, task::Timestamp};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let kept = kept();
    runtime.block_on(async {
        let manager = manager([order()]);
        let (agent, _) = parked(&kept, &manager).await;
        agent.leave().await.unwrap();
    });
    let known = entries(&kept);
    let deferred = known.iter().find_map(|entry| match entry {
        Entry::Deferred {
            task,
            until: Some(until),
            at,
        } => Some((*task, *until, *at)),
        _ => None,
    });
    let (task, until, at) = deferred.unwrap();
    for (until, is_sound) in [
        (Some(Timestamp::from_millis(until.as_millis() - 1)), true),
        (Some(until), false),
        (Some(Timestamp::from_millis(until.as_millis() + 1)), false),
        (None, false),
    ] {
        let mut entries = known.clone();
        entries.push(Entry::Deferred { task, until, at });
        assert_eq!(Ledger::fold(&entries).is_ok(), is_sound, "{until:?}");
        assert_eq!(check_journal(&entries).is_ok(), is_sound, "{until:?}");
    }
}
