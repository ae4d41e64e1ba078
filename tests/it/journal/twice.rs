//! Answers and results from outside that come twice, or too late.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, TaskId, TaskStatus, ToolCall, ToolError,
    agent::{CloseMode, StartError},
    journal::MemoryJournal,
    manager::ResolveError,
    model::ModelStream,
    testing::ScriptedModel,
};
use serde_json::{Value, json};

use crate::stand::{FailingJournal, Fault, calls, playing, quick, tool_of};

fn order() -> FunctionTool {
    tool_of("order", |_, cx| async move { Ok(cx.defer::<Value>().await) })
        .grace(Duration::ZERO)
        .futures(true)
}

/// A manager that forgets a task as soon as it has ended.
fn forgetful() -> AsyncToolManager {
    let tools = [order(), quick()].map(Into::into);
    AsyncToolManager::builder()
        .tools(tools)
        .retained_tasks(0)
        .build()
        .unwrap()
}

fn ordering() -> ScriptedModel {
    ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "order", json!({}))]))
        .otherwise(|_| ModelStream::text("so be it"))
}

async fn start(manager: &AsyncToolManager, kept: &Arc<MemoryJournal>) -> (AsyncAgent, TaskId) {
    let builder = AsyncAgent::builder(ordering(), manager.clone());
    let agent = builder.journal(Arc::clone(kept)).session("s").start().await.unwrap();
    agent.send("order").await.unwrap();
    let task = agent.run_until_parked().await.unwrap().waits[0].task;
    (agent, task)
}

async fn resume(manager: &AsyncToolManager, kept: &Arc<MemoryJournal>) -> Result<AsyncAgent, StartError> {
    let builder = AsyncAgent::builder(ordering(), manager.clone());
    builder.journal(Arc::clone(kept)).session("s").resume().await
}

/// Gives the task everything that the outside can give, and checks that each gets this reply.
#[track_caller]
fn check(manager: &AsyncToolManager, task: TaskId, reply: &ResolveError) {
    let error = || ToolError::failed("sold out");
    for (what, got) in [
        ("resolve", manager.resolve(task, "again")),
        ("resolve_error", manager.resolve_error(task, error())),
        ("answer", manager.answer(task, "again")),
        ("approve", manager.approve(task)),
        ("refuse", manager.refuse(task, "no")),
    ] {
        assert_eq!(got.as_ref(), Err(reply), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_comes_twice_is_answered_from_the_record_of_its_session() {
    let (kept, manager) = (Arc::default(), forgetful());
    let (agent, task) = start(&manager, &kept).await;
    manager.resolve_durably(task, "parcel").await.unwrap();
    assert!(manager.task(task).is_none(), "the manager has forgotten it");
    let settled = ResolveError::AlreadySettled(TaskStatus::Completed);
    check(&manager, task, &settled);
    assert_eq!(manager.resolve_durably(task, "again").await, Err(settled.clone()));
    agent.close().await.unwrap();
    check(&manager, task, &settled);
    drop(agent);
    tokio::time::sleep(Duration::from_secs(1)).await;
    check(&manager, task, &settled);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_comes_again_after_a_resume_is_answered_from_the_record_of_its_session() {
    let error = || ToolError::failed("sold out");
    for ends in 0..3 {
        let (kept, manager) = (Arc::default(), forgetful());
        let (agent, task) = start(&manager, &kept).await;
        let status = match ends {
            0 => {
                manager.resolve_durably(task, "parcel").await.unwrap();
                TaskStatus::Completed
            }
            1 => {
                manager.resolve_error(task, error()).unwrap();
                TaskStatus::Failed
            }
            _ => {
                let number = agent.tasks().await.unwrap()[0].number;
                agent.cancel(number, "not wanted").await.unwrap();
                TaskStatus::Cancelled
            }
        };
        agent.run_until_idle().await.unwrap();
        agent.leave().await.unwrap();

        let settled = ResolveError::AlreadySettled(status);
        check(&manager, task, &settled);
        let next = forgetful();
        check(&next, task, &ResolveError::UnknownTask);
        let agent = resume(&next, &kept).await.unwrap();
        check(&next, task, &settled);
        assert_eq!(next.resolve_durably(task, "again").await, Err(settled.clone()));
        agent.close().await.unwrap();

        let last = forgetful();
        let closed = resume(&last, &kept).await.unwrap_err();
        assert!(matches!(closed, StartError::SessionClosed { .. }));
        check(&last, task, &settled);
        check(&last, TaskId::new(), &ResolveError::UnknownTask);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_again_after_a_resume_is_answered_from_the_record_of_its_session() {
    let consented = || {
        let tool = tool_of("fire", |_, _| async { Ok(json!("fired")) }).grace(Duration::ZERO);
        tool.approval(async_tool_runtime::policy::Approval::Always)
    };
    let place = || {
        let builder = AsyncToolManager::builder().tool(consented()).retained_tasks(0);
        builder.build().unwrap()
    };
    let kept = Arc::new(MemoryJournal::new());
    let model = || {
        ScriptedModel::new()
            .turn(|_| ModelStream::calls([ToolCall::new("c1", "fire", json!({}))]))
            .otherwise(|_| ModelStream::text("so be it"))
    };
    let (here, there) = (place(), place());
    let builder = |manager: &AsyncToolManager| {
        let builder = AsyncAgent::builder(model(), manager.clone());
        builder.journal(Arc::clone(&kept)).session("s")
    };
    let agent = builder(&here).start().await.unwrap();
    agent.send("fire").await.unwrap();
    let task = agent.run_until_parked().await.unwrap().waits[0].task;
    here.approve(task).unwrap();
    agent.run_until_idle().await.unwrap();
    check(&here, task, &ResolveError::AlreadySettled(TaskStatus::Completed));
    agent.leave().await.unwrap();
    let _agent = builder(&there).resume().await.unwrap();
    check(&there, task, &ResolveError::AlreadySettled(TaskStatus::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_not_started_yet_is_known() {
    let manager = forgetful();
    let model = playing([|| calls([("order", json!({})), ("order", json!({"item": {"$task": "#1"}}))])]);
    let agent = AsyncAgent::builder(model, manager.clone()).start().await.unwrap();
    agent.send("order").await.unwrap();
    agent.run_until_parked().await.unwrap();
    let tasks = agent.tasks().await.unwrap();
    check(&manager, tasks[1].task, &ResolveError::NotAsked);
    manager.resolve(tasks[0].task, "tea").unwrap();
    agent.run_until_parked().await.unwrap();
    manager.resolve(tasks[1].task, "parcel").unwrap();
    agent.run_until_idle().await.unwrap();
    for task in tasks {
        check(
            &manager,
            task.task,
            &ResolveError::AlreadySettled(TaskStatus::Completed),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_detached_is_known_after_its_end() {
    let (kept, manager) = (Arc::default(), forgetful());
    let (agent, task) = start(&manager, &kept).await;
    agent.close_with(CloseMode::Detach).await.unwrap();
    manager.resolve(task, "parcel").unwrap();
    while manager.task(task).is_some() {
        tokio::task::yield_now().await;
    }
    check(&manager, task, &ResolveError::AlreadySettled(TaskStatus::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_result_that_comes_twice_is_not_called_kept_before_it_is() {
    let (kept, manager) = (Arc::new(MemoryJournal::new()), forgetful());
    let journal = FailingJournal::of(&kept);
    let builder = AsyncAgent::builder(ordering(), manager.clone());
    let agent = builder.journal(journal.clone()).session("s").start().await.unwrap();
    agent.send("order").await.unwrap();
    let task = agent.run_until_parked().await.unwrap().waits[0].task;
    journal.set(Fault::Slow(Duration::from_secs(1)));
    let (first, second) = tokio::join!(manager.resolve_durably(task, "parcel"), async {
        tokio::task::yield_now().await;
        let again = manager.resolve_durably(task, "again").await;
        let is_kept = format!("{:?}", kept.entries(agent.session())).contains("parcel");
        (again, is_kept)
    });
    first.unwrap();
    assert_eq!(second, (Err(ResolveError::AlreadySettled(TaskStatus::Completed)), true));

    agent.close().await.unwrap();
    drop(agent);
    let (agent, task) = start(&manager, &Arc::default()).await;
    drop(agent);
    while manager.task(task).is_some() {
        tokio::task::yield_now().await;
    }
    check(&manager, task, &ResolveError::AlreadySettled(TaskStatus::Cancelled));
}
