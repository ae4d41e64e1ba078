//! Agents of rig's as agents of ours.

use std::{sync::Arc, time::Duration};

use async_tool_rig::RigAgent;
use async_tool_runtime::{AsyncAgent, journal::MemoryJournal};
use rig_agent::{Agent, AgentBuilder};
use rig_core::{
    message::ToolName,
    tool::{DynamicTool, ToolOutput},
};
use serde_json::{Value, json};

use crate::{
    server::{Server, calls, error, text},
    tools::{gate, manager},
};

fn rig(server: &Server) -> Agent {
    AgentBuilder::new(server.chat()).preamble("Be brief.").build()
}

fn roles(request: &Value) -> Vec<&str> {
    let messages = request["messages"].as_array().unwrap().iter();
    messages.map(|message| message["role"].as_str().unwrap()).collect()
}

/// The words of the model's error.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn a_slow_call_is_acknowledged_at_once_and_its_result_starts_a_turn_once() {
    for is_streamed in [true, false] {
        let city = format!("Bonn {is_streamed}");
        let arguments: &'static str = format!(r#"{{"city":"{city}"}}"#).leak();
        let server = Server::start([
            calls([("id_a", "get_weather", arguments)]),
            text("It takes a while."),
            text("It rains."),
        ])
        .await;
        let agent = RigAgent::new(rig(&server)).stream(is_streamed);
        let agent = AsyncAgent::wrap(agent, manager()).start().await.unwrap();
        agent.send("How is the weather?").await.unwrap();
        server.has_asked(2).await;
        assert!(server.asked()[1].contains("It is running in the background"));
        gate(&city).notify_one();
        agent.run_until_idle().await.unwrap();
        let transcript = format!("{:?}", agent.transcript().await.unwrap());
        agent.close().await.unwrap();

        let asked = server.bodies();
        assert_eq!(asked.len(), 3);
        assert_eq!(
            roles(&asked[2]),
            ["system", "user", "assistant", "tool", "assistant", "user"]
        );
        assert_eq!(server.asked()[2].matches(&format!("rain in {city}")).count(), 1);
        assert!(
            transcript.contains("It takes a while.") && transcript.contains("It rains."),
            "{transcript}"
        );
    }
}

#[tokio::test]
async fn a_turn_that_failed_leaves_nothing_and_is_made_again() {
    let server = Server::start([
        calls([("id_a", "add", r#"{"a":2,"b":3}"#)]),
        error(503, &json!({"error": {"message": "busy"}})),
        calls([("id_b", "add", r#"{"a":2,"b":3}"#)]),
        text("It takes a while."),
        text("Five."),
    ])
    .await;
    let agent = AsyncAgent::wrap(RigAgent::new(rig(&server)), manager())
        .model_retries(1, Duration::ZERO)
        .start()
        .await
        .unwrap();
    let summary = agent.run_to_completion("2 + 3?").await.unwrap();
    agent.close().await.unwrap();
    let asked = server.bodies();
    assert_eq!(roles(&asked[2]), ["system", "user"], "the second try begins anew");
    assert_eq!(asked.len(), 5);
    assert!(summary.text.ends_with("Five."), "{}", summary.text);
    assert_eq!(summary.totals.usage.input, 300, "of the completed turns");
}

#[tokio::test]
async fn tools_of_rig_s_own_run_inside_of_the_turn() {
    let server = Server::start([calls([("id_a", "clock", "{}")]), text("Noon.")]).await;
    let clock = DynamicTool::new(
        ToolName::new("clock").unwrap(),
        "Tells the time.",
        json!({"type": "object"}),
        |_| Box::pin(async { Ok(ToolOutput::text("twelve")) }),
    );
    let rig = AgentBuilder::new(server.chat())
        .dynamic_tool(clock)
        .default_max_turns(3)
        .build();
    let agent = AsyncAgent::wrap(RigAgent::new(rig), manager()).start().await.unwrap();
    assert_eq!(agent.run_to_completion("What time is it?").await.unwrap().text, "Noon.");
    agent.close().await.unwrap();
    assert!(server.asked()[1].contains("twelve"));
}

#[tokio::test]
async fn a_tool_that_both_have_is_an_error_that_names_it() {
    let server = Server::start([text("hi")]).await;
    let add = DynamicTool::new(
        ToolName::new("add").unwrap(),
        "Adds.",
        json!({"type": "object"}),
        |_| Box::pin(async { Ok(ToolOutput::text("7")) }),
    );
    let rig = AgentBuilder::new(server.chat()).dynamic_tool(add).build();
    let agent = AsyncAgent::wrap(RigAgent::new(rig), manager()).start().await.unwrap();
    let failed = agent.run_to_completion("2 + 3?").await.unwrap_err();
    assert!(cause(&failed).contains("both have a tool `add`"), "{failed:?}");
    agent.close().await.unwrap();
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_agent_that_never_ends_is_an_error_that_names_the_limit() {
    let server = Server::start([calls([("id_a", "get_weather", r#"{"city":"Kyiv"}"#)])]).await;
    let agent = RigAgent::new(rig(&server)).model_calls(3);
    let agent = AsyncAgent::wrap(agent, manager()).start().await.unwrap();
    let failed = agent.run_to_completion("Weather?").await.unwrap_err();
    assert!(cause(&failed).contains("after 3 model calls"), "{failed:?}");
    agent.close().await.unwrap();
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_restarted_agent_remembers_the_conversation() {
    let journal = Arc::new(MemoryJournal::new());
    let server = Server::start([
        calls([("id_a", "get_weather", r#"{"city":"Graz"}"#)]),
        text("It takes a while."),
        text("It rains, as I said."),
    ])
    .await;
    let builder = || {
        AsyncAgent::wrap(RigAgent::new(rig(&server)), manager())
            .journal(Arc::clone(&journal))
            .session("s")
    };
    let agent = builder().start().await.unwrap();
    agent.send("How is the weather in Graz?").await.unwrap();
    while !format!("{:?}", agent.transcript().await.unwrap()).contains("It takes a while.") {
        tokio::task::yield_now().await;
    }
    agent.leave().await.unwrap();

    let agent = builder().resume().await.unwrap();
    gate("Graz").notify_one();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let asked = server.bodies();
    let last = asked.last().unwrap();
    assert_eq!(
        roles(last),
        ["system", "user", "assistant", "tool", "assistant", "user"]
    );
    assert!(
        last["messages"][3]
            .to_string()
            .contains("It is running in the background")
    );
    assert_eq!(server.asked().last().unwrap().matches("rain in Graz").count(), 1);
}

#[tokio::test]
async fn sessions_that_share_a_rig_agent_get_their_own_results() {
    let server = Server::start([
        calls([("id_a", "get_weather", r#"{"city":"Lima"}"#)]),
        text("Wait."),
        calls([("id_b", "get_weather", r#"{"city":"Quito"}"#)]),
        text("Wait."),
        text("Done."),
    ])
    .await;
    let rig = rig(&server);
    let manager = manager();
    let one = AsyncAgent::wrap(RigAgent::new(rig.clone()), manager.clone())
        .start()
        .await
        .unwrap();
    let two = AsyncAgent::wrap(RigAgent::new(rig), manager).start().await.unwrap();
    one.send("Lima?").await.unwrap();
    server.has_asked(2).await;
    two.send("Quito?").await.unwrap();
    server.has_asked(4).await;
    gate("Quito").notify_one();
    two.run_until_idle().await.unwrap();
    gate("Lima").notify_one();
    one.run_until_idle().await.unwrap();
    for (agent, own, other) in [
        (one, "rain in Lima", "rain in Quito"),
        (two, "rain in Quito", "rain in Lima"),
    ] {
        let transcript = format!("{:?}", agent.transcript().await.unwrap());
        assert!(transcript.contains(own) && !transcript.contains(other), "{transcript}");
        agent.close().await.unwrap();
    }
}
