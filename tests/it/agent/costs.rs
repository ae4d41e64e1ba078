//! Number of model calls that the same work costs.

use std::time::Duration;

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, Message, ToolCall, ToolDefinition,
    model::{ModelRequest, ModelStream},
    testing::{Gates, ScriptedModel},
    tool::BoundCall,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{delivered, gate_calls, manager, said};

/// Time that the end of a turn waits for results. A later result is a late one.
const GRACE: Duration = Duration::from_millis(250);

/// A tool that sleeps for `ms` and returns `value` and `value` plus one.
fn tool() -> FunctionTool {
    let schema = json!({
        "type": "object",
        "properties": {"ms": {"type": "integer"}, "value": {"type": "integer"}},
        "required": ["ms"],
    });
    FunctionTool::from_parts(ToolDefinition::new("work", "Works.", schema), |arguments| {
        let millis = arguments["ms"].as_u64().unwrap_or_default();
        let value = arguments["value"].as_i64().unwrap_or_default();
        Ok(BoundCall::future(move |_| async move {
            sleep(Duration::from_millis(millis)).await;
            Ok(json!({"value": value + 1}))
        }))
    })
    .effect(Effect::Once)
    .futures(true)
}

fn call(number: usize, arguments: Value) -> ToolCall {
    ToolCall::new(format!("call_{number}"), "work", arguments)
}

/// A model that makes these calls in its first turn and only talks in all later ones.
fn caller(calls: Vec<ToolCall>, answers: usize) -> ScriptedModel {
    let first = ScriptedModel::new().turn(|_| ModelStream::calls(calls));
    (0..answers).fold(first, |model, _| model.text("noted"))
}

async fn agent(model: &ScriptedModel) -> AsyncAgent {
    let manager = AsyncToolManager::builder().tool(tool()).build().unwrap();
    AsyncAgent::builder(model.clone(), manager)
        .answer_repeats(false)
        .start()
        .await
        .unwrap()
}

fn last(model: &ScriptedModel) -> ModelRequest {
    model.requests().pop().unwrap()
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each result comes less than `WakePolicy::quiet` after the one before, and the last less than `WakePolicy::cap`
    /// after the first.
    #[test]
    fn all_completions_of_one_window_cost_one_model_call(gaps in prop::collection::vec(0_u64..20, 0..24)) {
        let mut at = 1_000;
        let mut ends = vec![at];
        for gap in gaps {
            at += gap;
            ends.push(at);
        }
        ends.retain(|end| *end < 1_250);
        let count = ends.len();
        let calls: Vec<_> = ends.into_iter().enumerate().map(|(number, ms)| call(number, json!({"ms": ms}))).collect();
        // One for the calls, one for the acknowledgements, one for all results.
        let model = caller(calls, 2);
        run(async {
            let agent = agent(&model).await;
            agent.send("go").await.unwrap();
            agent.run_until_idle().await.unwrap();
        });
        let delivered = delivered(&last(&model));
        prop_assert_eq!(delivered.len(), 1);
        prop_assert_eq!(delivered[0].len(), count);
        model.verify();
    }
}

#[tokio::test(start_paused = true)]
async fn completions_that_are_far_from_each_other_cost_a_model_call_each() {
    let calls = [1_000, 2_000, 3_000].map(|ms| call(ms, json!({"ms": ms}))).to_vec();
    let model = caller(calls, 4);
    let agent = agent(&model).await;
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(delivered(&last(&model)), [["t1"], ["t2"], ["t3"]]);
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn completions_within_the_grace_time_cost_no_model_call_of_their_own() {
    let ms = GRACE.as_millis() - 1;
    let calls = (0..20).map(|number| call(number, json!({"ms": ms}))).collect();
    let model = caller(calls, 1);
    let agent = agent(&model).await;
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    model.verify();
}

/// Three calls in one turn, each of which takes the result of the one before.
fn chain() -> Vec<ToolCall> {
    vec![
        call(1, json!({"ms": 1_000, "value": 0})),
        call(2, json!({"ms": 1_000, "value": {"$task": "#1", "pointer": "/value"}})),
        call(3, json!({"ms": 1_000, "value": {"$task": "#2", "pointer": "/value"}})),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_three_by_futures_is_one_turn_and_the_delivery() {
    let model = caller(chain(), 1);
    let agent = agent(&model).await;
    agent.run_to_completion("go").await.unwrap();
    model.verify();
    let Some(Message::Answers(answers)) = last(&model).messages.last().cloned().map(|message| (*message).clone())
    else {
        panic!("the results come last")
    };
    let values: Vec<Value> = answers
        .iter()
        .map(|answer| answer.to_model_json()["value"].clone())
        .collect();
    assert_eq!(values, [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_chain_by_futures_in_a_conversation_costs_the_acknowledgement_more() {
    let model = caller(chain(), 2);
    let agent = agent(&model).await;
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    assert_eq!(
        delivered(&last(&model)),
        [["t1", "t2", "t3"]],
        "the model is not told half a chain"
    );
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn the_same_chain_without_futures_is_a_turn_for_each_call_and_the_delivery() {
    let value_of_last = |request: &ModelRequest| match request.messages.last().map(|message| &**message) {
        Some(Message::Answers(answers)) => answers[0].to_model_json()["value"].clone(),
        other => panic!("the result comes last, and not {other:?}"),
    };
    let model = (1..=3)
        .fold(ScriptedModel::new(), |model, number| {
            model.turn(move |request| {
                let value = match number {
                    1 => json!(0),
                    _ => value_of_last(request),
                };
                ModelStream::calls([call(number, json!({"ms": 1_000, "value": value}))])
            })
        })
        .turn(move |request| {
            assert_eq!(value_of_last(request), 3);
            ModelStream::text("three")
        });
    let agent = agent(&model).await;
    agent.run_to_completion("go").await.unwrap();
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_not_asked_again_for_some_of_its_results() {
    let calls = vec![call(1, json!({"ms": 10})), call(2, json!({"ms": 5_000}))];
    let model = caller(calls, 1);
    let agent = agent(&model).await;
    agent.run_to_completion("go").await.unwrap();
    model.verify();
    let Some(Message::Answers(answers)) = last(&model).messages.last().cloned().map(|message| (*message).clone())
    else {
        panic!("both results are in their places")
    };
    assert!(
        answers.iter().all(|answer| answer.to_model_json()["value"] == 1),
        "{answers:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_has_some_of_its_results_still_listens_to_the_user() {
    let calls = vec![call(1, json!({"ms": 10})), call(2, json!({"ms": 5_000}))];
    let model = caller(calls, 2);
    let agent = agent(&model).await;
    let batch = agent.clone();
    let batch = tokio::spawn(async move { batch.run_to_completion("go").await });
    sleep(Duration::from_millis(1_000)).await;
    assert_eq!(
        model.requests().len(),
        1,
        "one result is in, and the model is not asked"
    );
    agent.send("how far are you?").await.unwrap();
    batch.await.unwrap().unwrap();
    assert_eq!(delivered(&last(&model)), [["t2"]]);
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn five_results_that_come_close_together_cost_one_model_call() {
    let gates = Gates::new();
    let names = ["a", "b", "c", "d", "e"];
    let model = ScriptedModel::new()
        .turn(move |_| gate_calls(&names))
        .text("waiting")
        .text("all five are in");
    let agent = AsyncAgent::builder(model.clone(), manager([gates.tool()]))
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    said(&mut events, "waiting").await;
    for name in names {
        gates.open(name, json!(name));
        // A little apart, as real results are: the agent waits until no more come.
        tokio::time::advance(Duration::from_millis(5)).await;
    }
    agent.run_until_idle().await.unwrap();
    assert_eq!(model.requests().len(), 3);
    assert_eq!(delivered(&model.requests()[2])[0].len(), 5);
    model.verify();
}
