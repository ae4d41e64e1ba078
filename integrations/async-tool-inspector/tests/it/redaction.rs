//! Secrets stay redacted, wherever a value is shown.

use std::time::Duration;

use async_tool_inspector::Inspector;
use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, RulePlanner, SessionId, ToolCall, ToolContext, async_tool,
    tool::{ToolError, ToolErrorKind},
    tools,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{Browser, Events};

const SECRET: &str = "hunter2-and-more";

/// Signs in.
#[async_tool(effect = "read", background = "always")]
async fn sign_in(#[arg(sensitive)] password: String, #[inject] cx: ToolContext) -> Result<String, ToolError> {
    cx.progress().report(0.5, format!("trying {password}"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let below: String = cx.call_tool("tell", json!({"text": password})).await?;
    Ok(format!("in with {below}"))
}

/// Repeats a text.
#[async_tool(effect = "read")]
async fn tell(text: String) -> String {
    tokio::time::sleep(Duration::from_secs(1)).await;
    text
}

/// Makes a key.
#[async_tool(effect = "read", sensitive = "result")]
async fn make_key() -> String {
    SECRET.to_owned()
}

/// All that a browser can read of a session.
async fn everything(browser: &Browser, events: &mut Events, session: &str) -> Vec<String> {
    let mut all = vec![format!("{:?}", events.shown)];
    all.push(
        browser
            .data(&format!("/api/transcript?session={session}"))
            .await
            .to_string(),
    );
    for turn in 1..=2 {
        all.push(
            browser
                .get(&format!("/api/transcript?session={session}&turn={turn}"))
                .await
                .1
                .to_string(),
        );
    }
    all.push(
        browser
            .data(&format!("/api/questions?session={session}"))
            .await
            .to_string(),
    );
    for task in events.shown.session["tasks"].as_array().cloned().unwrap_or_default() {
        let id = task["task"].as_str().unwrap();
        all.push(
            browser
                .data(&format!("/api/task?session={session}&task={id}"))
                .await
                .to_string(),
        );
    }
    all
}

#[tokio::test(start_paused = true)]
async fn nothing_that_a_browser_reads_has_the_secret() {
    let manager = AsyncToolManager::builder()
        .tools(tools![sign_in, tell, make_key])
        .build()
        .unwrap();
    let agent = AsyncAgent::builder(RulePlanner::new(), manager)
        .session("ann")
        .start()
        .await
        .unwrap();
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    // The message of the person has it before it is marked, so the call comes from a planner that takes it from a rule.
    agent.send("make_key").await.unwrap();
    agent.run_until_idle().await.unwrap();
    events.until("it ends", |shown| shown.is("make_key", "completed")).await;
    assert_eq!(events.shown.session["redacts"], true);
    for text in everything(&browser, &mut events, "ann").await {
        assert!(!text.contains(SECRET), "{text}");
    }
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_secret_argument_is_in_no_progress_and_in_no_task_below() {
    use async_tool_runtime::{
        model::{ModelEvent, ModelStream, StopReason, TurnEnd},
        testing::ScriptedModel,
    };

    let model = ScriptedModel::new()
        .turn(|_| {
            let call = ToolCall::new("call_1", "sign_in", json!({"password": SECRET}));
            ModelStream::from_events([
                ModelEvent::Text(format!("I use {SECRET}.")),
                ModelEvent::ToolCall(call),
                ModelEvent::Done(TurnEnd::new(StopReason::ToolCalls)),
            ])
        })
        .otherwise(|_| ModelStream::text(format!("Done, with {SECRET}.")));
    let manager = AsyncToolManager::builder()
        .tools(tools![sign_in, tell, make_key])
        .build()
        .unwrap();
    let agent = AsyncAgent::builder(model, manager)
        .session("ann")
        .start()
        .await
        .unwrap();
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    events.next().await.unwrap();
    agent.send("sign in").await.unwrap();
    for _ in 0..40 {
        sleep(Duration::from_millis(100)).await;
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(1), events.next()).await {
            assert!(!event.data.to_string().contains(SECRET), "{:#}", event.data);
        }
        for text in everything(&browser, &mut events, "ann").await {
            assert!(!text.contains(SECRET), "{text}");
        }
    }
    let shown = &events.shown;
    assert!(shown.is("t1", "completed"), "{:#}", shown.session);
    assert!(
        shown.task("tell").is_some(),
        "the task below is shown, without its contents"
    );
    let progress: &Value = &shown.task("t1").unwrap()["progress"];
    assert_eq!(progress["fraction"], 0.5);
    agent.close().await.unwrap();
}

/// Signs in at the second attempt; its error quotes the password.
#[async_tool(effect = "read", retry(attempts = 2, backoff = "1ms..1ms"))]
async fn sign_in_again(
    #[arg(sensitive)] password: String,
    #[inject] cx: ToolContext,
) -> Result<&'static str, ToolError> {
    match cx.attempt() {
        1 => Err(ToolError::new(
            ToolErrorKind::Unavailable,
            format!("`{password}` was not taken"),
        )),
        _ => Ok("in"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_reason_of_an_earlier_attempt_tells_no_secret() {
    let manager = AsyncToolManager::builder()
        .tools(tools![sign_in_again])
        .build()
        .unwrap();
    let browser = Browser::open(Inspector::new().manager(&manager)).await;
    let session = SessionId::new("host");
    let mut events = browser.events(Some("host")).await;
    events.next().await.unwrap();
    let call = ToolCall::new("call_1", "sign_in_again", json!({"password": SECRET}));
    let task = manager.submit(&session, call).unwrap();
    events
        .until("it ends", |shown| shown.is("sign_in_again", "completed"))
        .await;
    let detail = browser
        .data(&format!("/api/task?session=host&task={}", task.id()))
        .await;
    assert_eq!(
        detail["attempts"][0]["error"],
        json!({"kind": "unavailable", "message": "[redacted]"})
    );
    assert!(!detail.to_string().contains(SECRET), "{detail}");
    assert!(!format!("{:?}", events.shown).contains(SECRET));
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_host_are_shown_without_their_secrets() {
    let manager = AsyncToolManager::builder()
        .tools(tools![sign_in, tell, make_key])
        .build()
        .unwrap();
    let browser = Browser::open(Inspector::new().manager(&manager)).await;
    let session = SessionId::new("host");
    let mut events = browser.events(Some("host")).await;
    manager
        .submit(&session, ToolCall::new("call_1", "make_key", json!({})))
        .unwrap()
        .outcome()
        .await;
    let failed = manager
        .submit(
            &session,
            ToolCall::new("call_2", "sign_in", json!({"password": SECRET})),
        )
        .unwrap();
    let shown = events
        .until("they are shown", |shown| shown.is("sign_in", "running"))
        .await;
    let ids: Vec<String> = ["sign_in", "make_key"]
        .iter()
        .filter_map(|tool| Some(shown.task(tool)?["task"].as_str()?.to_owned()))
        .collect();
    manager.cancel(failed.id(), "enough");
    failed.outcome().await;
    for id in ids {
        let detail = browser
            .data(&format!("/api/task?session=host&task={id}"))
            .await
            .to_string();
        assert!(!detail.contains(SECRET), "{detail}");
        assert!(detail.contains("[redacted]"), "{detail}");
    }
}
