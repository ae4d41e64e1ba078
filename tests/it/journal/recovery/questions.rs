//! Questions to people, and their consent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    Effect, FunctionTool, TaskStatus, ToolContext, ToolError, manager::ResolveError, tool::InputRequest,
};
use serde_json::Value;

use super::process::{check, kept, leave, listener, numbers, resume, told};
use crate::stand::manager;

fn asking(effect: Effect) -> FunctionTool {
    FunctionTool::new("book", "Books a seat.", |_: Value, cx: ToolContext| async move {
        let seat: u32 = cx.request("Which seat?").await?;
        Ok::<_, ToolError>(format!("seat {seat}"))
    })
    .effect(effect)
    .grace(Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_question_of_a_repeatable_call_is_asked_again() {
    let kept = kept();
    let (_dead, tasks) = leave(&kept, &manager([asking(Effect::Idempotent)]), &["book"]).await;
    let (model, manager) = (listener(), manager([asking(Effect::Idempotent)]));
    let agent = resume(&kept, &manager, &model).await;
    let task = manager.task(tasks[0]).unwrap();
    while task.status() != TaskStatus::InputRequired {
        tokio::task::yield_now().await;
    }
    manager.answer(tasks[0], 7).unwrap();
    agent.run_until_idle().await.unwrap();
    assert!(told(model.requests().last().unwrap()).contains("seat 7"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_question_of_an_unrepeatable_call_stays_and_the_task_is_completed_instead() {
    let kept = kept();
    let (_dead, tasks) = leave(&kept, &manager([asking(Effect::Once)]), &["book"]).await;
    let (model, manager) = (listener(), manager([asking(Effect::Once)]));
    let agent = resume(&kept, &manager, &model).await;
    assert_eq!(agent.resumption().unwrap().waiting, numbers(&[1]));
    let task = manager.task(tasks[0]).unwrap();
    while task.status() != TaskStatus::InputRequired {
        tokio::task::yield_now().await;
    }
    let request = task.snapshot().request;
    assert!(matches!(request, Some(InputRequest::Input { prompt, .. }) if prompt == "Which seat?"));
    assert_eq!(manager.answer(tasks[0], 7), Err(ResolveError::Gone));
    manager.resolve(tasks[0], "seat 7, by hand").unwrap();
    agent.run_until_idle().await.unwrap();
    assert!(told(model.requests().last().unwrap()).contains("seat 7, by hand"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn to_refuse_a_question_whose_function_is_gone_fails_the_task() {
    let kept = kept();
    let (_dead, tasks) = leave(&kept, &manager([asking(Effect::Once)]), &["book"]).await;
    let (model, manager) = (listener(), manager([asking(Effect::Once)]));
    let agent = resume(&kept, &manager, &model).await;
    while manager.refuse(tasks[0], "no seats").is_err() {
        tokio::task::yield_now().await;
    }
    agent.run_until_idle().await.unwrap();
    assert!(told(model.requests().last().unwrap()).contains("no seats"));
    check(&kept);
}

pub(super) fn consented(runs: &Arc<AtomicUsize>) -> FunctionTool {
    let runs = Arc::clone(runs);
    FunctionTool::new("fire", "Fires.", move |_: Value, _: ToolContext| {
        runs.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, ToolError>("fired") }
    })
    .approval(async_tool_runtime::policy::Approval::Always)
    .grace(Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_consent_asks_again_also_if_it_must_not_be_repeated() {
    let (kept, runs) = (kept(), Arc::default());
    let (_dead, tasks) = leave(&kept, &manager([consented(&runs)]), &["fire"]).await;
    let (model, manager) = (listener(), manager([consented(&runs)]));
    let agent = resume(&kept, &manager, &model).await;
    while manager.approve(tasks[0]).is_err() {
        tokio::task::yield_now().await;
    }
    agent.run_until_idle().await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert!(told(model.requests().last().unwrap()).contains("fired"));
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_call_runs_only_when_it_is_written_down_that_people_have_consented() {
    let (kept, runs) = (kept(), Arc::default());
    let first = manager([consented(&runs)]);
    let (_dead, tasks) = leave(&kept, &first, &["fire"]).await;
    // The old process lives on and can't write: it must not start a call that another process may start.
    first.approve(tasks[0]).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}
