//! Completions: each task is told its end once, whatever comes, and how often.

use std::time::Duration;

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, RulePlanner, TaskId, TaskOutcome, ToolContext, ToolErrorKind, async_tool, tools,
};
use aws::{Completion, Settled, settle};
use serde_json::json;

use crate::told::told;

/// Orders something that comes within a minute.
#[async_tool(grace = "0s")]
async fn order(#[inject] cx: ToolContext) -> u32 {
    cx.defer_within(Duration::from_secs(60)).await
}

/// An agent that waits for an order.
async fn ordered() -> (AsyncAgent, TaskId) {
    let manager = AsyncToolManager::builder().tools(tools![order]).build().unwrap();
    let agent = AsyncAgent::builder(RulePlanner::new(), manager)
        .session("s")
        .start()
        .await
        .unwrap();
    agent.send("order").await.unwrap();
    let parked = agent.run_until_parked().await.unwrap();
    let task = parked.waits[0].task;
    (agent, task)
}

fn completion(task: TaskId, end: Result<serde_json::Value, String>) -> Completion {
    Completion {
        task,
        session: "s".into(),
        end,
    }
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_comes_twice_is_told_once() {
    let (agent, task) = ordered().await;
    let first = completion(task, Ok(json!(7)));
    assert_eq!(settle(agent.manager(), &first).await, Ok(Settled::First));
    for later in [
        first,
        completion(task, Ok(json!(8))),
        completion(task, Err("no".into())),
    ] {
        assert_eq!(settle(agent.manager(), &later).await, Ok(Settled::Before), "{later:?}");
    }
    assert_eq!(told(&agent).await, [TaskOutcome::Completed(json!(7))]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_comes_twice_is_told_once_with_its_reason() {
    let (agent, task) = ordered().await;
    let failure = completion(task, Err("the function failed: no orders".into()));
    assert_eq!(settle(agent.manager(), &failure).await, Ok(Settled::First));
    assert_eq!(settle(agent.manager(), &failure).await, Ok(Settled::Before));
    assert_eq!(
        settle(agent.manager(), &completion(task, Ok(json!(7)))).await,
        Ok(Settled::Before)
    );
    let told = told(&agent).await;
    assert!(
        matches!(&told[..], [TaskOutcome::Failed(error)] if error.message().contains("no orders")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_result_that_does_not_fit_the_tool_fails_the_task() {
    let (agent, task) = ordered().await;
    assert_eq!(
        settle(agent.manager(), &completion(task, Ok(json!("seven")))).await,
        Ok(Settled::First)
    );
    let told = told(&agent).await;
    assert!(
        matches!(&told[..], [TaskOutcome::Failed(error)] if error.message().contains("seven")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_never_comes_ends_at_the_deadline_and_what_comes_after_it_changes_nothing() {
    let (agent, task) = ordered().await;
    let told = told(&agent).await;
    assert!(
        matches!(&told[..], [TaskOutcome::Failed(error)] if error.kind() == ToolErrorKind::Timeout),
        "{told:?}"
    );
    assert_eq!(
        settle(agent.manager(), &completion(task, Ok(json!(7)))).await,
        Ok(Settled::Before)
    );
}

#[tokio::test(start_paused = true)]
async fn a_completion_of_an_unknown_task_must_come_again() {
    let (agent, _) = ordered().await;
    for end in [Ok(json!(7)), Err("no".to_owned())] {
        let refused = settle(agent.manager(), &completion(TaskId::new(), end))
            .await
            .unwrap_err();
        assert!(
            refused.to_string().starts_with("the message stays in the queue"),
            "{refused}"
        );
    }
}
