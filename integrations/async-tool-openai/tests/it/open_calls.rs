//! Native calls whose items lack `async`, or share an id: none is left open where a strict server refuses it.

use std::time::Duration;

use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager, agent::AgentEventStream, testing::Gates};
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server, brief, gate, said},
    wire::builder,
};

/// Plays one turn whose tasks go on, then a message, then all results; returns the inputs of the requests.
async fn inputs(items: &[Value], results: &[&str]) -> Vec<Vec<Value>> {
    let gates = Gates::new();
    let mut replies = vec![Reply::stream(items), Reply::stream(&[said("I am at it.")])];
    replies.extend(results.iter().map(|_| Reply::stream(&[said("Well.")])));
    let server = Server::start(replies).await;
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let agent = AsyncAgent::builder(builder(&server).build().unwrap(), manager).grace(Duration::ZERO);
    let agent = agent.start().await.unwrap();
    let mut events = agent.events();
    let is_end = |kind: &AgentEventKind| matches!(kind, AgentEventKind::TurnEnded { .. });
    agent.send("go").await.unwrap();
    until(&mut events, is_end).await;
    agent.send("and?").await.unwrap();
    until(&mut events, is_end).await;
    for name in results {
        gates.open(name, json!(name));
        until(&mut events, is_end).await;
    }
    let bodies = server.bodies();
    bodies
        .iter()
        .map(|body| body["input"].as_array().unwrap().clone())
        .collect()
}

async fn until(events: &mut AgentEventStream, is_it: impl Fn(&AgentEventKind) -> bool) {
    let found = async {
        while let Some(event) = events.next().await {
            if is_it(&event.kind) {
                return;
            }
        }
        panic!("the agent is gone");
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .expect("it happens");
}

/// Every call without an output says that it is asynchronous.
fn check(input: &[Value]) {
    for item in input.iter().filter(|item| item["type"] == "function_call") {
        let is_answered = input
            .iter()
            .any(|other| other["type"] == "function_call_output" && other["call_id"] == item["call_id"]);
        assert!(is_answered || item["async"] == true, "{item} in {input:#?}");
    }
}

#[tokio::test]
async fn a_call_that_came_without_the_flag_is_marked_when_it_goes_back() {
    for flag in [
        None,
        Some(Value::Null),
        Some(json!("yes")),
        Some(json!(false)),
        Some(json!(true)),
    ] {
        let mut item = gate("c1", "a");
        item.as_object_mut().unwrap().remove("async");
        if let Some(flag) = &flag {
            item["async"] = flag.clone();
        }
        let inputs = inputs(&[item], &["a"]).await;
        inputs.iter().for_each(|input| check(input));
        for pair in inputs.windows(2) {
            assert_eq!(pair[1][..pair[0].len()], pair[0][..], "{flag:?}");
        }
        // A flag that came is not changed.
        if let Some(Value::Bool(flag)) = flag {
            assert!(inputs[1].iter().any(|item| item["async"] == flag), "{inputs:#?}");
        }
        let last: Vec<_> = inputs.last().unwrap().iter().map(brief).collect();
        let is_answered_late = last.contains(&r#"output c1 "a""#.to_owned());
        assert_eq!(is_answered_late, flag != Some(json!(false)), "{flag:?}: {last:#?}");
    }
}

#[tokio::test]
async fn calls_under_one_id_are_answered_at_once_because_late_outputs_would_be_mixed_up() {
    let mut second = gate("c1", "b");
    second["id"] = json!("fc_2");
    let inputs = inputs(&[gate("c1", "a"), second], &["b", "a"]).await;
    inputs.iter().for_each(|input| check(input));
    let brief: Vec<_> = inputs.last().unwrap().iter().map(brief).collect();
    assert_eq!(
        brief[..6],
        ["user: go", "call c1", "call c1", "ack c1", "ack c1", "user: and?"]
    );
    for name in ["a", "b"] {
        let told = brief
            .iter()
            .filter(|item| item.contains(&format!(r#""result":"{name}""#)));
        assert_eq!(told.count(), 1, "{brief:#?}");
    }
}

#[tokio::test]
async fn an_id_that_comes_again_while_its_call_is_open_ends_the_first_one() {
    let gates = Gates::new();
    let replies = [
        Reply::stream(&[gate("c1", "a")]),
        Reply::stream(&[gate("c1", "b")]),
        Reply::stream(&[said("Both are there.")]),
        Reply::stream(&[said("Both are there.")]),
    ];
    let server = Server::start(replies).await;
    let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
    let agent = AsyncAgent::builder(builder(&server).build().unwrap(), manager).grace(Duration::ZERO);
    let agent = agent.start().await.unwrap();
    let mut events = agent.events();
    for text in ["go", "again"] {
        agent.send(text).await.unwrap();
        until(&mut events, |kind| matches!(kind, AgentEventKind::Acknowledged { .. })).await;
    }
    for name in ["b", "a"] {
        gates.open(name, json!(name));
    }
    agent.run_until_idle().await.unwrap();
    let last = server.inputs().pop().unwrap();
    // The model had not been asked again, so the second call is answered with its result at once.
    let answered = [
        "user: go",
        "call c1",
        "ack c1",
        "user: again",
        "call c1",
        r#"output c1 "b""#,
    ];
    assert_eq!(last[..6], answered, "{last:#?}");
    let [told] = &last[6..] else { panic!("{last:#?}") };
    assert!(told.contains(r#""result":"a""#), "{told}");
}
