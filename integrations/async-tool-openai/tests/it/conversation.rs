//! Whole conversations: the agent, its manager, and the requests to the server.

use std::{sync::Arc, time::Duration};

use async_tool_openai::{OpenAiModel, OpenAiModelBuilder};
use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, Message, Model as _, SessionId, TaskNo,
    agent::{AgentEventStream, AsyncAgentBuilder},
    context::PrunePolicy,
    model::ModelRequest,
    testing::Gates,
    tool::DeliveryPolicy,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    server::{Reply, Server, events as streamed, gate, reasoning, said, task},
    wire::builder,
};

/// An agent with the tool `gate`, whose calls are acknowledged at once.
struct World {
    server: Server,
    gates: Gates,
    agent: AsyncAgent,
    events: AgentEventStream,
}

impl World {
    async fn start(
        replies: impl IntoIterator<Item = Reply>,
        model: impl FnOnce(OpenAiModelBuilder) -> OpenAiModelBuilder,
    ) -> Self {
        Self::with(replies, model, |agent| agent).await
    }

    async fn with(
        replies: impl IntoIterator<Item = Reply>,
        model: impl FnOnce(OpenAiModelBuilder) -> OpenAiModelBuilder,
        agent: impl FnOnce(AsyncAgentBuilder) -> AsyncAgentBuilder,
    ) -> Self {
        let server = Server::start(replies).await;
        let gates = Gates::new();
        let manager = AsyncToolManager::builder().tool(gates.tool()).build().unwrap();
        let model = model(builder(&server)).build().unwrap();
        let builder = AsyncAgent::builder(model, manager)
            .grace(Duration::ZERO)
            .model_retries(2, Duration::from_millis(1));
        let agent = agent(builder).start().await.unwrap();
        let events = agent.events();
        Self {
            server,
            gates,
            agent,
            events,
        }
    }

    async fn say(&mut self, text: &str) {
        self.agent.send(text).await.unwrap();
        self.until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
            .await;
    }

    /// Ends a task, and waits until the model has replied to its result.
    async fn finish(&mut self, name: &str, value: Value) {
        self.gates.open(name, value);
        self.until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
            .await;
    }

    async fn until(&mut self, is_it: impl Fn(&AgentEventKind) -> bool) {
        let found = async {
            while let Some(event) = self.events.next().await {
                if let AgentEventKind::ModelFailed {
                    error, retry_at: None, ..
                } = &event.kind
                {
                    panic!("the model failed: {error}");
                }
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

    async fn acknowledged(&mut self, calls: usize) {
        for _ in 0..calls {
            self.until(|kind| matches!(kind, AgentEventKind::Acknowledged { .. }))
                .await;
        }
    }
}

#[tokio::test]
async fn calls_stay_open_while_the_user_talks_and_results_come_in_any_order() {
    for is_streamed in [true, false] {
        let turns = [
            vec![
                reasoning("rs_1"),
                said("On it."),
                gate("call_1", "a"),
                gate("call_2", "b"),
            ],
            vec![said("I am still at it.")],
            vec![reasoning("rs_2"), said("b is there.")],
            vec![said("Both are there.")],
        ];
        let replies = turns.iter().map(|items| Reply::turn(is_streamed, items));
        let mut world = World::start(replies, |model| model.stream(is_streamed)).await;
        world.say("go").await;
        world.acknowledged(2).await;
        world.say("and?").await;
        world.finish("b", json!("B")).await;
        world.finish("a", json!({"n": 1})).await;
        world.agent.run_until_idle().await.unwrap();

        let last = [
            "user: go",
            "reasoning",
            "assistant: On it.",
            "call call_1",
            "call call_2",
            "user: and?",
            "assistant: I am still at it.",
            r#"output call_2 "B""#,
            "reasoning",
            "assistant: b is there.",
            r#"output call_1 {"n":1}"#,
        ];
        let lengths = [1, 6, 8, 11];
        let inputs = world.server.inputs();
        assert_eq!(
            inputs,
            lengths.map(|length| last[..length].to_vec()),
            "each only adds to the one before"
        );
        // Items go back unchanged.
        let bodies = world.server.bodies();
        assert_eq!(bodies[3]["input"].as_array().unwrap()[1..5], turns[0][..]);
        assert_eq!(bodies[0]["tools"], bodies[3]["tools"]);
    }
}

#[tokio::test]
async fn a_cancelled_task_has_a_late_output_that_says_so() {
    let replies = [
        Reply::stream(&[gate("call_1", "a")]),
        Reply::stream(&[said("I am at it.")]),
        Reply::stream(&[said("Stopped.")]),
    ];
    let mut world = World::start(replies, |model| model).await;
    world.say("go").await;
    world.gates.arrived("a", 1).await;
    world.acknowledged(1).await;
    world.say("and?").await;
    world.agent.cancel(TaskNo::new(1), "not needed").await.unwrap();
    world
        .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
        .await;
    let last = world.server.inputs().pop().unwrap();
    assert_eq!(
        last[..4],
        ["user: go", "call call_1", "user: and?", "assistant: I am at it."]
    );
    let [output] = &last[4..] else { panic!("{last:#?}") };
    assert!(
        output.starts_with(r#"output call_1 {"cancelled":"not needed","note":"#),
        "{output}"
    );
}

#[tokio::test]
async fn a_wait_is_answered_behind_the_results_that_it_waited_for() {
    let replies = [
        Reply::stream(&[gate("call_1", "a"), gate("call_2", "b")]),
        Reply::stream(&[task("call_3", &json!({"action": "wait", "mode": "any", "seconds": 20}))]),
        Reply::stream(&[said("a is there.")]),
        Reply::stream(&[said("b is there.")]),
    ];
    let mut world = World::start(replies, |model| model).await;
    world.say("go").await;
    world.acknowledged(2).await;
    world.say("wait for one of them").await;
    world.finish("a", json!("A")).await;
    world.finish("b", json!("B")).await;
    let inputs = world.server.inputs();
    assert_eq!(
        inputs[2][..6],
        [
            "user: go",
            "call call_1",
            "call call_2",
            "user: wait for one of them",
            "call call_3",
            r#"output call_1 "A""#
        ]
    );
    let [status] = &inputs[2][6..] else {
        panic!("{:#?}", inputs[2])
    };
    assert!(status.starts_with(r#"output call_3 {"tasks":["#), "{status}");
    assert!(
        status.contains("its result is the output of its own call") && !status.contains(r#""A""#),
        "{status}"
    );
    assert_eq!(inputs[3].last().unwrap(), r#"output call_2 "B""#);
}

#[tokio::test]
async fn calls_beyond_the_cap_are_acknowledged_at_once_and_told_in_a_message() {
    let replies = [
        Reply::stream(&[gate("call_1", "a"), gate("call_2", "b")]),
        Reply::stream(&[said("I am at it.")]),
        Reply::stream(&[said("b is there.")]),
        Reply::stream(&[said("a is there.")]),
    ];
    let mut world = World::start(replies, |model| model.max_open_calls(1)).await;
    world.say("go").await;
    world.acknowledged(2).await;
    world.say("and?").await;
    world.finish("b", json!("B")).await;
    world.finish("a", json!("A")).await;
    let inputs = world.server.inputs();
    assert_eq!(
        inputs[1],
        ["user: go", "call call_1", "call call_2", "ack call_2", "user: and?"]
    );
    let told = inputs[2].last().unwrap();
    assert!(
        told.starts_with("user: ") && told.contains("<tool_results_") && told.contains(r#""result":"B""#),
        "{told}"
    );
    assert_eq!(inputs[3].last().unwrap(), r#"output call_1 "A""#);
}

#[tokio::test]
async fn a_call_is_open_no_longer_than_it_may_be() {
    let replies = [
        Reply::stream(&[gate("call_1", "a")]),
        Reply::stream(&[said("I am at it.")]),
        Reply::stream(&[said("a is there.")]),
    ];
    let mut world = World::start(replies, |model| model.open_call_ttl(Duration::from_millis(20))).await;
    world.say("go").await;
    world.acknowledged(1).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    world.say("and?").await;
    world.finish("a", json!("A")).await;
    let inputs = world.server.inputs();
    assert_eq!(inputs[1], ["user: go", "call call_1", "ack call_1", "user: and?"]);
    assert_eq!(inputs[2][..4], inputs[1][..]);
    assert!(
        inputs[2].last().unwrap().contains(r#""result":"A""#),
        "{:#?}",
        inputs[2]
    );
}

#[tokio::test]
async fn a_model_without_native_calls_is_answered_at_once_and_told_in_a_message() {
    for is_streamed in [true, false] {
        let mut call = gate("call_1", "a");
        call.as_object_mut().unwrap().remove("async");
        let turns = [vec![call], vec![said("I am at it.")], vec![said("a is there.")]];
        let replies = turns.iter().map(|items| Reply::turn(is_streamed, items));
        let mut world = World::start(replies, |model| model.stream(is_streamed).native_async(false)).await;
        world.say("go").await;
        // An acknowledgement is new to such a model, so the agent asks it again.
        world
            .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
            .await;
        world.finish("a", json!("A")).await;
        let inputs = world.server.inputs();
        assert_eq!(inputs[1], ["user: go", "call call_1", "ack call_1"]);
        assert_eq!(
            inputs[2][..4],
            ["user: go", "call call_1", "ack call_1", "assistant: I am at it."]
        );
        let told = &inputs[2][4];
        assert!(told.starts_with("user: ") && told.contains("<tool_results_"), "{told}");
        assert_eq!(inputs[2].len(), 5);
    }
}

#[tokio::test]
async fn what_is_told_of_a_call_that_was_pruned_is_a_message() {
    let long = "word ".repeat(600);
    let mut replies = vec![Reply::stream(&[gate("call_1", "a")])];
    replies.extend((0..6).map(|_| Reply::stream(&[said("Yes.")])));
    let prune = PrunePolicy::new(3_000).with_keep_recent(1);
    let mut world = World::with(replies, |model| model, |agent| agent.prune(prune)).await;
    world.say("go").await;
    world.acknowledged(1).await;
    for _ in 0..5 {
        world.say(&long).await;
    }
    world.finish("a", json!("A")).await;
    let inputs = world.server.inputs();
    let last = inputs.last().unwrap();
    assert!(
        !last
            .iter()
            .any(|item| item.contains("call_1") && !item.starts_with("user:")),
        "{last:#?}"
    );
    assert!(
        last.iter().any(|item| item.contains("t1 gate")),
        "what runs is not forgotten: {last:#?}"
    );
    assert!(last.last().unwrap().contains(r#""result":"A""#), "{last:#?}");
}

#[tokio::test]
async fn a_turn_that_is_broken_off_for_a_result_keeps_what_it_had_said() {
    let never = Arc::new(Semaphore::new(0));
    let replies = [
        Reply::stream(&[gate("call_1", "a")]),
        Reply::held(&[gate("call_2", "b"), said("I was about")], &never),
        Reply::stream(&[said("Stop the press.")]),
    ];
    let mut world = World::start(replies, |model| model).await;
    world.say("go").await;
    world.acknowledged(1).await;
    world
        .agent
        .set_delivery(TaskNo::new(1), DeliveryPolicy::Interrupt)
        .await
        .unwrap();
    world.agent.send("talk").await.unwrap();
    world
        .until(|kind| matches!(kind, AgentEventKind::Text { text, .. } if text.contains("about")))
        .await;
    world.gates.open("a", json!("A"));
    world
        .until(|kind| matches!(kind, AgentEventKind::TurnInterrupted { .. }))
        .await;
    world
        .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
        .await;
    let last = world.server.inputs().pop().unwrap();
    let kept = [
        "user: go",
        "call call_1",
        "user: talk",
        "assistant: I was about",
        "call call_2",
        r#"output call_1 "A""#,
    ];
    assert_eq!(last[..6], kept, "call_2 stays open");
    let [note] = &last[6..] else { panic!("{last:#?}") };
    assert!(
        note.contains("not by the user. Your last turn was broken off for this."),
        "{note}"
    );
}

#[tokio::test]
async fn a_process_that_is_started_again_shows_the_model_the_same() {
    let turns = [
        vec![reasoning("rs_1"), gate("call_1", "a"), gate("call_2", "b")],
        vec![said("I am at it.")],
        vec![said("b is there.")],
    ];
    let mut world = World::start(turns.iter().map(|items| Reply::stream(items)), |model| model).await;
    world.say("go").await;
    world.acknowledged(2).await;
    world.say("and?").await;
    world.finish("b", json!("B")).await;
    let before = world.server.bodies().pop().unwrap();

    // The conversation is stored, and read by a process without any other state.
    let written = serde_json::to_string(
        &world
            .agent
            .transcript()
            .await
            .unwrap()
            .iter()
            .map(|message| &**message)
            .collect::<Vec<_>>(),
    )
    .unwrap();
    let mut messages: Vec<Arc<Message>> = serde_json::from_str(&written).unwrap();
    let server = Server::start([Reply::stream(&[said("ok")]), Reply::stream(&[said("ok")])]).await;
    let model = builder(&server).build().unwrap();
    let ask = |messages: Vec<Arc<Message>>, model: OpenAiModel| async move {
        let mut stream = model.generate(ModelRequest::new(SessionId::new("s"), messages, Vec::new().into()));
        while let Some(event) = stream.next().await {
            event.unwrap();
        }
    };
    ask(messages.clone(), model.clone()).await;
    messages.pop();
    ask(messages, model).await;
    let bodies = server.bodies();
    assert_eq!(bodies[1]["input"], before["input"]);
    let outputs = bodies[0]["input"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["type"] == "function_call_output");
    assert_eq!(outputs.count(), 1, "call_1 is still open");
}

#[tokio::test]
async fn a_stream_that_broke_off_is_asked_for_again_and_its_calls_run_once() {
    let items = [gate("call_1", "a")];
    let replies = [
        Reply::raw(streamed(&items)),
        Reply::new("429 Too Many Requests", r#"{"error": {"message": "slow down"}}"#).header("retry-after-ms", "5"),
        Reply::stream(&items),
        Reply::stream(&[said("a is there.")]),
    ];
    let mut world = World::start(replies, |model| model).await;
    world.say("go").await;
    world.acknowledged(1).await;
    world.gates.arrived("a", 1).await;
    world.finish("a", json!("A")).await;
    let inputs = world.server.inputs();
    assert_eq!(inputs.len(), 4);
    assert!(inputs[..3].iter().all(|input| *input == ["user: go"]), "{inputs:#?}");
    let last: Vec<_> = inputs[3].iter().map(String::as_str).collect();
    assert_eq!(last, ["user: go", "call call_1", r#"output call_1 "A""#]);
}

#[tokio::test]
async fn arguments_that_do_not_fit_run_nothing_and_are_answered_with_an_error() {
    let mut call = gate("call_1", "a");
    call["arguments"] = json!("{\"name\": ");
    let replies = [Reply::stream(&[call]), Reply::stream(&[said("Sorry.")])];
    let mut world = World::start(replies, |model| model).await;
    world.say("go").await;
    world
        .until(|kind| matches!(kind, AgentEventKind::TurnEnded { .. }))
        .await;
    let answer = world.server.inputs()[1].last().unwrap().clone();
    assert!(
        answer.starts_with(r#"output call_1 {"error":{"kind":"invalid_arguments""#),
        "{answer}"
    );
}
