//! Agents that share a manager, and conflicts between their calls.

use std::sync::Arc;

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Effect, FunctionTool, ToolDefinition, ToolError,
    manager::AsyncToolManagerBuilder,
    testing::ScriptedModel,
    tool::{Background, BoundCall},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::stand::{Crowd, answering, answers, calls, playing, secs, text_of, tool_of, until};

/// A tool with one argument, `path`.
fn on_a_path<F, Fut>(name: &str, run: F) -> FunctionTool
where
    F: Fn(Value) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, ToolError>> + Send + 'static,
{
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    let definition = ToolDefinition::new(name, "Does something with a path.", schema);
    let tool = FunctionTool::from_parts(definition, move |arguments| {
        let (run, path) = (run.clone(), arguments.value()["path"].clone());
        Ok(BoundCall::future(move |_| run(path)))
    });
    tool.background(Background::Always)
}

/// A manager with a tool that reads a path and a tool that writes one, each for ten seconds. The crowd counts the tools
/// that run.
fn files(crowd: &Arc<Crowd>) -> AsyncToolManagerBuilder {
    let work = |name: &str| {
        let crowd = Arc::clone(crowd);
        on_a_path(name, move |path| {
            let crowd = Arc::clone(&crowd);
            async move {
                let _inside = crowd.enter();
                tokio::time::sleep(secs(10)).await;
                Ok(path)
            }
        })
    };
    AsyncToolManager::builder()
        .tool(work("read").effect(Effect::Read).reads("path"))
        .tool(work("write").writes("path"))
}

async fn agent(manager: &AsyncToolManager, tool: &'static str, path: &'static str) -> (AsyncAgent, ScriptedModel) {
    let model = answering(move |_, asked| match asked {
        1 => calls([(tool, json!({"path": path}))]),
        _ => async_tool_runtime::model::ModelStream::text("waiting"),
    });
    let agent = AsyncAgent::builder(model.clone(), manager.clone())
        .start()
        .await
        .unwrap();
    (agent, model)
}

#[tokio::test(start_paused = true)]
async fn conflicting_calls_of_two_agents_run_one_after_the_other_and_others_run_together() {
    for (first, second, most) in [
        (("write", "a"), ("write", "a"), 1),
        (("write", "a"), ("read", "a"), 1),
        (("read", "a"), ("write", "a"), 1),
        (("read", "a"), ("read", "a"), 2),
        (("write", "a"), ("write", "b"), 2),
    ] {
        let crowd = Arc::new(Crowd::default());
        let manager = files(&crowd).build().unwrap();
        let began = Instant::now();
        let (one, one_model) = agent(&manager, first.0, first.1).await;
        let (two, two_model) = agent(&manager, second.0, second.1).await;
        one.send("go").await.unwrap();
        two.send("go").await.unwrap();
        let (one, two) = tokio::join!(one.run_until_idle(), two.run_until_idle());
        one.unwrap();
        two.unwrap();
        assert_eq!(crowd.most(), most, "{first:?} and {second:?}");
        let expected = if most == 1 { secs(20) } else { secs(10) };
        assert!(
            began.elapsed() >= expected && began.elapsed() < expected + secs(1),
            "{:?}",
            began.elapsed()
        );
        for (model, (_, path)) in [(one_model, first), (two_model, second)] {
            let told = text_of(model.requests().last().unwrap());
            assert!(told.contains(&format!(r#""result":"{path}""#)), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_while_it_waits_for_another_agents_leaves_the_way_free() {
    let crowd = Arc::new(Crowd::default());
    let manager = files(&crowd).build().unwrap();
    let began = Instant::now();
    let mut agents = Vec::new();
    for _ in 0..3 {
        let (agent, model) = agent(&manager, "write", "a").await;
        let mut events = agent.events();
        agent.send("go").await.unwrap();
        // Its call is submitted before that of the next agent.
        until(&mut events, |kind| {
            matches!(kind, async_tool_runtime::AgentEventKind::Acknowledged { .. })
        })
        .await;
        agents.push((agent, model));
    }
    agents[1].0.close().await.unwrap();
    agents[0].0.run_until_idle().await.unwrap();
    agents[2].0.run_until_idle().await.unwrap();
    assert!(began.elapsed() < secs(21), "{:?}", began.elapsed());
    assert_eq!(crowd.most(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_value_of_a_future_decides_the_conflicts_of_a_call() {
    let crowd = Arc::new(Crowd::default());
    let place = tool_of("place", |_, _| async { Ok(json!("a")) }).background(Background::Always);
    let write = {
        let crowd = Arc::clone(&crowd);
        on_a_path("store", move |_| {
            let crowd = Arc::clone(&crowd);
            async move {
                let _inside = crowd.enter();
                tokio::time::sleep(secs(10)).await;
                Ok(Value::Null)
            }
        })
    };
    let write = write.writes("path").futures(true);
    let manager = files(&crowd).tool(place).tool(write).build().unwrap();
    let model = playing([|| {
        calls([
            ("place", json!({})),
            ("store", json!({"path": {"$task": "#1"}})),
            ("store", json!({"path": "b"})),
        ])
    }]);
    let (other, _) = agent(&manager, "write", "a").await;
    other.send("go").await.unwrap();
    let agent = AsyncAgent::builder(model.clone(), manager.clone())
        .start()
        .await
        .unwrap();
    let began = Instant::now();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    other.run_until_idle().await.unwrap();
    assert_eq!(crowd.most(), 2, "`b` is free, and `a` is not");
    assert!(began.elapsed() >= secs(20), "{:?}", began.elapsed());
    assert_eq!(answers(&model.requests()[1]).len(), 3);
}
