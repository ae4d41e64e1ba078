//! Models that fail in the middle of a turn.

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, ToolCall,
    agent::RunError,
    model::{ModelError, ModelEvent, ModelStream, TurnEnd},
    testing::{Gates, ScriptedModel},
};
use serde_json::json;

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
        .start()
        .await
        .unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    let call = ToolCall::new("call_a", "gate", json!({"name": "a"}));
    first.send(ModelEvent::ToolCall(call)).unwrap();
    first.send(ModelEvent::Done(TurnEnd::default())).unwrap();
    until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged(_))).await;
    gates.open("a", json!("precious"));
    until(&mut events, |kind| matches!(kind, AgentEventKind::Settled(..))).await;
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
