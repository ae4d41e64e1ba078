//! Circuit breakers.

use std::sync::{Arc, Mutex};

use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, FunctionTool, TaskHandle, ToolCall, ToolError, ToolErrorKind,
    model::ModelStream,
    policy::{BreakerPolicy, RateLimit},
    testing::ScriptedModel,
};
use serde_json::json;

use crate::stand::{
    Log, Output, after, idle, is_at_rest, kind, quick, secs, spec, start, tool, unavailable, with_slots,
};

/// A tool that does what the test said last; at `None` it never ends.
#[derive(Clone)]
struct Switch(Arc<Mutex<Option<Output>>>, Log<()>);

impl Switch {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Err(unavailable())))), Log::new())
    }

    fn set(&self, does: Option<Output>) {
        *self.0.lock().unwrap() = does;
    }

    fn tool(&self) -> FunctionTool {
        let switch = self.clone();
        tool("switch", move |_| {
            switch.1.note(());
            let does = switch.0.lock().unwrap().clone();
            async move {
                match does {
                    Some(does) => does,
                    None => std::future::pending().await,
                }
            }
        })
    }

    fn manager(&self) -> AsyncToolManager {
        with_slots(4, [self.tool().breaker(BreakerPolicy::new(3, secs(30)))])
    }
}

async fn call(manager: &AsyncToolManager) -> Option<ToolErrorKind> {
    kind(&*start(manager, "switch").outcome().await)
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_fails_again_and_again_is_left_alone_then_probed_then_called_as_before() {
    let switch = Switch::new();
    let manager = switch.manager();
    for _ in 0..3 {
        assert!(manager.stats().open_breakers.is_empty());
        call(&manager).await;
    }
    assert_eq!(manager.stats().open_breakers, [Arc::from("switch")]);
    tokio::time::sleep(secs(10)).await;
    let result = start(&manager, "switch").outcome().await;
    let error = result.outcome.error().unwrap();
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ToolErrorKind::Unavailable, Some(secs(20)))
    );
    assert!(error.retryable() && error.not_started());
    assert_eq!((result.attempts, switch.1.len()), (0, 3));

    tokio::time::sleep(secs(20)).await;
    call(&manager).await;
    assert_eq!(switch.1.len(), 4, "the probe");
    call(&manager).await;
    assert_eq!(switch.1.len(), 4, "it has failed, and the next cooldown has begun");

    tokio::time::sleep(secs(30)).await;
    switch.set(Some(Ok(json!(1))));
    assert_eq!(call(&manager).await, None);
    assert!(manager.stats().open_breakers.is_empty());
    switch.set(Some(Err(unavailable())));
    for _ in 0..3 {
        assert_eq!(call(&manager).await, Some(ToolErrorKind::Unavailable));
    }
    assert_eq!(switch.1.len(), 8, "it counts from the beginning");
    is_at_rest(&manager, "after a breaker").await;
}

#[tokio::test(start_paused = true)]
async fn one_call_probes_and_if_it_is_cancelled_the_next_call_does() {
    let switch = Switch::new();
    let manager = switch.manager();
    for _ in 0..3 {
        call(&manager).await;
    }
    tokio::time::sleep(secs(30)).await;
    switch.set(None);
    let probe = start(&manager, "switch");
    idle().await;
    assert_eq!(call(&manager).await, Some(ToolErrorKind::Unavailable));
    assert_eq!(switch.1.len(), 4, "one probe at a time");
    probe.cancel("enough");
    probe.outcome().await;
    let probe = start(&manager, "switch");
    idle().await;
    probe.abort("enough");
    idle().await;
    switch.set(Some(Ok(json!(1))));
    assert_eq!(call(&manager).await, None);
    assert!(manager.stats().open_breakers.is_empty());
    is_at_rest(&manager, "after probes").await;
}

#[tokio::test(start_paused = true)]
async fn a_success_between_failures_and_failures_that_are_not_the_tools_open_no_breaker() {
    let switch = Switch::new();
    let manager = switch.manager();
    for _ in 0..3 {
        for does in [Err(unavailable()), Err(unavailable()), Ok(json!(1))] {
            switch.set(Some(does));
            call(&manager).await;
        }
    }
    switch.set(Some(Err(ToolError::new(
        ToolErrorKind::InvalidArguments,
        "no such column",
    ))));
    for _ in 0..5 {
        call(&manager).await;
    }
    assert!(manager.stats().open_breakers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_deadline_comes_before_the_function_says_nothing_of_the_tool() {
    let limited = quick()
        .name("limited")
        .rate(RateLimit::new(1, secs(60)))
        .breaker(BreakerPolicy::new(1, secs(3_600)));
    let manager = AsyncToolManager::builder().tool(limited).tool(quick()).build().unwrap();
    let first = start(&manager, "limited");
    first.outcome().await;
    let late = spec("limited").with_deadline(after(&first, secs(1)));
    let late = manager.submit_task(late).unwrap().outcome().await;
    assert_eq!((kind(&late), late.attempts), (Some(ToolErrorKind::Timeout), 0));
    assert!(manager.stats().open_breakers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_model_reads_when_a_tool_can_be_called_again() {
    let switch = Switch::new();
    let manager = switch.manager();
    for _ in 0..3 {
        call(&manager).await;
    }
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("call_1", "switch", json!({}))]))
        .turn(|request| {
            let shown = request.messages.iter().find_map(|message| match &**message {
                async_tool_runtime::Message::Answers(answers) => Some(answers[0].to_model_json()),
                _ => None,
            });
            let error = &shown.expect("the call is answered")["error"];
            assert_eq!(
                (&error["kind"], &error["retry_after_ms"]),
                (&json!("unavailable"), &json!(30_000))
            );
            ModelStream::text("later")
        });
    let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    model.verify();
}

/// A tool that fails three times, then waits: for people if its name is `asks`, else for a result from outside. It
/// works once `well` is set.
fn waits(name: &'static str) -> (AsyncToolManager, Log<()>) {
    let runs = Log::new();
    let noted = runs.clone();
    let waits = tool(name, move |cx| {
        noted.note(());
        let run = noted.len();
        async move {
            match run {
                1..=3 => Err(unavailable()),
                4..=5 if name == "asks" => cx.request_input("how many?", json!({"type": "integer"})).await,
                4..=5 => cx.defer().await,
                _ => Ok(json!(run)),
            }
        }
    });
    let manager = AsyncToolManager::builder()
        .tool(waits.breaker(BreakerPolicy::new(3, secs(30))))
        .tool(quick())
        .build()
        .unwrap();
    (manager, runs)
}

fn ends(manager: &AsyncToolManager, task: &TaskHandle, with: Option<ToolError>) {
    match (&*task.snapshot().tool, with) {
        ("asks", None) => manager.answer(task.id(), json!(1)).unwrap(),
        ("asks", Some(_)) => manager.refuse(task.id(), "no").unwrap(),
        (_, None) => manager.resolve(task.id(), json!(1)).unwrap(),
        (_, Some(error)) => manager.resolve_error(task.id(), error).unwrap(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_waits_for_people_or_the_outside_blocks_other_calls_for_one_cooldown_only() {
    for name in ["asks", "defers"] {
        let (manager, runs) = waits(name);
        for _ in 0..3 {
            start(&manager, name).outcome().await;
        }
        tokio::time::sleep(secs(30)).await;
        let probe = start(&manager, name);
        tokio::time::sleep(secs(10)).await;
        let refused = start(&manager, name).outcome().await;
        let error = refused.outcome.error().unwrap();
        let wait = error.retry_after().unwrap();
        assert!(
            wait <= secs(20),
            "{name}: it is known when there will be another probe: {wait:?}"
        );
        tokio::time::sleep(wait).await;
        let other = start(&manager, name);
        idle().await;
        assert_eq!(runs.len(), 5, "{name}: the next call probes");
        assert!(start(&manager, name).outcome().await.outcome.error().is_some());
        assert_eq!(runs.len(), 5, "{name}: one probe for each cooldown");
        // The call that ends first decides.
        ends(&manager, &probe, None);
        assert!(probe.outcome().await.outcome.is_completed());
        assert!(manager.stats().open_breakers.is_empty(), "{name}");
        ends(&manager, &other, Some(unavailable()));
        other.outcome().await;
        assert!(start(&manager, name).outcome().await.outcome.is_completed());
        is_at_rest(&manager, name).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_after_a_long_wait_begins_the_next_cooldown() {
    let (manager, runs) = waits("defers");
    for _ in 0..3 {
        start(&manager, "defers").outcome().await;
    }
    tokio::time::sleep(secs(30)).await;
    let probe = start(&manager, "defers");
    tokio::time::sleep(secs(3_600)).await;
    ends(&manager, &probe, Some(unavailable()));
    probe.outcome().await;
    let refused = start(&manager, "defers").outcome().await;
    assert_eq!(refused.outcome.error().unwrap().retry_after(), Some(secs(30)));
    assert_eq!(runs.len(), 4);
}
