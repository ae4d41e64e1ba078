//! Models that fail in the middle of a turn.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, ToolCall,
    agent::RunError,
    model::{ModelError, ModelEvent, ModelRequest, ModelStream, TurnEnd},
    testing::{Gates, ScriptedModel},
};
use serde_json::json;
use tokio::time::Instant;

use crate::stand::{HeldModel, delivered, gate_calls, manager, said, say, until};

#[tokio::test(start_paused = true)]
async fn a_model_error_during_delivery_loses_no_result() {
    let gates = Gates::new();
    let model = ScriptedModel::new()
        .turn(|_| gate_calls(&["a"]))
        .text("waiting")
        .turn(|request| {
            assert_eq!(delivered(request), [["t1"]]);
            ModelStream::failed(ModelError::permanent("no credit"))
        })
        .turn(|request| {
            assert_eq!(delivered(request), [["t1"]], "once, and not again");
            ModelStream::text("there it is")
        });
    let agent = AsyncAgent::builder(model.clone(), manager([gates.tool()]))
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    said(&mut events, "waiting").await;
    gates.open("a", json!("precious"));
    let error = agent.run_until_idle().await.unwrap_err();
    assert_eq!(error, RunError::Model(ModelError::permanent("no credit")));
    agent.send("are you there?").await.unwrap();
    agent.run_until_idle().await.unwrap();
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn a_result_that_waits_while_a_turn_fails_is_not_lost() {
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
    gates.open("a", json!("precious"));
    until(&mut events, |kind| matches!(kind, AgentEventKind::Settled { .. })).await;
    // The stream breaks off, and is asked again: with the result.
    drop(second);
    say(&third, "there it is");
    agent.run_until_idle().await.unwrap();
    let requests = model.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(delivered(&requests[2]), [["t1"]]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_is_asked_again() {
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::from_events([ModelEvent::Text("half a".to_owned())]))
        .text("whole");
    let agent = AsyncAgent::builder(model.clone(), manager([Gates::new().tool()]))
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let transcript = agent.transcript().await.unwrap();
    assert_eq!(transcript.len(), 2, "nothing of the broken turn is kept");
    model.verify();
}

#[tokio::test(start_paused = true)]
async fn the_pause_before_a_retry_is_at_least_half_of_the_backoff_and_never_less_than_the_provider_asks_for() {
    let micros = Duration::from_micros;
    for (backoff, asked) in [
        (micros(1_000), Duration::ZERO),
        (micros(5_000), Duration::ZERO),
        (micros(700_000), Duration::ZERO),
        (micros(1_000), micros(2_500)),
    ] {
        for _ in 0..50 {
            let asked_at = Arc::<Mutex<Vec<Instant>>>::default();
            let turn = |stream: fn(Duration) -> ModelStream| {
                let asked_at = Arc::clone(&asked_at);
                move |_: &ModelRequest| {
                    asked_at.lock().unwrap().push(Instant::now());
                    stream(asked)
                }
            };
            let fail = |asked| ModelStream::failed(ModelError::transient("overloaded").with_retry_after(asked));
            let model = ScriptedModel::new().turn(turn(fail)).turn(turn(fail));
            let model = model.turn(turn(|_| ModelStream::text("here")));
            let agent = AsyncAgent::builder(model, manager([])).model_retries(2, backoff);
            let agent = agent.start().await.unwrap();
            agent.send("hello").await.unwrap();
            agent.run_until_idle().await.unwrap();
            let asked_at = asked_at.lock().unwrap();
            assert_eq!(asked_at.len(), 3);
            for (pair, half) in asked_at.windows(2).zip([backoff / 2, backoff]) {
                let pause = pair[1] - pair[0];
                assert!(pause >= half.max(asked), "{pause:?} of {backoff:?}, {asked:?}");
                assert!(
                    pause <= (half * 2).max(asked) + Duration::from_millis(2),
                    "{pause:?} of {backoff:?}"
                );
            }
        }
    }
}
