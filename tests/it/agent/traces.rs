//! Spans of agents in the host's traces.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, ToolCall, ToolContext, ToolError,
    journal::{Entry, MemoryJournal},
    manager::TracePropagator,
    model::{self, ModelError, ModelEvent, ModelStream, TurnEnd, Usage},
    testing::ScriptedModel,
};
use metrics_util::debugging::DebuggingRecorder;
use serde_json::{Value, json};

use crate::stand::{NotedTraces, Notes, numbers_of, secs};

/// A tool that takes a second, and is acknowledged at once.
fn slow() -> FunctionTool {
    FunctionTool::new("slow", "Takes its time.", |_: Value, _: ToolContext| async {
        tokio::time::sleep(secs(1)).await;
        Ok::<_, ToolError>("honey")
    })
    .effect(Effect::Read)
    .grace(Duration::ZERO)
}

fn caller() -> ScriptedModel {
    ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("c1", "slow", json!({}))]))
        .otherwise(|_| ModelStream::text("so be it"))
}

async fn play(propagator: impl TracePropagator) -> (Vec<String>, Vec<Entry>) {
    let manager = AsyncToolManager::builder()
        .tool(slow())
        .propagator(propagator)
        .build()
        .unwrap();
    let journal = Arc::new(MemoryJournal::new());
    let agent = AsyncAgent::builder(caller(), manager)
        .journal(journal.clone())
        .session("s")
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    (Notes::taken(), journal.entries(agent.session()))
}

/// Beginnings of spans, and what the propagator was asked, without fields.
fn outline(notes: &[String]) -> Vec<&str> {
    let kept = notes.iter().filter_map(|note| match note.split_once(": begins") {
        Some((path, _)) => Some(path),
        None if note.starts_with("continues") || note == "}" || note.contains("is linked with") => Some(note),
        None => None,
    });
    kept.collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_its_turns_their_calls_and_the_turn_that_is_told_a_late_result_are_one_trace() {
    let _listening = Notes::listen();
    let (notes, _) = play(NotedTraces::start()).await;
    assert_eq!(
        outline(&notes),
        [
            "user_message",
            "continues user_message 1 {",
            "invoke_agent",
            "}",
            "invoke_agent > chat",
            // No child in `tracing`, so that the span of the turn ends with the turn.
            "continues chat 1 {",
            "execute_tool",
            "}",
            // Told of the acknowledgement, in the same invocation.
            "invoke_agent > chat",
            "continues user_message 1 {",
            "invoke_agent",
            "}",
            "invoke_agent > deliver_results",
            "deliver_results is linked with execute_tool 1",
            "invoke_agent > chat",
            "chat is linked with execute_tool 1",
        ],
        "{notes:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_propagator_calls_are_inside_of_the_span_of_their_turn() {
    let _listening = Notes::listen();
    let manager = AsyncToolManager::builder().tool(slow()).build().unwrap();
    let agent = AsyncAgent::builder(caller(), manager)
        .session("s")
        .start()
        .await
        .unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    agent.close().await.unwrap();
    let notes = Notes::taken();
    assert_eq!(
        outline(&notes),
        [
            "invoke_agent",
            "invoke_agent > chat",
            "invoke_agent > chat > execute_tool",
            "invoke_agent > chat",
            "invoke_agent",
            "invoke_agent > chat",
        ],
        "{notes:#?}"
    );
}

/// A propagator with a bug at every call.
struct Broken;

impl TracePropagator for Broken {
    fn current(&self) -> Option<String> {
        panic!("no context")
    }

    fn continued(&self, _: &str, _: &mut dyn FnMut()) {
        panic!("no context")
    }

    fn link(&self, _: &str) {
        panic!("no context")
    }
}

/// A propagator that knows every context, and never calls what it should.
struct Silent;

impl TracePropagator for Silent {
    fn current(&self) -> Option<String> {
        Some("context".to_owned())
    }

    fn continued(&self, _: &str, _: &mut dyn FnMut()) {}

    fn link(&self, _: &str) {
        panic!("no context")
    }
}

#[tokio::test(start_paused = true)]
async fn a_propagator_that_panics_or_forgets_its_duty_costs_only_the_trace() {
    let _listening = Notes::listen();
    let told = |entries: &[Entry]| {
        let told = entries.iter().filter(|entry| matches!(entry, Entry::Delivered { .. }));
        told.count()
    };
    let (_, entries) = play(Broken).await;
    assert_eq!(told(&entries), 1);
    let (_, entries) = play(Silent).await;
    assert_eq!(told(&entries), 1);
}

#[tokio::test(start_paused = true)]
async fn the_metrics_of_turns_have_the_names_of_the_conventions() {
    let recorder = DebuggingRecorder::new();
    let _local = metrics::set_default_local_recorder(&recorder);
    let turns = AtomicUsize::new(0);
    let model = model::from_fn(move |_| {
        let turn = turns.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(secs(2)).await;
            let usage = Usage::new(1_200, 1_000, 30).with_reasoning(20);
            match turn {
                0 => Err(ModelError::transient("busy")),
                _ => Ok(ModelStream::from_events([
                    ModelEvent::Text("hello".to_owned()),
                    ModelEvent::Done(TurnEnd::default().with_usage(usage)),
                ])),
            }
        }
    });
    let manager = AsyncToolManager::builder().build().unwrap();
    let agent = AsyncAgent::builder(model.with_name("openai", "gpt-5.2"), manager)
        .start()
        .await
        .unwrap();
    agent.run_to_completion("go").await.unwrap();
    agent.close().await.unwrap();

    let find = numbers_of(&recorder.snapshotter());
    let labels = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-5.2"),
    ];
    let failed = [&labels[..], &[("error.type", "transient")]].concat();
    assert_eq!(find("gen_ai.client.operation.duration", &failed), 2.0);
    for (name, expected) in [
        ("input_tokens", 1_200.0),
        ("cache_read.input_tokens", 1_000.0),
        ("output_tokens", 30.0),
        ("reasoning.output_tokens", 20.0),
    ] {
        assert_eq!(
            find(&format!("gen_ai.client.inference.usage.{name}"), &labels),
            expected,
            "{name}"
        );
    }
    let invoked = find(
        "gen_ai.invoke_agent.duration",
        &[("gen_ai.operation.name", "invoke_agent")],
    );
    assert_eq!(invoked, 4.0, "without the pause between the two turns");
}
