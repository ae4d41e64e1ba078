//! The cost of one message of the user: batches, limits, and models that say nothing.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, Message, ToolCall,
    agent::{AgentError, RunError, RunLimit, RunLimits},
    model::{ModelError, ModelEvent, ModelStream, StopReason, TurnEnd, Usage},
    testing::{ScriptedModel, ScriptedTurn},
    tool::{Background, DeliveryPolicy},
};
use serde_json::json;
use tokio::time::Instant;

use crate::stand::{
    HeldModel, Stage, answering, answers, calls, delivered, manager, playing, say, secs, text_of, timed, until, work,
};

#[tokio::test(start_paused = true)]
async fn a_batch_of_many_calls_costs_one_more_model_call() {
    let model = playing([|| work([60_000, 1_000, 30_000, 1, 600_000])]);
    let stage = Stage::set(model, [timed("work")], |agent| agent).await;
    let summary = stage.agent.run_to_completion("go").await.unwrap();
    stage.check();
    assert_eq!(stage.asked(), 2);
    let expected = [60_000, 1_000, 30_000, 1, 600_000].map(|ms| json!(ms));
    assert_eq!(answers(&stage.request(2)), expected, "as if they had been waited for");
    assert_eq!((summary.text.as_str(), summary.totals.turns), ("waiting", 2));
    assert_eq!(summary.totals.tool_calls, 5);
}

#[tokio::test(start_paused = true)]
async fn a_batch_asks_once_for_calls_that_are_fast_and_slow() {
    for millis in [[1, 60_000], [60_000, 1]] {
        let model = answering(move |_, asked| match asked {
            1 => work(millis),
            _ => ModelStream::text("done"),
        });
        let stage = Stage::set(model, [timed("work")], |agent| agent).await;
        stage.agent.run_to_completion("go").await.unwrap();
        stage.check();
        assert_eq!(stage.asked(), 2);
        assert_eq!(answers(&stage.request(2)), millis.map(|ms| json!(ms)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_several_steps_costs_a_model_call_for_each() {
    let model = playing([|| work([1_000, 2_000]), || work([1, 3_000]), || work([4_000])]);
    let stage = Stage::set(model, [timed("work")], |agent| agent).await;
    stage.agent.run_to_completion("go").await.unwrap();
    stage.check();
    assert_eq!(stage.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_told_of_silent_results_too() {
    let model = playing([|| {
        calls([
            ("quiet", json!({"ms": 60_000, "value": "q"})),
            ("work", json!({"ms": 1_000, "value": "w"})),
            ("quiet", json!({"ms": 1_000, "value": "r"})),
        ])
    }]);
    let quiet = timed("quiet").delivery(DeliveryPolicy::Silent);
    let stage = Stage::set(model, [timed("work"), quiet], |agent| agent).await;
    stage.agent.run_to_completion("go").await.unwrap();
    stage.check();
    assert_eq!(stage.asked(), 2);
    assert_eq!(answers(&stage.request(2)), [json!("q"), json!("w"), json!("r")]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_interrupted_only_by_an_interrupting_result() {
    let model = playing([|| {
        calls([
            ("alarm", json!({"ms": 5_000, "value": "fire"})),
            ("work", json!({"ms": 60_000, "value": "w"})),
        ])
    }]);
    let alarm = timed("alarm").delivery(DeliveryPolicy::Interrupt);
    let stage = Stage::set(model, [timed("work"), alarm], |agent| agent).await;
    stage.agent.run_to_completion("go").await.unwrap();
    stage.check();
    assert_eq!(stage.asked(), 3);
    assert_eq!(answers(&stage.request(2))[0], json!("fire"));
    assert_eq!(delivered(&stage.request(3)), [["t2"]]);
}

#[tokio::test(start_paused = true)]
async fn a_message_ends_a_batch_and_is_answered_at_once() {
    let mut stage = Stage::set(playing([|| work([60_000, 1])]), [timed("work")], |agent| agent).await;
    let batch = {
        let agent = stage.agent.clone();
        tokio::spawn(async move { agent.run_to_completion("go").await })
    };
    stage
        .until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
        .await;
    let began = Instant::now();
    stage.agent.send("are you there?").await.unwrap();
    stage.said("waiting").await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(answers(&stage.request(2))[1], json!(1));
    batch.await.unwrap().unwrap();
    stage.rest().await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_looks_after_its_tasks_is_answered_before_they_end() {
    let model = playing([
        || {
            calls([
                ("work", json!({"ms": 600_000})),
                ("task", json!({"action": "check", "tasks": ["#1"]})),
            ])
        },
        || calls([("task", json!({"action": "cancel", "tasks": ["t1"]}))]),
    ]);
    let stage = Stage::set(model, [timed("work")], |agent| agent).await;
    let began = Instant::now();
    stage.agent.run_to_completion("go").await.unwrap();
    stage.check();
    assert!(began.elapsed() < secs(60), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_model_fails_says_so_and_loses_nothing() {
    let model = answering(|_, asked| match asked {
        1 => work([1, 60_000]),
        2 => ModelStream::failed(ModelError::permanent("no credit")),
        _ => ModelStream::text("there they are"),
    });
    let stage = Stage::set(model, [timed("work")], |agent| agent).await;
    let error = stage.agent.run_to_completion("go").await.unwrap_err();
    assert!(matches!(error, RunError::Model(_)), "{error}");
    stage.check();
    let summary = stage.agent.run_to_completion("and now?").await.unwrap();
    assert_eq!(summary.text, "there they are");
    assert_eq!(answers(&stage.request(3)), [json!(1), json!(60_000)]);
    assert_eq!(delivered(&stage.request(3)), Vec::<Vec<String>>::new());
}

#[tokio::test(start_paused = true)]
async fn a_batch_whose_only_fast_call_was_of_a_turn_that_failed_is_not_stuck() {
    // A read starts while its turn streams; the turn fails, and is asked again.
    let model = answering(|_, asked| match asked {
        1 => {
            let call = ToolCall::new("c1", "look", json!({"ms": 60_000}));
            ModelStream::from_events([ModelEvent::ToolCall(call)])
        }
        2 => work([1]),
        _ => ModelStream::text("done"),
    });
    let look = timed("look").effect(async_tool_runtime::Effect::Read);
    let stage = Stage::set(model, [timed("work"), look], |agent| agent).await;
    let run = tokio::time::timeout(secs(3600), stage.agent.run_to_completion("go")).await;
    assert_eq!(run.expect("it comes to its end").unwrap().text, "done");
    stage.check();
}

#[tokio::test(start_paused = true)]
async fn a_batch_returns_the_last_text_since_the_message() {
    let model = answering(|_, asked| match asked {
        1 => ModelStream::text("first"),
        _ => work([]),
    });
    let stage = Stage::set(model, [timed("work")], |agent| agent).await;
    assert_eq!(stage.agent.run_to_completion("go").await.unwrap().text, "first");
    assert_eq!(
        stage.agent.run_to_completion("go").await.unwrap().text,
        "",
        "it said nothing"
    );
    stage.agent.close().await.unwrap();
    let error = stage.agent.run_to_completion("go").await.unwrap_err();
    assert!(
        matches!(&error, RunError::Stopped(reason) if reason.contains("closed")),
        "{error}"
    );
}

/// A model that calls a tool again and again, whatever it is told.
fn obsessed(calls_per_turn: usize) -> ScriptedModel {
    answering(move |_, asked| {
        let calls = (0..calls_per_turn)
            .map(|at| ToolCall::new(format!("c{asked}_{at}"), "work", json!({"ms": 1, "value": asked})));
        let usage = Usage::new(100, 50, 10);
        let end = TurnEnd::new(StopReason::ToolCalls).with_usage(usage);
        ModelStream::from_events(calls.map(ModelEvent::ToolCall).chain([ModelEvent::Done(end)]))
    })
}

#[tokio::test(start_paused = true)]
async fn a_model_that_calls_for_ever_comes_to_the_limit_of_its_run() {
    let cases = [
        (RunLimits::NONE.with_turns(3), RunLimit::Turns(3), 3),
        (RunLimits::NONE.with_tool_calls(6), RunLimit::ToolCalls(6), 3),
        (RunLimits::NONE.with_tokens(300), RunLimit::Tokens(300), 3),
        (RunLimits::default(), RunLimit::Turns(100), 100),
    ];
    for (limits, expected, turns) in cases {
        let mut stage = Stage::set(obsessed(2), [timed("work")], |agent| agent.limits(limits)).await;
        assert_eq!(stage.talk("go").await, Err(RunError::Limit(expected)));
        stage
            .until(|kind| matches!(kind, AgentEventKind::LimitReached { limit } if *limit == expected))
            .await;
        assert_eq!(stage.asked(), turns, "{expected}");
        // The next message begins a new run, with all that was left.
        assert_eq!(stage.talk("go on").await, Err(RunError::Limit(expected)));
        assert_eq!(stage.asked(), 2 * turns);
        let next = stage.request(turns + 1);
        assert_eq!(
            answers(&next),
            [json!(turns), json!(turns)],
            "the answers that the model had not seen"
        );
        assert_eq!(next.last_user_text(), Some("go on"));
        stage
            .until(|kind| matches!(kind, AgentEventKind::LimitReached { limit } if *limit == expected))
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn results_that_come_after_the_limit_wait_for_the_next_message() {
    let model = playing([|| work([60_000, 90_000])]);
    let stage = Stage::set(model, [timed("work")], |agent| {
        agent.limits(RunLimits::NONE.with_turns(2))
    })
    .await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Turns(2))));
    assert_eq!(stage.asked(), 2);
    assert!(
        stage
            .agent
            .tasks()
            .await
            .unwrap()
            .iter()
            .all(|task| task.status.is_terminal()),
        "tasks go on"
    );
    stage.talk("and?").await.unwrap();
    assert_eq!(delivered(&stage.request(3)), [["t1", "t2"]]);
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_are_answered_with_an_error_and_do_not_run() {
    let model = playing([|| work([1, 2, 3, 4])]);
    let limits = RunLimits::NONE.with_tool_calls(2);
    let stage = Stage::set(model, [timed("work")], |agent| agent.limits(limits)).await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::ToolCalls(2))));
    assert_eq!(stage.manager.stats().completed, 2);
    stage.talk("and?").await.unwrap();
    let answers = answers(&stage.request(2));
    assert_eq!(answers[..2], [json!(1), json!(2)]);
    for answer in &answers[2..] {
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("limit of 2 tool calls"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_at_its_limit_says_so() {
    let limits = RunLimits::NONE.with_turns(1);
    let stage = Stage::set(playing([|| work([1_000])]), [timed("work")], |agent| {
        agent.limits(limits)
    })
    .await;
    let error = stage.agent.run_to_completion("go").await.unwrap_err();
    assert_eq!(error, RunError::Limit(RunLimit::Turns(1)));
    assert_eq!(
        error.to_string(),
        "the limit of 1 model calls for one message was reached"
    );
    let summary = stage.agent.run_to_completion("and?").await.unwrap();
    stage.check();
    assert_eq!(summary.text, "waiting");
    assert_eq!(answers(&stage.request(2)), [json!(1_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_asks_no_model_and_does_not_hang() {
    let limits = RunLimits::NONE.with_turns(0);
    let stage = Stage::set(playing([]), [timed("work")], |agent| agent.limits(limits)).await;
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Turns(0))));
    assert_eq!(stage.talk("go").await, Err(RunError::Limit(RunLimit::Turns(0))));
    assert_eq!(stage.asked(), 0);
    stage.agent.close().await.unwrap();
    assert_eq!(stage.agent.send("hello?").await, Err(AgentError::Closed));
}

/// An agent whose model is silent in its first turns, and a clone of the model.
async fn mute(silent_turns: usize) -> (AsyncAgent, ScriptedModel) {
    let model = answering(move |_, asked| match asked <= silent_turns {
        true => ScriptedTurn::new().hangs(),
        false => ModelStream::text("waiting"),
    });
    let agent = AsyncAgent::builder(model.clone(), manager([timed("work")])).model_timeout(secs(30));
    (agent.start().await.unwrap(), model)
}

#[tokio::test(start_paused = true)]
async fn a_model_that_says_nothing_is_asked_again() {
    let (agent, model) = mute(2).await;
    let began = Instant::now();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(model.requests().len(), 3);
    // Two silences of 30 s, and pauses of at most 500 ms and 1 s before the retries.
    let took = began.elapsed();
    assert!((secs(60)..Duration::from_millis(61_500)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_says_nothing_ever_is_given_up_on() {
    let (agent, model) = mute(3).await;
    agent.send("go").await.unwrap();
    let error = agent.run_until_idle().await.unwrap_err();
    assert!(
        matches!(&error, RunError::Model(error) if error.to_string().contains("30")),
        "{error:?}"
    );
    assert_eq!(model.requests().len(), 3);
    agent.send("hello?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let request = model.requests().pop().unwrap();
    let users = request
        .messages
        .iter()
        .filter(|message| matches!(&***message, Message::User { .. }));
    assert_eq!(users.count(), 2, "both messages are answered");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_goes_on_speaking_may_take_as_long_as_it_likes() {
    let model = HeldModel::default();
    let first = model.turn();
    let manager = async_tool_runtime::AsyncToolManager::builder()
        .tool(timed("work"))
        .build()
        .unwrap();
    let agent = async_tool_runtime::AsyncAgent::builder(model.clone(), manager).model_timeout(secs(30));
    let agent = agent.start().await.unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    for _ in 0..20 {
        tokio::time::sleep(secs(29)).await;
        first.send(ModelEvent::Text("why, ".to_owned())).unwrap();
        until(&mut events, |kind| matches!(kind, AgentEventKind::Text { .. })).await;
    }
    first.send(ModelEvent::Done(TurnEnd::default())).unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_turn_that_fell_silent_are_stopped_and_dropped() {
    let model = HeldModel::default();
    let (first, second) = (model.turn(), model.turn());
    let look = timed("look")
        .effect(async_tool_runtime::Effect::Read)
        .background(Background::Always);
    let manager = async_tool_runtime::AsyncToolManager::builder()
        .tool(look)
        .build()
        .unwrap();
    let agent = async_tool_runtime::AsyncAgent::builder(model.clone(), manager).model_timeout(secs(30));
    let agent = agent.start().await.unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    let call = ToolCall::new("c1", "look", json!({"ms": 600_000}));
    first.send(ModelEvent::ToolCall(call)).unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Dropped { .. })).await;
    say(&second, "well");
    agent.run_until_idle().await.unwrap();
    assert_eq!(model.most(), 1, "the turn that said nothing is over");
    let request = model.requests().pop().unwrap();
    assert!(!text_of(&request).contains("look"), "nothing of the turn is kept");
}
