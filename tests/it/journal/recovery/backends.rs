//! Sessions whose tasks run on a backend that keeps them.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, Journal, SessionId, TaskNo, TaskOutcome, TaskStatus, ToolCall,
    backend::{Backend, BackendCapabilities, BackendErrorKind, CancelMode},
    journal::MemoryJournal,
    model::ModelStream,
    policy::Approval,
    task::TaskSpec,
    testing::{Gates, MemoryEngine, ScriptedModel, assert_told_once},
    tool::{Dedupe, Effect},
};
use serde_json::json;
use tokio::time::{advance, sleep};

use crate::stand::{StubBackend, call, gate, idle, secs, tool};

fn session() -> SessionId {
    SessionId::new("s")
}

/// A model that makes these calls for the first message, and has a word for everything else.
fn model(calls: impl IntoIterator<Item = ToolCall>) -> ScriptedModel {
    let named = |(number, call): (usize, ToolCall)| ToolCall::new(format!("call_{number}"), call.name, call.arguments);
    let calls: Vec<ToolCall> = calls.into_iter().enumerate().map(named).collect();
    ScriptedModel::new()
        .turn(move |_| ModelStream::calls(calls))
        .otherwise(|_| ModelStream::text("so it stands"))
}

fn manager(tool: FunctionTool, backend: impl Backend) -> AsyncToolManager {
    AsyncToolManager::builder().tool(tool).backend(backend).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn tasks_on_a_backend_outlive_the_agent_and_are_told_once() {
    for effect in [Effect::Read, Effect::Once] {
        let gates = Gates::new();
        let tool = || gates.tool().effect(effect);
        let engine = MemoryEngine::new();
        let worker = AsyncToolManager::builder().tool(tool()).build().unwrap();
        let _worker = engine.worker(worker.executor().clone(), 8);
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let build = |model| {
            AsyncAgent::builder(model, manager(tool(), engine.clone()))
                .session(session())
                .journal(Arc::clone(&journal))
        };
        let names = ["a", "b", "c"];
        let agent = build(model(names.map(gate))).start().await.unwrap();
        agent.send("go").await.unwrap();
        for name in names {
            gates.arrived(name, 1).await;
        }
        agent.leave().await.unwrap();
        // One ends while no agent is there.
        gates.open("a", json!("a"));
        idle().await;

        let agent = build(model([])).resume().await.unwrap();
        idle().await;
        gates.open("b", json!("b"));
        gates.open("c", json!("c"));
        agent.run_until_idle().await.unwrap();
        let transcript = agent.transcript().await.unwrap();
        for number in 1..=3 {
            assert_told_once(&transcript, TaskNo::new(number));
        }
        for task in agent.tasks().await.unwrap() {
            assert_eq!(task.status, TaskStatus::Completed, "{effect:?}: {task:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_that_the_engine_has_and_the_journal_does_not_are_cancelled() {
    for has_outage in [false, true] {
        let engine = MemoryEngine::new();
        let never = || tool("never", |_| std::future::pending());
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let build = |model| {
            AsyncAgent::builder(model, manager(never(), engine.clone()))
                .session(session())
                .journal(Arc::clone(&journal))
        };
        let agent = build(model([call("never", json!({}))])).start().await.unwrap();
        agent.send("go").await.unwrap();
        sleep(secs(5)).await;
        agent.leave().await.unwrap();
        let [known] = engine.open_tasks(&session()).await.unwrap()[..] else {
            panic!("one task is open");
        };
        let stray = TaskSpec::new(session(), call("never", json!({})));
        let elsewhere = TaskSpec::new(SessionId::new("other"), call("never", json!({})));
        for task in [&stray, &elsewhere] {
            engine.submit(task.clone()).await.unwrap();
        }

        engine.set_reachable(!has_outage);
        let agent = build(model([])).resume().await.unwrap();
        sleep(secs(10)).await;
        engine.set_reachable(true);
        sleep(secs(30)).await;
        assert_eq!(engine.open_tasks(&session()).await.unwrap(), [known]);
        let others = engine.open_tasks(&elsewhere.session).await.unwrap();
        assert_eq!(others, [elsewhere.task]);
        agent.leave().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stray_is_cancelled_also_after_an_outage_that_begins_when_it_was_found() {
    let backend = StubBackend::with(BackendCapabilities::default().with_durable(true));
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let build = || {
        let never = tool("never", |_| std::future::pending());
        AsyncAgent::builder(model([]), manager(never, backend.clone()))
            .session(session())
            .journal(Arc::clone(&journal))
    };
    build().start().await.unwrap().leave().await.unwrap();
    let stray = TaskSpec::new(session(), call("never", json!({})));
    backend.submit(stray).await.unwrap();

    backend.be_out_for(secs(20));
    let agent = build().resume().await.unwrap();
    sleep(secs(60)).await;
    let modes: Vec<CancelMode> = backend.cancels().into_iter().map(|(mode, _)| mode).collect();
    assert_eq!(modes, [CancelMode::Cancel]);
    agent.leave().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_resumed_task_that_the_engine_may_have_forgotten_is_not_submitted_again() {
    let day = Duration::from_secs(24 * 3600);
    for (age, submits) in [(secs(60), 1), (day + secs(60), 0)] {
        let capabilities = BackendCapabilities::default().with_durable(true).with_retention(day);
        let never = || tool("never", |_| std::future::pending()).effect(Effect::Read);
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        // The second has forgotten the task, or lost it. Both managers exist from the start, because a manager's clock begins
        // at the system's time.
        let stubs = [StubBackend::with(capabilities), StubBackend::with(capabilities)];
        let managers = stubs.clone().map(|stub| manager(never(), stub));
        let build = |number: usize, model| {
            AsyncAgent::builder(model, managers[number].clone())
                .session(session())
                .journal(Arc::clone(&journal))
        };
        let agent = build(0, model([call("never", json!({}))])).start().await.unwrap();
        agent.send("go").await.unwrap();
        sleep(secs(5)).await;
        assert_eq!(stubs[0].submits(), 1);
        agent.leave().await.unwrap();
        advance(age).await;

        let agent = build(1, model([])).resume().await.unwrap();
        idle().await;
        stubs[1].fail(Some(BackendErrorKind::NotFound));
        agent.run_until_idle().await.unwrap();
        assert_eq!(stubs[1].submits(), submits);
        let tasks = agent.tasks().await.unwrap();
        let task = managers[1].task(tasks[0].task).unwrap();
        let outcome = task.outcome().await.outcome.clone();
        assert!(matches!(outcome, TaskOutcome::Unknown(_)), "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_leaves_its_sessions_and_shuts_down_cancels_no_task_on_the_backend() {
    for dedupe in [Dedupe::Allow, Dedupe::Share] {
        let backend = StubBackend::with(BackendCapabilities::default().with_durable(true));
        let never = tool("never", |_| std::future::pending()).dedupe(dedupe);
        let manager = manager(never, backend.clone());
        let agent = AsyncAgent::builder(model([call("never", json!({}))]), manager.clone());
        let agent = agent.session(session()).start().await.unwrap();
        agent.send("go").await.unwrap();
        sleep(secs(5)).await;
        agent.leave().await.unwrap();
        let own = TaskSpec::new(SessionId::new("host"), call("never", json!({})));
        let own = manager.submit_task(own).unwrap();
        idle().await;
        let report = manager.shutdown(secs(1)).await;
        assert_eq!((report.drained, report.cancelled + report.aborted), (0, 1));
        let cancelled = backend.cancels();
        assert!(!cancelled.is_empty() && own.status().is_terminal());
        assert_eq!(backend.submits(), 2);
        assert!(
            cancelled
                .iter()
                .all(|(_, reason)| reason == "the manager was shut down"),
            "{cancelled:?}"
        );
    }
}

/// Reason for which a call is submitted late.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Waiting {
    Approval,
    Result,
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_longer_than_the_retention_is_submitted() {
    let retention = secs(24 * 3600);
    for waiting in [Waiting::Approval, Waiting::Result] {
        for is_restarted in [false, true] {
            let capabilities = BackendCapabilities::default().with_durable(true);
            let backend = StubBackend::with(capabilities.with_retention(retention));
            let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
            let approval = match waiting {
                Waiting::Approval => Approval::Always,
                Waiting::Result => Approval::Never,
            };
            // Both exist from the start, because a manager's clock begins at the system's time.
            let managers = [(); 2].map(|()| {
                let never = tool("never", |_| std::future::pending()).effect(Effect::Once);
                manager(never.futures(true).approval(approval.clone()), backend.clone())
            });
            let build = |number: usize, model| {
                let agent = AsyncAgent::builder(model, managers[number].clone());
                agent.session(session()).journal(Arc::clone(&journal))
            };
            let calls = match waiting {
                Waiting::Approval => vec![call("never", json!({}))],
                Waiting::Result => vec![call("never", json!({})), call("never", json!({"of": {"$task": "#1"}}))],
            };
            let mut agent = build(0, model(calls)).start().await.unwrap();
            agent.send("go").await.unwrap();
            sleep(secs(5)).await;
            let before = backend.submits();
            advance(3 * retention).await;
            if is_restarted {
                agent.leave().await.unwrap();
                agent = build(1, model([])).resume().await.unwrap();
                idle().await;
            }
            backend.end(TaskOutcome::Completed(json!("done")), 1);
            for question in agent.questions().await.unwrap() {
                agent.manager().approve(question.asking).unwrap();
            }
            agent.run_until_idle().await.unwrap();
            for task in agent.tasks().await.unwrap() {
                assert_eq!(
                    task.status,
                    TaskStatus::Completed,
                    "{waiting:?}, {is_restarted}: {task:?}"
                );
            }
            assert_eq!(backend.submits(), before + 1, "{waiting:?}, {is_restarted}");
        }
    }
}
