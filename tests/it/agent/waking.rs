//! Results that wake the model together.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, TaskNo, TaskStatus, ToolCall,
    agent::WakePolicy,
    journal::JoinPolicy,
    model::{ModelEvent, ModelStream, TurnEnd},
    testing::{Gates, ScriptedModel},
    tool::DeliveryPolicy,
};
use serde_json::json;
use tokio::time::Instant;

use crate::stand::{
    HeldModel, Stage, answers, calls, delivered, gate_calls, manager, playing, said, say, secs, text_of, timed, until,
    work,
};

const fn t(number: u32) -> TaskNo {
    TaskNo::new(number)
}

/// A session with this join, whose tool always runs in the background.
async fn joined(model: ScriptedModel, join: JoinPolicy, deadline: Option<Duration>) -> Stage {
    let mut wake = WakePolicy::default().with_join(join);
    wake.deadline = deadline;
    let tool = timed("work").background(async_tool_runtime::tool::Background::Always);
    Stage::set(model, [tool], |agent| agent.wake_policy(wake)).await
}

#[tokio::test(start_paused = true)]
async fn without_a_join_every_result_wakes_the_model() {
    let stage = joined(playing([|| work([1_000, 2_000, 3_000])]), JoinPolicy::Any, None).await;
    stage.talk("go").await.unwrap();
    assert_eq!(delivered(&stage.request(5)), [["t1"], ["t2"], ["t3"]]);
    assert_eq!(stage.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_join_of_all_wakes_the_model_once_with_every_result_of_the_turn() {
    let stage = joined(playing([|| work([3_000, 1_000, 2_000])]), JoinPolicy::All, None).await;
    let began = Instant::now();
    stage.talk("go").await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t2", "t3", "t1"]]);
    assert_eq!(stage.asked(), 3);
    assert!(began.elapsed() < secs(4), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn turns_are_joined_each_for_itself() {
    let model = playing([|| work([1_000, 9_000]), || work([2_000, 3_000])]);
    let stage = joined(model, JoinPolicy::All, None).await;
    stage.talk("go").await.unwrap();
    // The result that wakes the model takes along those that wait for others.
    assert_eq!(delivered(&stage.request(4)), [["t1", "t3", "t4"]]);
    assert_eq!(delivered(&stage.request(5)), [vec!["t1", "t3", "t4"], vec!["t2"]]);
    assert_eq!(stage.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_first_success_wakes_the_model_and_stops_the_other_calls_silently() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 1_000, "fail": "no such flight"})),
            ("work", json!({"ms": 2_000, "value": "found"})),
            ("work", json!({"ms": 600_000, "value": "too late"})),
        ])
    }]);
    let stage = joined(model, JoinPolicy::FirstOk, None).await;
    let began = Instant::now();
    stage.talk("go").await.unwrap();
    assert!(
        began.elapsed() < secs(60),
        "the others are stopped: {:?}",
        began.elapsed()
    );
    assert_eq!(stage.asked(), 3);
    assert_eq!(delivered(&stage.request(3))[0][..2], ["t1", "t2"]);
    let tasks = stage.agent.tasks().await.unwrap();
    assert_eq!(tasks[2].status, TaskStatus::Cancelled);
    // It isn't lost: the next turn is told.
    stage.talk("and the third?").await.unwrap();
    let told: Vec<String> = delivered(&stage.request(4)).concat();
    assert_eq!(told, ["t1", "t2", "t3"]);
    assert!(text_of(&stage.request(4)).contains("t2, of the same group, came first"));
}

#[tokio::test(start_paused = true)]
async fn where_none_succeeds_the_model_is_told_of_all_failures_at_once() {
    let model = playing([|| calls([1_000, 2_000, 3_000].map(|ms| ("work", json!({"ms": ms, "fail": "no"}))))]);
    let stage = joined(model, JoinPolicy::FirstOk, None).await;
    stage.talk("go").await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t1", "t2", "t3"]]);
    assert_eq!(stage.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_success_that_answers_its_call_stops_the_other_calls_of_its_turn() {
    let model = playing([|| work([10, 600_000, 600_000])]);
    let wake = WakePolicy::default().with_join(JoinPolicy::FirstOk);
    let stage = Stage::set(model, [timed("work")], |agent| agent.wake_policy(wake)).await;
    let began = Instant::now();
    stage.talk("go").await.unwrap();
    assert!(began.elapsed() < secs(60), "{:?}", began.elapsed());
    let statuses: Vec<TaskStatus> = stage
        .agent
        .tasks()
        .await
        .unwrap()
        .iter()
        .map(|task| task.status)
        .collect();
    assert_eq!(
        statuses,
        [TaskStatus::Completed, TaskStatus::Cancelled, TaskStatus::Cancelled]
    );
}

#[tokio::test(start_paused = true)]
async fn a_complete_quorum_wakes_the_model_and_later_results_wake_it_again() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 1_000})),
            ("work", json!({"ms": 2_000, "fail": "no"})),
            ("work", json!({"ms": 3_000})),
            ("work", json!({"ms": 60_000})),
        ])
    }]);
    let stage = joined(model, JoinPolicy::Quorum(2), None).await;
    stage.talk("go").await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t1", "t2", "t3"]]);
    assert_eq!(delivered(&stage.request(4)), [vec!["t1", "t2", "t3"], vec!["t4"]]);
    assert_eq!(stage.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_quorum_that_can_no_longer_be_had_wakes_the_model_at_once() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 1_000})),
            ("work", json!({"ms": 2_000, "fail": "no"})),
            ("work", json!({"ms": 60_000})),
        ])
    }]);
    let mut stage = joined(model, JoinPolicy::Quorum(3), None).await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage
        .until(|kind| matches!(kind, AgentEventKind::Delivered { .. }))
        .await;
    assert!(began.elapsed() < secs(3), "{:?}", began.elapsed());
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [vec!["t1", "t2"], vec!["t3"]]);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_model_is_woken_with_the_results_so_far() {
    let model = playing([|| work([1_000, 2_000, 60_000])]);
    let mut stage = joined(model, JoinPolicy::All, Some(secs(5))).await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage
        .until(|kind| matches!(kind, AgentEventKind::Delivered { .. }))
        .await;
    assert!(
        began.elapsed() >= secs(5) && began.elapsed() < secs(6),
        "{:?}",
        began.elapsed()
    );
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [vec!["t1", "t2"], vec!["t3"]]);
    assert_eq!(stage.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_silent_no_longer_wakes_the_model_at_the_deadline() {
    let model = playing([|| calls([("quiet", json!({"ms": 1_000})), ("work", json!({"ms": 600_000}))])]);
    let wake = WakePolicy::default().with_join(JoinPolicy::All).with_deadline(secs(5));
    let tools = [timed("work"), timed("quiet").delivery(DeliveryPolicy::Silent)];
    let mut stage = Stage::set(model, tools, |agent| agent.wake_policy(wake)).await;
    let began = Instant::now();
    stage.agent.send("go").await.unwrap();
    stage.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    stage.agent.set_delivery(t(1), DeliveryPolicy::WhenIdle).await.unwrap();
    stage
        .until(|kind| matches!(kind, AgentEventKind::Delivered { .. }))
        .await;
    assert!(began.elapsed() < secs(6), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_host_joins_tasks_of_several_turns() {
    let model = playing([|| work([1_000, 20_000]), || work([10_000])]);
    let mut stage = joined(model, JoinPolicy::Any, None).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    stage
        .agent
        .group("trip", [t(1), t(3)], JoinPolicy::All, None)
        .await
        .unwrap();
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t1", "t3"]]);
    assert_eq!(delivered(&stage.request(5)), [vec!["t1", "t3"], vec!["t2"]]);
    assert_eq!(stage.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_group_with_a_limit_wakes_the_model_at_the_limit_with_the_results_so_far() {
    let mut stage = joined(playing([|| work([1_000, 60_000])]), JoinPolicy::Any, None).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    let began = Instant::now();
    stage
        .agent
        .group("trip", [t(1), t(2)], JoinPolicy::All, Some(secs(10)))
        .await
        .unwrap();
    stage
        .until(|kind| matches!(kind, AgentEventKind::Delivered { .. }))
        .await;
    assert!(
        began.elapsed() >= secs(10) && began.elapsed() < secs(11),
        "{:?}",
        began.elapsed()
    );
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t1"], ["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_group_of_waiting_results_wakes_the_model_only_when_it_is_complete() {
    let mut stage = joined(playing([|| work([1_000, 60_000])]), JoinPolicy::All, None).await;
    stage.agent.send("go").await.unwrap();
    stage.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    // Alone in its group, it waits for no other task.
    stage.agent.group("alone", [t(1)], JoinPolicy::All, None).await.unwrap();
    stage
        .until(|kind| matches!(kind, AgentEventKind::Delivered { .. }))
        .await;
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(4)), [["t1"], ["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_first_success_group_that_already_has_a_success_stops_its_other_tasks_at_once() {
    let mut stage = joined(playing([|| work([1_000, 600_000])]), JoinPolicy::All, None).await;
    stage.agent.send("go").await.unwrap();
    stage.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    let began = Instant::now();
    stage
        .agent
        .group("race", [t(1), t(2)], JoinPolicy::FirstOk, None)
        .await
        .unwrap();
    stage.rest().await.unwrap();
    assert!(began.elapsed() < secs(60), "{:?}", began.elapsed());
    assert_eq!(stage.agent.tasks().await.unwrap()[1].status, TaskStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_group_needs_tasks_that_are_there() {
    let mut stage = joined(playing([|| work([1_000])]), JoinPolicy::Any, None).await;
    stage.agent.send("go").await.unwrap();
    stage.said("waiting").await;
    let error = stage.agent.group("trip", [t(1), t(9)], JoinPolicy::All, None).await;
    assert_eq!(error, Err(async_tool_runtime::agent::AgentError::UnknownTask(t(9))));
    stage.rest().await.unwrap();
    assert_eq!(stage.asked(), 3, "nothing was joined");
}

#[tokio::test(start_paused = true)]
async fn the_model_joins_the_calls_of_its_turn() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 1_000})),
            ("work", json!({"ms": 9_000})),
            ("work", json!({"ms": 5_000})),
            (
                "task",
                json!({"action": "group", "name": "both", "tasks": ["#1", "#2"]}),
            ),
        ])
    }]);
    let stage = joined(model, JoinPolicy::Any, None).await;
    stage.talk("go").await.unwrap();
    let all = stage.request(4);
    // The third isn't in the group: it wakes the model, and takes along the results that wait.
    assert_eq!(delivered(&all), [vec!["t1", "t3"], vec!["t2"]]);
    assert_eq!(stage.asked(), 4);
    assert_eq!(
        answers(&stage.request(2))[3],
        json!({"group": "both", "tasks": ["t1", "t2"], "join": "all"})
    );
}

#[tokio::test(start_paused = true)]
async fn the_model_lets_the_first_success_stop_the_others() {
    let model = playing([|| {
        calls([
            ("work", json!({"ms": 1_000})),
            ("work", json!({"ms": 600_000})),
            (
                "task",
                json!({"action": "group", "tasks": ["#1", "#2"], "mode": "first_ok"}),
            ),
        ])
    }]);
    let stage = joined(model, JoinPolicy::Any, None).await;
    let began = Instant::now();
    stage.talk("go").await.unwrap();
    assert!(began.elapsed() < secs(60), "{:?}", began.elapsed());
    assert_eq!(stage.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_takes_along_the_joined_results_so_far_and_the_rest_comes_together() {
    let mut stage = joined(playing([|| work([1_000, 20_000, 30_000])]), JoinPolicy::All, None).await;
    stage.agent.send("go").await.unwrap();
    stage.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    stage.agent.send("how far are you?").await.unwrap();
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t1"]]);
    assert_eq!(delivered(&stage.request(4)), [vec!["t1"], vec!["t2", "t3"]]);
    assert_eq!(stage.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn many_results_in_one_moment_cost_one_model_call() {
    let model = playing([|| work([5_000; 100])]);
    let stage = joined(model, JoinPolicy::Any, None).await;
    stage.talk("go").await.unwrap();
    assert_eq!(stage.asked(), 3);
    assert_eq!(delivered(&stage.request(3))[0].len(), 100);
}

#[tokio::test(start_paused = true)]
async fn results_that_never_cease_to_come_wake_the_model_at_the_cap() {
    // One every 10 ms: there is never a quiet moment of 20 ms.
    let model = playing([|| work(std::array::from_fn::<u64, 100, _>(|at| 1_000 + 10 * at as u64))]);
    let tool = timed("work").background(async_tool_runtime::tool::Background::Always);
    // A fixed grace: learned latencies would join all of them.
    let mut stage = Stage::set(model, [tool], |agent| agent.grace(Duration::ZERO)).await;
    stage.agent.send("go").await.unwrap();
    stage.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    let first = Instant::now();
    stage
        .until(|kind| matches!(kind, AgentEventKind::Delivered { .. }))
        .await;
    assert_eq!(first.elapsed(), Duration::from_millis(250));
    stage.rest().await.unwrap();
    let told: Vec<String> = delivered(&stage.request(stage.asked())).concat();
    assert_eq!(told.len(), 100);
    assert!(stage.asked() <= 2 + 1 + 1_000 / 250, "{}", stage.asked());
}

#[tokio::test(start_paused = true)]
async fn four_completions_while_idle_run_one_model_turn() {
    let gates = Gates::new();
    let model = ScriptedModel::new()
        .turn(|_| gate_calls(&["a", "b", "c", "d"]))
        .text("waiting")
        .turn(|request| {
            assert_eq!(
                delivered(request),
                [["t4", "t2", "t1", "t3"]],
                "in the order in which they came"
            );
            ModelStream::text("all four are in")
        });
    let agent = AsyncAgent::builder(model.clone(), manager([gates.tool()]))
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    said(&mut events, "waiting").await;
    for name in ["d", "b", "a", "c"] {
        gates.open(name, json!(name));
        until(&mut events, |kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    }
    agent.run_until_idle().await.unwrap();
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn a_result_that_lands_while_the_turn_ends_does_not_wait_for_the_next_user_message() {
    land(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_lands_as_the_agent_becomes_idle_does_not_wait_for_the_next_user_message() {
    land(false).await;
}

/// Delivers a result between the last word of a turn and the idle state, before or after the end of the turn.
async fn land(lands_first: bool) {
    let gates = Gates::new();
    let model = HeldModel::default();
    let (first, second, third) = (model.turn(), model.turn(), model.turn());
    let agent = AsyncAgent::builder(model.clone(), manager([gates.tool()]))
        .gives_way(false)
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    let call = ToolCall::new("call_a", "gate", json!({"name": "a"}));
    first.send(ModelEvent::ToolCall(call)).unwrap();
    first.send(ModelEvent::Done(TurnEnd::default())).unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    until(&mut events, |kind| matches!(kind, AgentEventKind::TurnStarted { .. })).await;
    gates.open("a", json!(1));
    if lands_first {
        until(&mut events, |kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    }
    say(&second, "bye");
    say(&third, "it is 1");
    let hour = Duration::from_secs(3600);
    let rest = tokio::time::timeout(hour, agent.run_until_idle()).await;
    rest.expect("the agent wakes by itself").unwrap();
    let requests = model.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(delivered(&requests[2]), [["t1"]]);
}
