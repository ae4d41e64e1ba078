//! The three ways to end a session.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind, TaskNo, TaskStatus,
    agent::{AckPolicy, AgentError, AgentState, AsyncAgentBuilder, CloseMode},
    journal::Entry,
    model::ModelStream,
    tool::{Background, DeliveryPolicy},
};
use serde_json::json;
use tokio::{task::JoinHandle, time::Instant};

use crate::stand::{Books, HeldModel, Stage, answering, calls, delivered, playing, say, secs, timed, until, work};

const fn drain(limit: u64) -> CloseMode {
    CloseMode::Drain { limit: secs(limit) }
}

/// An agent at rest, with acknowledged tasks that take this long.
async fn waiting(turn: fn() -> ModelStream) -> Stage {
    let tools = [
        timed("work").background(Background::Always),
        timed("quiet")
            .background(Background::Always)
            .delivery(DeliveryPolicy::Silent),
        timed("chain").background(Background::Always).futures(true),
    ];
    let mut stage = Stage::set(playing([turn]), tools, |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage
}

fn close(stage: &Stage, mode: CloseMode) -> JoinHandle<Result<(), AgentError>> {
    let agent = stage.agent.clone();
    tokio::spawn(async move { agent.close_with(mode).await })
}

/// Asserts that the session is closed and that no accepted task was lost.
fn check_closed(stage: &Stage) {
    stage.check();
    let entries = stage.entries();
    assert!(matches!(entries.last(), Some(Entry::Closed { .. })), "{entries:#?}");
    assert_eq!(Books::of(&entries).lost(), []);
    assert_eq!(stage.agent.state(), AgentState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_drains_delivers_the_results_of_its_running_tasks_and_ends() {
    let stage = waiting(|| work([10_000, 20_000])).await;
    let began = Instant::now();
    stage.agent.close_with(drain(600)).await.unwrap();
    assert!(
        began.elapsed() < secs(21),
        "it doesn't wait for its limit: {:?}",
        began.elapsed()
    );
    check_closed(&stage);
    assert_eq!(delivered(&stage.request(4)), [["t1"], ["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_drains_lets_the_model_act_on_the_results() {
    let model = playing([|| work([10_000]), || ModelStream::text("waiting"), || work([20_000])]);
    let eager = |agent: AsyncAgentBuilder| agent.ack_policy(AckPolicy::Eager);
    let mut stage = Stage::set(model, [timed("work")], eager).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage.agent.close_with(drain(600)).await.unwrap();
    check_closed(&stage);
    assert_eq!(delivered(&stage.request(stage.asked())), [["t1"], ["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_still_run_at_the_drain_limit_are_cancelled() {
    let stage = waiting(|| work([10_000, 600_000])).await;
    let began = Instant::now();
    stage.agent.close_with(drain(30)).await.unwrap();
    assert!(
        began.elapsed() >= secs(30) && began.elapsed() < secs(60),
        "{:?}",
        began.elapsed()
    );
    check_closed(&stage);
    assert_eq!(delivered(&stage.request(stage.asked())), [["t1"]]);
    let statuses: Vec<TaskStatus> = stage
        .agent
        .tasks()
        .await
        .unwrap()
        .iter()
        .map(|task| task.status)
        .collect();
    assert_eq!(statuses, [TaskStatus::Completed, TaskStatus::Cancelled]);
    let reasons = stage.entries().into_iter().filter_map(|entry| match entry {
        Entry::Dropped { tasks, reason, .. } => Some((tasks, reason)),
        _ => None,
    });
    let reasons: Vec<_> = reasons.collect();
    assert_eq!(reasons, [(vec![TaskNo::new(2)], "the session was closed".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_drains_takes_no_messages_but_its_tasks_are_still_looked_after() {
    let mut stage = waiting(|| work([10_000, 600_000, 20_000])).await;
    let closing = close(&stage, drain(3600));
    stage
        .until(|kind| matches!(kind, AgentEventKind::Draining { .. }))
        .await;
    assert_eq!(stage.agent.state(), AgentState::Closing);
    assert_eq!(stage.agent.send("hello?").await, Err(AgentError::Closed));
    assert!(stage.agent.run_to_completion("hello?").await.is_err());
    let t = TaskNo::new;
    assert_eq!(stage.agent.promote(t(1)).await, Ok(TaskStatus::Running));
    stage.agent.set_delivery(t(3), DeliveryPolicy::Interrupt).await.unwrap();
    stage
        .agent
        .group("g", [t(1), t(3)], async_tool_runtime::journal::JoinPolicy::All, None)
        .await
        .unwrap();
    assert_eq!(stage.agent.cancel(t(2), "not needed").await, Ok(TaskStatus::Running));
    assert_eq!(stage.agent.cancel(t(9), "no").await, Err(AgentError::UnknownTask(t(9))));
    closing.await.unwrap().unwrap();
    check_closed(&stage);
    let told: Vec<String> = delivered(&stage.request(stage.asked())).concat();
    assert_eq!(told.len(), 3, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_drains_while_its_model_thinks_lets_it_finish() {
    let model = HeldModel::default();
    let (first, second) = (model.turn(), model.turn());
    let manager = async_tool_runtime::AsyncToolManager::builder()
        .tool(timed("work"))
        .build()
        .unwrap();
    let agent = async_tool_runtime::AsyncAgent::builder(model.clone(), manager)
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    let closing = {
        let agent = agent.clone();
        tokio::spawn(async move { agent.close_with(drain(600)).await })
    };
    until(&mut events, |kind| matches!(kind, AgentEventKind::Draining { .. })).await;
    let call = async_tool_runtime::ToolCall::new("c1", "work", json!({"ms": 1, "value": 1}));
    first
        .send(async_tool_runtime::model::ModelEvent::ToolCall(call))
        .unwrap();
    first
        .send(async_tool_runtime::model::ModelEvent::Done(
            async_tool_runtime::model::TurnEnd::default(),
        ))
        .unwrap();
    say(&second, "bye");
    closing.await.unwrap().unwrap();
    assert_eq!(model.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_drains_can_be_hurried_and_a_longer_limit_changes_nothing() {
    let mut stage = waiting(|| work([600_000])).await;
    let began = Instant::now();
    let first = close(&stage, drain(300));
    stage
        .until(|kind| matches!(kind, AgentEventKind::Draining { .. }))
        .await;
    let second = close(&stage, drain(3600));
    let third = close(&stage, drain(30));
    for closing in [first, second, third] {
        closing.await.unwrap().unwrap();
    }
    assert!(
        began.elapsed() >= secs(30) && began.elapsed() < secs(60),
        "{:?}",
        began.elapsed()
    );
    check_closed(&stage);

    let mut stage = waiting(|| work([600_000])).await;
    let began = Instant::now();
    let draining = close(&stage, drain(300));
    stage
        .until(|kind| matches!(kind, AgentEventKind::Draining { .. }))
        .await;
    stage.agent.close().await.unwrap();
    draining.await.unwrap().unwrap();
    assert!(began.elapsed() < secs(60), "{:?}", began.elapsed());
    check_closed(&stage);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_drains_is_not_held_up_by_a_model_that_was_given_up_on() {
    let model = answering(|_, asked| match asked {
        1 => work([10_000]),
        2 => ModelStream::text("waiting"),
        _ => ModelStream::failed(async_tool_runtime::model::ModelError::permanent("no credit")),
    });
    let mut stage = Stage::set(model, [timed("work")], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    let closing = tokio::time::timeout(secs(3600), stage.agent.close_with(drain(600))).await;
    closing.expect("it ends").unwrap();
    check_closed(&stage);
}

#[tokio::test(start_paused = true)]
async fn a_session_at_rest_drains_at_once_and_silent_results_are_dropped_for_that_reason() {
    let stage = waiting(|| calls([("quiet", json!({"ms": 1_000}))])).await;
    stage.rest().await.unwrap();
    let began = Instant::now();
    stage.agent.close_with(drain(600)).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    check_closed(&stage);
    assert_eq!(stage.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn closing_cancels_tasks_and_aborts_the_turn() {
    let model = HeldModel::default();
    let first = model.turn();
    let manager = async_tool_runtime::AsyncToolManager::builder()
        .tool(timed("work"))
        .build()
        .unwrap();
    let agent = async_tool_runtime::AsyncAgent::builder(model.clone(), manager)
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    first
        .send(async_tool_runtime::model::ModelEvent::Text("I am in the m".to_owned()))
        .unwrap();
    agent.close_with(CloseMode::Cancel).await.unwrap();
    assert!(first.is_closed(), "the agent has dropped the stream of the model");
    assert_eq!(agent.state(), AgentState::Closed);
}

#[tokio::test(start_paused = true)]
async fn detached_tasks_go_on_and_the_manager_has_their_results() {
    let stage = waiting(|| {
        calls([
            ("work", json!({"ms": 10_000, "value": "late"})),
            ("work", json!({"ms": 20_000, "value": "later"})),
        ])
    })
    .await;
    let tasks: Vec<_> = stage
        .agent
        .tasks()
        .await
        .unwrap()
        .into_iter()
        .map(|task| task.task)
        .collect();
    let began = Instant::now();
    stage.agent.close_with(CloseMode::Detach).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO, "the session is over at once");
    check_closed(&stage);
    let Stage {
        agent, manager, events, ..
    } = stage;
    drop((agent, events));
    tokio::time::sleep(secs(1)).await;
    for (task, value) in tasks.into_iter().zip(["late", "later"]) {
        let task = manager.task(task).expect("the manager knows it");
        assert_eq!(task.status(), TaskStatus::Running, "it outlives its session's handle");
        assert_eq!(task.outcome().await.outcome.value(), Some(&json!(value)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_detached_chain_ends_its_tasks_that_have_not_started() {
    let stage = waiting(|| {
        calls([
            ("work", json!({"ms": 10_000, "value": "x"})),
            ("chain", json!({"value": {"$task": "#1"}})),
            ("chain", json!({"value": {"$task": "#2"}})),
        ])
    })
    .await;
    stage.agent.close_with(CloseMode::Detach).await.unwrap();
    check_closed(&stage);
    let tasks = stage.agent.tasks().await.unwrap();
    assert_eq!(tasks[1].status, TaskStatus::Cancelled);
    // It would have needed the result of the second.
    assert_eq!(tasks[2].status, TaskStatus::Failed);
    let first = stage.manager.task(tasks[0].task).unwrap();
    assert!(first.outcome().await.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_drains_can_let_go_of_its_tasks() {
    let mut stage = waiting(|| work([60_000])).await;
    let draining = close(&stage, drain(600));
    stage
        .until(|kind| matches!(kind, AgentEventKind::Draining { .. }))
        .await;
    stage.agent.close_with(CloseMode::Detach).await.unwrap();
    draining.await.unwrap().unwrap();
    check_closed(&stage);
    let task = stage.agent.tasks().await.unwrap().remove(0).task;
    assert!(stage.manager.task(task).unwrap().outcome().await.outcome.is_completed());
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_turn_runs_lets_go_of_earlier_tasks_and_stops_those_of_the_turn() {
    let model = HeldModel::default();
    let (first, second) = (model.turn(), model.turn());
    let tools = [
        timed("work").background(Background::Always),
        timed("look").effect(async_tool_runtime::Effect::Read),
    ];
    let manager = async_tool_runtime::AsyncToolManager::builder()
        .tools(tools.map(Into::into))
        .build()
        .unwrap();
    let agent = async_tool_runtime::AsyncAgent::builder(model.clone(), manager.clone())
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    let call = |tool: &str| async_tool_runtime::ToolCall::new(tool, tool, json!({"ms": 60_000}));
    first
        .send(async_tool_runtime::model::ModelEvent::ToolCall(call("work")))
        .unwrap();
    first
        .send(async_tool_runtime::model::ModelEvent::Done(
            async_tool_runtime::model::TurnEnd::default(),
        ))
        .unwrap();
    second
        .send(async_tool_runtime::model::ModelEvent::ToolCall(call("look")))
        .unwrap();
    for _ in 0..2 {
        until(&mut events, |kind| matches!(kind, AgentEventKind::Started { .. })).await;
    }
    agent.close_with(CloseMode::Detach).await.unwrap();
    let tasks = agent.tasks().await.unwrap();
    let task = |at: usize| manager.task(tasks[at].task).unwrap();
    assert!(task(0).outcome().await.outcome.is_completed());
    assert_eq!(task(1).outcome().await.status(), TaskStatus::Cancelled);
}
