//! Tasks that are completed from outside.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, TaskNo, TaskStatus, ToolContext, ToolError, journal::Entry,
    manager::ResolveError,
};
use serde_json::{Value, json};

use super::{
    process::{caller, check, entries, kept, leave, listener, numbers, resume, told},
    questions::consented,
};
use crate::stand::{manager, tool_of};

#[tokio::test(start_paused = true)]
async fn a_task_to_be_completed_from_outside_goes_on_waiting_and_its_function_does_not_run_again() {
    let kept = kept();
    let runs = Arc::new(AtomicUsize::new(0));
    let tool = || {
        let runs = Arc::clone(&runs);
        FunctionTool::new("order", "Orders.", move |_: Value, cx: ToolContext| {
            runs.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<String, ToolError>(cx.defer().await) }
        })
        .grace(Duration::ZERO)
    };
    let (_dead, tasks) = leave(&kept, &manager([tool()]), &["order"]).await;

    let (model, manager) = (listener(), manager([tool()]));
    let agent = resume(&kept, &manager, &model).await;
    assert_eq!(agent.resumption().unwrap().waiting, numbers(&[1]));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let snapshot = manager.task(tasks[0]).unwrap().snapshot();
    assert!(
        snapshot.deferred && snapshot.status == TaskStatus::Running,
        "{snapshot:?}"
    );

    manager.resolve_durably(tasks[0], "delivered").await.unwrap();
    // The completion is in the journal when `resolve` returns.
    assert!(
        entries(&kept)
            .iter()
            .any(|entry| matches!(entry, Entry::Settled { .. }))
    );
    assert_eq!(
        manager.resolve(tasks[0], "twice"),
        Err(ResolveError::AlreadySettled(TaskStatus::Completed))
    );
    agent.run_until_idle().await.unwrap();
    let told = told(model.requests().last().unwrap());
    assert!(told.contains(r#""result":"delivered""#), "{told}");
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_completion_can_be_cancelled_after_a_restart() {
    let kept = kept();
    let tool = || {
        FunctionTool::new("order", "Orders.", |_: Value, cx: ToolContext| async move {
            Ok::<String, ToolError>(cx.defer().await)
        })
        .grace(Duration::ZERO)
    };
    leave(&kept, &manager([tool()]), &["order"]).await;
    let agent = resume(&kept, &manager([tool()]), &listener()).await;
    agent.cancel(TaskNo::new(1), "not wanted any more").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(agent.tasks().await.unwrap()[0].status, TaskStatus::Cancelled);
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn detached_tasks_of_a_closed_session_can_be_approved_and_completed() {
    let (kept, runs) = (kept(), Arc::default());
    let order = tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO);
    let manager = manager([consented(&runs), order]);
    let builder = AsyncAgent::builder(caller(&["fire", "order"]), manager.clone());
    let agent = builder.journal(Arc::clone(&kept)).session("s").start().await.unwrap();
    agent.send("go on").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let tasks = agent.tasks().await.unwrap();
    agent
        .close_with(async_tool_runtime::agent::CloseMode::Detach)
        .await
        .unwrap();
    let limit = Duration::from_secs(60);
    manager.approve(tasks[0].task).unwrap();
    let fired = manager.task(tasks[0].task).unwrap();
    let fired = tokio::time::timeout(limit, fired.outcome()).await.expect("it goes on");
    assert_eq!(fired.outcome.value(), Some(&json!("fired")));
    let resolved = tokio::time::timeout(limit, manager.resolve_durably(tasks[1].task, "there"));
    resolved.await.expect("it ends").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_for_completion_has_the_time_of_a_task_anew() {
    let kept = kept();
    let order = || tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) }).grace(Duration::ZERO);
    leave(&kept, &manager([order()]), &["order"]).await;
    let limited = AsyncToolManager::builder()
        .tool(order())
        .task_timeout(Duration::from_secs(10));
    let agent = resume(&kept, &limited.build().unwrap(), &listener()).await;
    let rest = tokio::time::timeout(Duration::from_secs(3_600), agent.run_until_idle());
    rest.await.expect("it is not waited for without end").unwrap();
    assert!(format!("{:?}", entries(&kept)).contains("the task's deadline has passed"));
    check(&kept);
}
