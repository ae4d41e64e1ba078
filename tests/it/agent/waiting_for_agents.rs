//! Functions that wait for agents.

use std::sync::{Arc, OnceLock};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, ToolError,
    agent::{CloseMode, RunError, RunSummary},
    model::ModelStream,
    testing::ScriptedModel,
    tool::Background,
};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::stand::{Log, answering, calls, is_at_rest, quick, secs, timed, tool};

/// A way to wait for an agent.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Idle,
    Parked,
    Completion,
}

const WAITS: [Wait; 3] = [Wait::Idle, Wait::Parked, Wait::Completion];

impl Wait {
    async fn on(self, agent: &AsyncAgent) -> Result<(), RunError> {
        match self {
            Self::Idle => agent.run_until_idle().await,
            Self::Parked => agent.run_until_parked().await.map(drop),
            Self::Completion => agent.run_to_completion("go on").await.map(drop),
        }
    }
}

type Hold = Arc<OnceLock<AsyncAgent>>;

/// A tool whose function waits for the agent, and returns the error.
fn waits_for(name: &str, wait: Wait, hold: &Hold) -> FunctionTool {
    let hold = Arc::clone(hold);
    tool(name, move |_| {
        let agent = hold.get().unwrap().clone();
        async move {
            match wait.on(&agent).await {
                Ok(()) => Ok(json!("it is idle")),
                Err(error) => Err(ToolError::failed(error.to_string())),
            }
        }
    })
    .background(Background::Always)
}

/// A model that calls this tool once.
fn calling(tool: &'static str) -> ScriptedModel {
    answering(move |_, asked| match asked {
        1 => calls([(tool, json!({}))]),
        _ => ModelStream::text("done"),
    })
}

async fn agent_of(model: ScriptedModel, manager: &AsyncToolManager, session: &str) -> AsyncAgent {
    let agent = AsyncAgent::builder(model, manager.clone()).session(session);
    agent.start().await.unwrap()
}

fn manager_of(slots: usize, tools: impl IntoIterator<Item = FunctionTool>) -> AsyncToolManager {
    let tools = tools.into_iter().chain([quick()]).map(Into::into);
    AsyncToolManager::builder()
        .tools(tools)
        .concurrency(slots)
        .build()
        .unwrap()
}

async fn run(agent: &AsyncAgent, what: &str) -> RunSummary {
    let run = timeout(secs(3_600), agent.run_to_completion("go")).await;
    run.unwrap_or_else(|_| panic!("{what}: it waits for itself")).unwrap()
}

async fn transcript(agent: &AsyncAgent) -> String {
    format!("{:?}", agent.transcript().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_waits_for_its_own_agent_is_refused_at_once() {
    for wait in WAITS {
        for below in [false, true] {
            let hold = Hold::default();
            let desk = tool("desk", |cx| async move { cx.call_tool("waits", json!({})).await });
            let manager = manager_of(1, [waits_for("waits", wait, &hold), desk]);
            let agent = agent_of(calling(if below { "desk" } else { "waits" }), &manager, "main").await;
            hold.set(agent.clone()).unwrap();
            let began = Instant::now();
            run(&agent, "its own agent").await;
            assert!(began.elapsed() < secs(5), "{wait:?}");
            let told = transcript(&agent).await;
            assert!(
                told.contains("the agent here would wait for itself: `"),
                "{wait:?}: {told}"
            );
            assert!(told.contains("→ session `main` →"), "{wait:?}: {told}");
            is_at_rest(&manager, "after its own agent").await;
            agent.close().await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_agents_whose_tools_wait_for_each_other_one_is_refused() {
    for wait in WAITS {
        for is_one_manager in [true, false] {
            let (one, other) = (Hold::default(), Hold::default());
            let tools = || [waits_for("one", wait, &other), waits_for("other", wait, &one)];
            let first = manager_of(2, tools());
            let second = match is_one_manager {
                true => first.clone(),
                false => manager_of(1, tools()),
            };
            let agents = (
                agent_of(calling("one"), &first, "a").await,
                agent_of(calling("other"), &second, "b").await,
            );
            one.set(agents.0.clone()).unwrap();
            other.set(agents.1.clone()).unwrap();
            tokio::join!(run(&agents.0, "the first"), run(&agents.1, "the second"));
            let told = transcript(&agents.0).await + &transcript(&agents.1).await;
            assert_eq!(
                told.matches("message: \"a tool that waits for the agent").count(),
                1,
                "{wait:?}: {told}"
            );
            is_at_rest(&first, "after two agents").await;
            is_at_rest(&second, "after two agents").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_runs_an_agent_of_its_own_needs_no_slot_for_that() {
    for slots in [1, 4] {
        let hold: Arc<OnceLock<AsyncToolManager>> = Arc::default();
        let known = Arc::clone(&hold);
        let clerk = tool("clerk", move |_| {
            let manager = known.get().unwrap().clone();
            async move {
                let model = answering(|_, asked| match asked {
                    1 => calls([("work", json!({"ms": 1_000, "value": 7}))]),
                    _ => ModelStream::text("seven"),
                });
                let agent = agent_of(model, &manager, "clerk").await;
                let summary = agent.run_to_completion("go").await;
                agent.close().await.map_err(ToolError::from_error)?;
                Ok(json!(summary.map_err(ToolError::from_error)?.text))
            }
        });
        let manager = manager_of(slots, [clerk, timed("work")]);
        assert!(hold.set(manager.clone()).is_ok());
        let agent = agent_of(calling("clerk"), &manager, "main").await;
        run(&agent, "an agent of its own").await;
        assert!(transcript(&agent).await.contains("seven"));
        is_at_rest(&manager, "after an agent of its own").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_of_a_sub_agent_that_waits_for_the_agent_above_is_refused() {
    for wait in WAITS {
        let hold = Hold::default();
        let clerk = AsyncAgent::as_tool("clerk", "A clerk.", |manager| {
            AsyncAgent::builder(calling("waits"), manager).tools(["waits"])
        });
        let refused = Log::new();
        let seen = refused.clone();
        let above = Arc::clone(&hold);
        let waits = tool("waits", move |_| {
            let (agent, seen) = (above.get().unwrap().clone(), seen.clone());
            async move {
                seen.note(wait.on(&agent).await);
                Ok(json!("did without"))
            }
        });
        let manager = manager_of(1, [clerk, waits]);
        let agent = agent_of(
            answering(|request, _| match request.messages.len() {
                1 => calls([("clerk", json!({"message": "go"}))]),
                _ => ModelStream::text("done"),
            }),
            &manager,
            "main",
        )
        .await;
        hold.set(agent.clone()).unwrap();
        run(&agent, "the agent above").await;
        let refused = refused.all();
        assert!(
            matches!(&refused[..], [Err(RunError::Circle(circle))] if circle.contains("→ session `main` → `clerk` (")),
            "{refused:?}"
        );
        is_at_rest(&manager, "after the agent above").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_ends_its_own_session_leaves_nothing_open() {
    for mode in [Some(CloseMode::Cancel), Some(CloseMode::Drain { limit: secs(5) }), None] {
        let hold = Hold::default();
        let known = Arc::clone(&hold);
        let ends = tool("ends", move |_| {
            let agent = known.get().unwrap().clone();
            async move {
                match mode {
                    Some(mode) => agent.close_with(mode).await,
                    None => agent.leave().await,
                }
                .map_err(ToolError::from_error)?;
                Ok(json!("it is over"))
            }
        });
        let manager = manager_of(1, [ends]);
        let agent = agent_of(calling("ends"), &manager, "main").await;
        hold.set(agent.clone()).unwrap();
        let began = Instant::now();
        let ended = timeout(secs(3_600), agent.run_to_completion("go")).await;
        ended.unwrap_or_else(|_| panic!("{mode:?}: it waits for itself")).ok();
        agent.close().await.ok();
        assert!(began.elapsed() < secs(60), "{mode:?}");
        is_at_rest(&manager, "after the end").await;
    }
}
