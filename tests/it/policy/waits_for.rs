//! The cause of a task's wait: in its snapshot, in events, in the answers of the `task` tool, and at the agent.

use std::time::Duration;

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, FunctionTool, TaskEvent, TaskHandle, TaskStatus, ToolCall,
    ToolContext, ToolError,
    backend::Heartbeat,
    model::ModelStream,
    policy::{Approval, RateLimit, RetryPolicy},
    task::{Timestamp, WaitsFor},
    testing::ScriptedModel,
    tool::Effect,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::stand::{
    StubBackend, answers, idle, manager, quick, secs, start, start_with, tool, tool_of, unavailable, until, with_slots,
};

fn never() -> FunctionTool {
    tool("never", |_| std::future::pending())
}

fn waits(task: &TaskHandle) -> Option<WaitsFor> {
    task.snapshot().waits_for
}

fn later(task: &TaskHandle, by: Duration) -> Timestamp {
    task.snapshot().accepted.after(by)
}

#[tokio::test(start_paused = true)]
async fn a_slot() {
    let manager = with_slots(1, [never()]);
    let (first, second) = (start(&manager, "never"), start(&manager, "never"));
    assert_eq!((waits(&first), waits(&second)), (None, Some(WaitsFor::Slot)));
    first.abort("enough");
    idle().await;
    assert_eq!(waits(&second), None);
    second.abort("enough");
    assert_eq!(waits(&second), None);
}

#[tokio::test(start_paused = true)]
async fn a_rate_until_each_call_is_due() {
    let slow = never().rate(RateLimit::new(2, secs(10)));
    let manager = manager([slow]);
    let tasks: Vec<_> = (0..7).map(|_| start(&manager, "never")).collect();
    idle().await;
    let due: Vec<_> = tasks.iter().map(waits).collect();
    let at = |by: u64| {
        Some(WaitsFor::Rate {
            until: later(&tasks[0], secs(by)),
        })
    };
    assert_eq!(due, [None, None, at(10), at(10), at(20), at(20), at(30)]);
    tokio::time::sleep(secs(15)).await;
    let due: Vec<_> = tasks.iter().map(waits).collect();
    assert_eq!(due, [None, None, None, None, at(20), at(20), at(30)]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_at_its_time() {
    let fails = tool("fails", |_| async {
        Err::<Value, _>(unavailable().with_retry_after(secs(60)))
    });
    let manager = manager([fails.effect(Effect::Read).retry(RetryPolicy::new(2))]);
    let task = start(&manager, "fails");
    idle().await;
    assert_eq!(
        waits(&task),
        Some(WaitsFor::Retry {
            at: later(&task, secs(60))
        })
    );
    task.outcome().await;
    assert_eq!(waits(&task), None);
}

#[tokio::test(start_paused = true)]
async fn a_resource_of_another_task() {
    /// Name of a file.
    #[derive(Deserialize, JsonSchema)]
    struct File {
        path: String,
    }
    let keeps = FunctionTool::new("keeps", "Keeps a file.", |file: File, _: ToolContext| async move {
        std::future::pending::<()>().await;
        Ok::<_, ToolError>(file.path)
    });
    let manager = manager([keeps.writes("path")]);
    let first = start_with(&manager, "keeps", json!({"path": "a"}));
    let second = start_with(&manager, "keeps", json!({"path": "a"}));
    idle().await;
    let Some(WaitsFor::Resource { held_by }) = waits(&second) else {
        panic!("{:?}", second.snapshot())
    };
    assert_eq!((held_by[0].task, &*held_by[0].tool), (first.id(), "keeps"));
    assert_eq!(waits(&first), None);
}

#[tokio::test(start_paused = true)]
async fn the_results_of_child_tasks() {
    let above = tool_of("above", |_, cx| async move {
        let (one, two) = (
            cx.call_tool::<Value>("never", json!({})),
            cx.call_tool::<Value>("quick", json!({})),
        );
        tokio::join!(one, two).0
    });
    let manager = manager([never(), above, quick()]);
    let mut events = manager.events();
    let task = start(&manager, "above");
    idle().await;
    let Some(WaitsFor::Result { of }) = waits(&task) else {
        panic!("{:?}", task.snapshot())
    };
    let tools: Vec<&str> = of.iter().map(|task| &*task.tool).collect();
    assert_eq!(tools, ["never"], "the quick one has ended");
    let mut told = false;
    while !told {
        told = matches!(events.next().await, Some(TaskEvent::Waits(seen)) if seen.task == task.id() && seen.waits_for.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn people_and_the_outside() {
    let fire = tool("fire", |_| async { Ok(json!("fired")) }).approval(Approval::Always);
    let ask = tool_of("ask", |_, cx| async move { cx.request::<Value>("Which?").await });
    let order = tool_of(
        "order",
        |_, cx| async move { Ok(cx.defer_within::<Value>(secs(60)).await) },
    );
    let manager = manager([fire, ask, order]);
    let mut events = manager.events();
    let tasks = ["fire", "ask", "order"].map(|tool| start(&manager, tool));
    idle().await;
    let until = Some(later(&tasks[2], secs(60)));
    // A reader of the events learns it too.
    let told = async {
        loop {
            if let Some(TaskEvent::Waits(seen)) = events.next().await
                && seen.task == tasks[2].id()
            {
                break seen.waits_for;
            }
        }
    };
    let told = tokio::time::timeout(secs(1), told).await.expect("it is told");
    assert_eq!(told, Some(WaitsFor::Outside { until }));
    let expected = [WaitsFor::Consent, WaitsFor::Input, WaitsFor::Outside { until }];
    assert_eq!(tasks.each_ref().map(waits), expected.map(Some));
}

#[tokio::test(start_paused = true)]
async fn a_worker() {
    let backend = StubBackend::default();
    let builder = AsyncToolManager::builder().tool(never()).backend(backend.clone());
    let manager = builder.build().unwrap();
    let task = start(&manager, "never");
    idle().await;
    assert_eq!(waits(&task), Some(WaitsFor::Worker));
    backend.beat(&Heartbeat::new(1));
    assert_eq!((waits(&task), task.status()), (None, TaskStatus::Running));
}

#[tokio::test(start_paused = true)]
async fn the_changes_of_a_restless_task_are_bounded_in_rate_and_the_last_one_comes() {
    let above = tool_of("above", |_, cx| async move {
        for _ in 0..1_000 {
            cx.call_tool::<Value>("brief", json!({})).await?;
        }
        cx.call_tool::<Value>("never", json!({})).await
    });
    let brief = tool("brief", |_| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(json!(1))
    });
    let manager = manager([never(), above, brief]);
    let mut events = manager.events();
    let task = start(&manager, "above");
    let mut count = 0;
    loop {
        match events.next().await.unwrap() {
            TaskEvent::Waits(seen) if seen.task == task.id() => {
                count += 1;
                if matches!(&seen.waits_for, Some(WaitsFor::Result { of }) if &*of[0].tool == "never") {
                    break;
                }
            }
            _ => {}
        }
    }
    assert!((5..=40).contains(&count), "{count} events in some seconds");
}

#[tokio::test(start_paused = true)]
async fn the_agent_the_model_and_the_events_say_it_too() {
    let above = tool_of("above", |_, cx| async move {
        cx.call_tool::<Value>("never", json!({})).await
    });
    let after = tool("after", |_| async { Ok(json!(1)) }).futures(true);
    let manager = with_slots(1, [never(), above, after]);
    let model = ScriptedModel::new()
        .turn(|_| {
            ModelStream::calls([
                ToolCall::new("c1", "above", json!({})),
                ToolCall::new("c2", "never", json!({})),
                ToolCall::new("c3", "after", json!({"of": {"$task": "#1"}})),
            ])
        })
        .turn(|_| ModelStream::calls([ToolCall::new("c4", "task", json!({"action": "check"}))]))
        .otherwise(|_| ModelStream::text("I see"));
    let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    let is_wait = |kind: &AgentEventKind| matches!(kind, AgentEventKind::Waits { number, waits_for: Some(WaitsFor::Result { .. }) } if number.as_u32() == 1);
    until(&mut events, is_wait).await;
    until(
        &mut events,
        |kind| matches!(kind, AgentEventKind::TurnEnded { text, .. } if text == "I see"),
    )
    .await;
    let report = &answers(&model.requests()[2])[0];
    let said: Vec<_> = report["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["waits_for"])
        .collect();
    assert_eq!(
        said,
        [
            &json!("the result of `never`"),
            &json!("a slot"),
            &json!("the result of t1")
        ]
    );
    let tasks = agent.tasks().await.unwrap();
    let kinds: Vec<_> = tasks.iter().map(|task| json!(task.waits_for)["kind"].clone()).collect();
    assert_eq!(kinds, ["result", "slot", "result"]);
}
