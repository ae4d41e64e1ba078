//! The wait at the end of a turn, and the events that end it.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, Message, TaskNo, TaskStatus,
    agent::{AckPolicy, LearnedGrace, WakePolicy},
    context::AnswerContent,
    model::ModelStream,
    testing::{Gates, ScriptedModel},
    tool::Background,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stand::{
    HeldModel, Stage, answering, answers, calls, delivered, gate_calls, manager, playing, say, timed, until, work,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A model that answers each message of the user with a call of `work` that takes `ms`.
fn caller(ms: u64) -> ScriptedModel {
    answering(
        move |request, _| match request.messages.last().map(|message| &**message) {
            Some(Message::User { .. }) => work([ms]),
            _ => ModelStream::text("well"),
        },
    )
}

fn is_ack(answer: &Value) -> bool {
    answer.get("status").is_some()
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_always_done_soon_is_waited_for_once_that_is_known() {
    let stage = Stage::set(caller(400), [timed("work")], |agent| agent).await;
    for call in 1..=5 {
        let before = stage.asked();
        stage.talk("go").await.unwrap();
        assert_eq!(stage.asked() - before, 3, "call {call}: acknowledged, and told later");
    }
    for call in 6..=8 {
        let (before, began) = (stage.asked(), Instant::now());
        stage.talk("go").await.unwrap();
        assert_eq!(stage.asked() - before, 2, "call {call}: answered with its result");
        assert_eq!(answers(&stage.request(stage.asked())), [json!(400)]);
        assert_eq!(began.elapsed(), millis(400), "and nothing is waited for after it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_takes_minutes_is_acknowledged_at_once_once_that_is_known() {
    let mut stage = Stage::set(caller(120_000), [timed("work")], |agent| agent).await;
    for call in 1..=7 {
        let began = Instant::now();
        stage.agent.send("go").await.unwrap();
        stage
            .until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
            .await;
        let waited = if call <= 5 { millis(250) } else { Duration::ZERO };
        assert_eq!(began.elapsed(), waited, "call {call}");
        stage.rest().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_grace_set_on_a_tool_or_an_agent_is_not_overruled_by_the_learned_one() {
    let fixed = timed("work").grace(millis(100));
    for (tool, agent_grace, expected) in [(fixed, None, 100), (timed("work"), Some(millis(50)), 50)] {
        let mut stage = Stage::set(caller(400), [tool], |agent| match agent_grace {
            Some(grace) => agent.grace(grace),
            None => agent,
        })
        .await;
        for _ in 1..=8 {
            let began = Instant::now();
            stage.agent.send("go").await.unwrap();
            stage
                .until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
                .await;
            assert_eq!(began.elapsed(), millis(expected));
            stage.rest().await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_learned_wait_never_passes_its_bound() {
    let learned = LearnedGrace::new(millis(300), Duration::from_secs(60));
    let mut stage = Stage::set(caller(400), [timed("work")], |agent| agent.learned_grace(learned)).await;
    for _ in 1..=8 {
        let began = Instant::now();
        stage.agent.send("go").await.unwrap();
        stage
            .until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
            .await;
        assert!(began.elapsed() <= millis(300), "{:?}", began.elapsed());
        stage.rest().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_cancelled_teach_nothing() {
    let mut stage = Stage::set(caller(120_000), [timed("work")], |agent| agent).await;
    for call in 1..=8 {
        let began = Instant::now();
        stage.agent.send("go").await.unwrap();
        stage
            .until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
            .await;
        assert_eq!(began.elapsed(), millis(250), "call {call}");
        stage.agent.cancel(TaskNo::new(call), "no").await.unwrap();
        stage.rest().await.unwrap();
    }
}

fn patient() -> async_tool_runtime::FunctionTool {
    timed("work").background(Background::Never)
}

#[tokio::test(start_paused = true)]
async fn the_host_moves_a_call_to_the_background() {
    let mut stage = Stage::set(playing([|| work([60_000])]), [patient()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage
        .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
        .await;
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(stage.asked(), 1, "the model waits");
    assert_eq!(stage.agent.promote(TaskNo::new(1)).await, Ok(TaskStatus::Running));
    stage.said("waiting").await;
    assert!(is_ack(&answers(&stage.request(2))[0]));
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t1"]]);
    assert_eq!(stage.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_moved_holds_up_no_answer_but_the_others_of_its_turn_do() {
    let mut stage = Stage::set(playing([|| work([60_000, 30_000])]), [patient()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage
        .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
        .await;
    stage.agent.promote(TaskNo::new(1)).await.unwrap();
    stage.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    stage.said("waiting").await;
    let answers = answers(&stage.request(2));
    assert!(is_ack(&answers[0]));
    assert_eq!(answers[1], json!(30_000));
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_moved_while_its_turn_still_ran_is_not_waited_for() {
    let model = HeldModel::default();
    let (first, second, third) = (model.turn(), model.turn(), model.turn());
    let tool = patient().effect(async_tool_runtime::Effect::Read);
    let manager = async_tool_runtime::AsyncToolManager::builder()
        .tool(tool)
        .build()
        .unwrap();
    let agent = async_tool_runtime::AsyncAgent::builder(model.clone(), manager)
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    let call = async_tool_runtime::ToolCall::new("c1", "work", json!({"ms": 60_000}));
    first
        .send(async_tool_runtime::model::ModelEvent::ToolCall(call))
        .unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Started { .. })).await;
    let began = Instant::now();
    agent.promote(TaskNo::new(1)).await.unwrap();
    first
        .send(async_tool_runtime::model::ModelEvent::Done(
            async_tool_runtime::model::TurnEnd::default(),
        ))
        .unwrap();
    say(&second, "waiting");
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    say(&third, "there");
    agent.run_until_idle().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_moves_the_awaited_calls_to_the_background() {
    let mut stage = Stage::set(playing([|| work([60_000])]), [patient()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    stage
        .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
        .await;
    stage.agent.send("are you there?").await.unwrap();
    stage.said("waiting").await;
    let request = stage.request(2);
    assert!(is_ack(&answers(&request)[0]));
    assert_eq!(request.last_user_text(), Some("are you there?"));
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t1"]]);
}

async fn deferred(model: ScriptedModel) -> Stage {
    Stage::set(model, [timed("work").background(Background::Always)], |agent| {
        agent.ack_policy(AckPolicy::Deferred)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn results_that_beat_the_next_model_call_take_the_places_of_their_acknowledgements() {
    let stage = deferred(playing([|| work([1_000, 1_010, 60_000])])).await;
    stage.talk("go").await.unwrap();
    let second = answers(&stage.request(2));
    assert_eq!(second[..2], [json!(1_000), json!(1_010)]);
    assert!(is_ack(&second[2]));
    // The model has seen the third acknowledgement, so that stays and the result is a message.
    let third = stage.request(3);
    assert_eq!(answers(&third), second);
    assert_eq!(delivered(&third), [["t3"]]);
    assert_eq!(stage.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_finds_the_results_that_are_in_in_their_places() {
    let mut stage = Stage::set(
        playing([|| work([1_000, 60_000])]),
        [timed("work").background(Background::Always)],
        |agent| {
            agent
                .ack_policy(AckPolicy::Deferred)
                .wake_policy(WakePolicy::debounce(Duration::from_secs(5), Duration::from_secs(5)))
        },
    )
    .await;
    stage.agent.send("go").await.unwrap();
    stage.until(|kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    stage.agent.send("and?").await.unwrap();
    stage.said("waiting").await;
    let request = stage.request(2);
    let [.., answers, user] = &request.messages[..] else {
        panic!("{request:?}")
    };
    assert!(matches!(&**user, Message::User { text, .. } if text == "and?"));
    let Message::Answers(answers) = &**answers else {
        panic!("{answers:?}")
    };
    assert_eq!(answers[0].to_model_json(), json!(1_000));
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_failed_may_have_shown_the_acknowledgements_which_stay_then() {
    let model = answering(|_, asked| match asked {
        1 => calls([("work", json!({"ms": 60_000, "value": "v"}))]),
        2 => ModelStream::failed(async_tool_runtime::model::ModelError::permanent("no credit")),
        _ => ModelStream::text("well"),
    });
    let stage = deferred(model).await;
    stage.agent.send("go").await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    stage.agent.send("and?").await.unwrap();
    stage.rest().await.unwrap();
    let last = stage.request(3);
    assert!(is_ack(&answers(&last)[0]));
    assert_eq!(delivered(&last), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_in_when_the_turn_ends_is_the_answer_and_costs_no_extra_turn() {
    let gates = Gates::new();
    gates.open("a", json!(42));
    let model = ScriptedModel::new().turn(|_| gate_calls(&["a"])).turn(|request| {
        let Some(Message::Answers(answers)) = request.messages.last().map(|message| &**message) else {
            panic!("the answers come last")
        };
        assert!(matches!(answers[0].content, AnswerContent::Result(_)));
        assert_eq!(answers[0].to_model_json(), json!(42));
        ModelStream::text("it is 42")
    });
    let agent = AsyncAgent::builder(model.clone(), manager([gates.tool()]))
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    model.verify();
}
