//! Agents whose calls would wait for themselves.

use std::sync::{Arc, OnceLock};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, TaskOutcome, ToolErrorKind,
    agent::CloseMode,
    journal::Entry,
    model::ModelStream,
    policy::{Dedupe, Scope},
    testing::{ScriptedModel, until},
    tool::Background,
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::stand::{Stage, answering, answers, calls, is_at_rest, playing, quick, secs, timed, tool_of};

/// A tool that shares its runs, calls itself for the next of `a`, `b`, `a`, and so on, and returns its failure as its own.
fn resolve() -> FunctionTool {
    let resolve = tool_of("resolve", |arguments, cx| async move {
        let next = if arguments["of"] == "a" { "b" } else { "a" };
        cx.call_tool::<Value>("resolve", json!({"of": next})).await
    });
    resolve.dedupe(Dedupe::Share).background(Background::Always)
}

/// As [`resolve`], but goes on for ever when its call was refused.
fn stubborn() -> FunctionTool {
    let stubborn = tool_of("stubborn", |arguments, cx| async move {
        let next = if arguments["of"] == "a" { "b" } else { "a" };
        let refused = cx.call_tool::<Value>("stubborn", json!({"of": next})).await;
        assert!(refused.is_err());
        std::future::pending().await
    });
    stubborn.dedupe(Dedupe::Share).background(Background::Always)
}

/// Outcome of each task in the journal, in order.
fn outcomes(stage: &Stage) -> Vec<TaskOutcome> {
    let entries = stage.entries().into_iter();
    entries
        .filter_map(|entry| match entry {
            Entry::Settled { result } => Some(result.outcome.clone()),
            _ => None,
        })
        .collect()
}

fn message(outcome: &TaskOutcome) -> &str {
    outcome.error().unwrap_or_else(|| panic!("{outcome:?}")).model_message()
}

#[tokio::test(start_paused = true)]
async fn a_model_is_told_at_once_of_the_circle_that_its_call_would_close() {
    let model = playing([|| calls([("resolve", json!({"of": "a"}))])]);
    let stage = Stage::set(model, [resolve(), quick()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    let outcomes = outcomes(&stage);
    let told = message(&outcomes[0]);
    assert!(
        told.contains("`resolve` would wait for itself: `resolve` (t1) → `resolve` (")
            && told.contains(" → `resolve` (t1);"),
        "{told}"
    );
    is_at_rest(&stage.manager, "after the refusal").await;
    stage.agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_close_nothing_is_open() {
    let modes = [CloseMode::Cancel, CloseMode::Drain { limit: secs(5) }];
    for mode in modes {
        let model = playing([|| calls([("stubborn", json!({"of": "a"})), ("stubborn", json!({"of": "b"}))])]);
        let stage = Stage::set(model, [stubborn(), quick()], |agent| agent).await;
        stage.agent.send("go").await.unwrap();
        sleep(secs(2)).await;
        assert!(stage.manager.stats().open >= 2);
        stage.agent.close_with(mode).await.unwrap();
        assert_eq!(
            (stage.manager.stats().open, stage.manager.stats().running),
            (0, 0),
            "{mode:?}"
        );
        stage.check();
        is_at_rest(&stage.manager, "after a close").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_the_tasks_that_an_ended_task_has_left() {
    // The first task has ended when the session is closed; the task below it takes its time to stop.
    let hasty = tool_of("hasty", |_, cx| async move {
        let below = cx.submit_tool("slow", json!({}))?;
        sleep(secs(1)).await;
        drop(below);
        Ok(json!("done"))
    });
    let slow = tool_of("slow", |_, cx| async move {
        cx.cancellation().cancelled().await;
        sleep(std::time::Duration::from_millis(500)).await;
        Ok(json!("stopped"))
    });
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        for leaves in [false, true] {
            let model = playing([|| calls([("hasty", json!({}))])]);
            let tools = [hasty.clone().dedupe(dedupe), slow.clone(), quick()];
            let stage = Stage::set(model, tools, |agent| agent).await;
            stage.talk("go").await.unwrap();
            assert_eq!(stage.manager.stats().open, 1, "{dedupe:?}");
            match leaves {
                true => stage.agent.leave().await.unwrap(),
                false => stage.agent.close().await.unwrap(),
            }
            assert_eq!(
                (stage.manager.stats().open, stage.manager.stats().running),
                (0, 0),
                "{dedupe:?}"
            );
            is_at_rest(&stage.manager, "after the end").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_task_tool_cancels_nothing_is_open() {
    let model = playing([
        || calls([("stubborn", json!({"of": "a"}))]),
        || ModelStream::text("at work"),
        || calls([("task", json!({"action": "cancel", "tasks": ["t1"]}))]),
    ]);
    let stage = Stage::set(model, [stubborn(), quick()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    sleep(secs(2)).await;
    assert!(stage.manager.stats().open >= 2);
    stage.talk("stop").await.unwrap();
    assert!(matches!(outcomes(&stage)[..], [TaskOutcome::Cancelled(_)]));
    is_at_rest(&stage.manager, "after a cancellation").await;
    stage.agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_and_a_future_that_name_each_other_are_refused_with_the_circle() {
    let chain = timed("chain").futures(true);
    type Turn = fn() -> ModelStream;
    let turns: [(Turn, &str); 5] = [
        (
            || {
                calls([
                    ("task", json!({"action": "wait", "tasks": ["#2"]})),
                    ("chain", json!({"value": {"$task": "#1"}})),
                ])
            },
            "there is no task t1 before this one: \
             it would wait for itself: `chain` (t2) → `task` (t1) → `chain` (t2)",
        ),
        (
            || {
                calls([
                    ("task", json!({"action": "wait"})),
                    ("chain", json!({"value": {"$task": "t1"}})),
                ])
            },
            "there is no task t1 before this one: it would wait for itself: `chain` (t2) → `task` (t1) → `chain` (t2)",
        ),
        (
            || {
                calls([
                    ("task", json!({"action": "wait", "tasks": ["#2"]})),
                    ("task", json!({"action": "group", "tasks": ["t3"]})),
                    ("chain", json!({"value": {"$task": "#1"}})),
                ])
            },
            "it would wait for itself: `chain` (t3) → `task` (t1) → `task` (t2) → `chain` (t3)",
        ),
        (
            || calls([("chain", json!({"value": {"$task": "#1"}}))]),
            "\"#1\" is no call of this turn that comes before this one: it would wait for itself: `chain` (t1) → `chain` (t1)",
        ),
        (
            || calls([("chain", json!({"value": {"$task": "t1"}}))]),
            "there is no task t1 before this one: it would wait for itself: `chain` (t1) → `chain` (t1)",
        ),
    ];
    for (turn, expected) in turns {
        let model = answering(move |_, asked| match asked {
            1 => turn(),
            _ => ModelStream::text("waiting"),
        });
        let stage = Stage::set(model, [chain.clone(), quick()], |agent| agent).await;
        let began = tokio::time::Instant::now();
        stage.talk("go").await.unwrap();
        assert!(began.elapsed() < secs(1), "it is refused at once");
        let outcomes = outcomes(&stage);
        let told = message(&outcomes[0]);
        assert!(
            told.starts_with("invalid arguments: at \"/value\": ") && told.ends_with(expected),
            "{told}"
        );
        is_at_rest(&stage.manager, "after a refusal").await;
        stage.agent.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn waits_and_groups_that_name_each_other_are_refused_with_the_circle() {
    type Turn = fn() -> ModelStream;
    let turns: [(Turn, &[&str]); 3] = [
        (
            || calls([("task", json!({"action": "wait", "tasks": ["#1"]}))]),
            &["t1 is a call of this tool, and no task: it would wait for itself: `task` (t1) → `task` (t1)"],
        ),
        (
            || {
                calls([
                    ("task", json!({"action": "group", "name": "one", "tasks": ["#2"]})),
                    ("task", json!({"action": "group", "name": "other", "tasks": ["#1"]})),
                ])
            },
            &[
                "t2 is a call of this tool, and no task: it would wait for itself: `task` (t1) → `task` (t2) → `task` (t1)",
                "t1 is a call of this tool, and no task: it would wait for itself: `task` (t2) → `task` (t1) → `task` (t2)",
            ],
        ),
        (
            || {
                calls([
                    ("task", json!({"action": "wait", "tasks": ["t2"]})),
                    ("task", json!({"action": "group", "tasks": ["#3"], "mode": "any"})),
                    ("task", json!({"action": "wait", "tasks": ["#1"], "mode": "any"})),
                ])
            },
            &[
                "`task` (t1) → `task` (t2) → `task` (t3) → `task` (t1)",
                "`task` (t2) → `task` (t3) → `task` (t1) → `task` (t2)",
                "`task` (t3) → `task` (t1) → `task` (t2) → `task` (t3)",
            ],
        ),
    ];
    for (turn, expected) in turns {
        let model = answering(move |_, asked| match asked {
            1 => turn(),
            _ => ModelStream::text("waiting"),
        });
        let stage = Stage::set(model, [timed("work"), quick()], |agent| agent).await;
        let began = tokio::time::Instant::now();
        stage.talk("go").await.unwrap();
        assert!(began.elapsed() < secs(1), "it is refused at once");
        let answers = answers(&stage.request(2));
        assert_eq!(answers.len(), expected.len());
        for (answer, expected) in answers.iter().zip(expected) {
            let told = answer["error"]["message"].as_str().unwrap();
            assert!(told.ends_with(expected), "{told}");
        }
        is_at_rest(&stage.manager, "after a refusal").await;
        stage.agent.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn groups_of_the_same_tasks_hold_up_nothing() {
    let model = playing([
        || calls([("work", json!({"ms": 2_000})), ("work", json!({"ms": 4_000}))]),
        || {
            calls([
                ("task", json!({"action": "group", "name": "one", "tasks": ["t1", "t2"]})),
                (
                    "task",
                    json!({"action": "group", "name": "other", "tasks": ["t2", "t1"]}),
                ),
            ])
        },
    ]);
    let work = timed("work").background(Background::Always);
    let stage = Stage::set(model, [work, quick()], |agent| agent).await;
    stage.talk("go").await.unwrap();
    assert_eq!(outcomes(&stage).len(), 2);
    is_at_rest(&stage.manager, "after two groups").await;
    stage.agent.close().await.unwrap();
}

/// A model that makes this call, and says in the end what came of it.
fn caller(tool: &'static str, arguments: Value) -> ScriptedModel {
    answering(move |_, asked| match asked {
        1 => calls([(tool, arguments.clone())]),
        _ => ModelStream::text("did without"),
    })
}

fn order() -> Value {
    json!({"message": "go"})
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_that_makes_the_call_it_works_for_is_refused() {
    // The clerk's model calls `next` with the same order.
    for next in ["clerk", "desk"] {
        let seen = Arc::new(OnceLock::new());
        let shown = Arc::clone(&seen);
        let model = answering(move |request, _| {
            let is_new = request.messages.len() == 1;
            match is_new {
                true => calls([(next, order())]),
                false => {
                    let _first = shown.set(format!("{:?}", request.messages));
                    ModelStream::text("did without")
                }
            }
        });
        let clerk = AsyncAgent::as_tool("clerk", "A clerk.", move |manager| {
            AsyncAgent::builder(model.clone(), manager).tools(["clerk", "desk"])
        });
        let desk = tool_of("desk", |arguments, cx| async move {
            cx.call_tool::<Value>("clerk", arguments).await
        });
        let clerk = clerk.dedupe(Dedupe::Share).scope(Scope::Shared);
        let stage = Stage::set(caller("clerk", order()), [clerk, desk, quick()], |agent| agent).await;
        stage.talk("go").await.unwrap();
        assert_eq!(
            outcomes(&stage)[0],
            TaskOutcome::Completed(json!("did without")),
            "{next}"
        );
        let seen = seen.get().expect("the clerk was told");
        let line = format!(") → `{next}` (");
        assert!(
            seen.contains("`clerk` would wait for itself: `clerk` (") && seen.contains(&line),
            "{next}: {seen}"
        );
        assert!(
            !seen.contains("` (t1)"),
            "another task has this number for the clerk: {seen}"
        );
        is_at_rest(&stage.manager, next).await;
        stage.agent.close().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_sub_agent_on_another_manager_that_comes_back_is_refused() {
    // clerk (here) → its agent there → boss (there) → its agent here → clerk (here)
    let here: Arc<OnceLock<AsyncToolManager>> = Arc::default();
    let back = Arc::clone(&here);
    let boss = AsyncAgent::as_tool("boss", "A boss.", move |_| {
        AsyncAgent::builder(caller("clerk", order()), back.get().unwrap().clone())
    });
    let there = AsyncToolManager::builder().tool(boss).tool(quick()).build().unwrap();
    let model = there.clone();
    let clerk = AsyncAgent::as_tool("clerk", "A clerk.", move |_| {
        AsyncAgent::builder(caller("boss", order()), model.clone())
    });
    let clerk = clerk.dedupe(Dedupe::Share).scope(Scope::Shared);
    let manager = AsyncToolManager::builder().tool(clerk).tool(quick()).build().unwrap();
    assert!(here.set(manager.clone()).is_ok());
    let agent = AsyncAgent::builder(caller("clerk", order()), manager.clone())
        .start()
        .await
        .unwrap();
    let summary = timeout(secs(600), agent.run_to_completion("go"))
        .await
        .expect("nothing stands still");
    assert_eq!(summary.unwrap().text, "did without");
    assert_eq!(manager.stats().failed, 1, "the clerk's call of itself");
    is_at_rest(&manager, "here").await;
    is_at_rest(&there, "there").await;
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_function_that_does_without_a_refused_call_goes_on() {
    let careful = tool_of("careful", |arguments, cx| async move {
        let next = if arguments["of"] == "a" { "b" } else { "a" };
        match cx.call_tool::<Value>("careful", json!({"of": next})).await {
            Err(error) if error.kind() == ToolErrorKind::Duplicate => Ok(json!([arguments["of"]])),
            below => Ok(json!([arguments["of"], below?])),
        }
    });
    let careful = careful.dedupe(Dedupe::Share);
    let model = playing([|| calls([("careful", json!({"of": "a"})), ("careful", json!({"of": "b"}))])]);
    let mut stage = Stage::set(model, [careful, quick()], |agent| agent).await;
    stage.agent.send("go").await.unwrap();
    let limit = secs(60);
    until(&mut stage.events, limit, |kind| {
        matches!(kind, async_tool_runtime::AgentEventKind::Answered { .. })
    })
    .await;
    stage.rest().await.unwrap();
    let values: Vec<_> = outcomes(&stage)
        .iter()
        .filter_map(|outcome| outcome.value().cloned())
        .collect();
    assert_eq!(values.len(), 2, "{values:?}");
    is_at_rest(&stage.manager, "after calls that did without").await;
    stage.agent.close().await.unwrap();
}
