//! Tools made by the macro, run by a manager, and called in a conversation.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use async_tool_runtime::{
    AgentEventKind, AsyncAgent, AsyncToolManager, CancellationToken, FunctionTool, Message, SessionId, TaskEvent,
    TaskOutcome, Tool, ToolCall, ToolContext, ToolDefinition, ToolError, ToolErrorKind, async_tool,
    context::AnswerContent,
    model::{ModelEvent, ModelRequest, ModelStream},
    task::TaskSpec,
    testing::ScriptedModel,
    tool::{Background, IdempotencyKey, Progress, State},
    tools,
};
use serde_json::{Value, json};

async fn outcome(
    builder: async_tool_runtime::manager::AsyncToolManagerBuilder,
    name: &str,
    arguments: Value,
) -> TaskOutcome {
    let manager = builder.build().unwrap();
    let task = manager
        .submit(&SessionId::new("s"), ToolCall::new("call_1", name, arguments))
        .unwrap();
    task.outcome().await.outcome.clone()
}

/// A counter of the host.
struct Counter(AtomicU32);

/// Adds to the counter.
#[async_tool]
fn add(
    /// How much.
    by: u32,
    #[inject] counter: State<Counter>,
    #[inject] cx: ToolContext,
    #[inject] key: IdempotencyKey,
) -> Result<u32, String> {
    if by == 0 {
        return Err(format!("attempt {}: nothing to add", cx.attempt()));
    }
    assert_eq!(key, cx.idempotency_key());
    Ok(counter.0.fetch_add(by, Ordering::SeqCst) + by)
}

#[tokio::test]
async fn a_sync_function_runs_with_what_the_host_injects() {
    let builder = || {
        AsyncToolManager::builder()
            .tools(tools![add])
            .state(Counter(AtomicU32::new(40)))
    };
    assert_eq!(
        outcome(builder(), "add", json!({"by": 2})).await,
        TaskOutcome::Completed(json!(42))
    );
    assert_eq!(
        outcome(builder(), "add", json!({"by": 0})).await,
        TaskOutcome::Failed(ToolError::failed("attempt 1: nothing to add"))
    );
    let schema = &add::tool().definition().input_schema.clone();
    assert_eq!(schema["properties"].as_object().unwrap().len(), 1, "{schema}");
}

#[tokio::test]
async fn a_state_that_was_not_registered_is_an_error_of_the_build() {
    let error = AsyncToolManager::builder()
        .tools(tools![add])
        .build()
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("tool `add`: needs a state of type"), "{error}");
    assert!(error.contains("Counter"), "{error}");
}

/// Says something after a while.
#[async_tool(effect = "read")]
async fn say(text: &str, #[arg(default = 1)] times: usize, mood: Option<&str>) -> String {
    tokio::task::yield_now().await;
    format!("{}{}", text.repeat(times), mood.unwrap_or("."))
}

#[tokio::test]
async fn an_async_function_borrows_the_arguments_of_its_call() {
    let builder = || AsyncToolManager::builder().tools(tools![say]);
    for (arguments, said) in [
        (json!({"text": "ho", "times": 3, "mood": "!"}), "hohoho!"),
        (json!({"text": "ho"}), "ho."),
        (json!({"text": "ho", "times": "2", "mood": null}), "hoho."),
    ] {
        assert_eq!(
            outcome(builder(), "say", arguments).await,
            TaskOutcome::Completed(json!(said))
        );
    }
}

#[tokio::test]
async fn the_function_itself_can_still_be_called() {
    assert_eq!(say("a", 2, None).await, "aa.");
}

/// Waits for ever, unless it is told to stop.
#[async_tool(timeout = "1.5s")]
async fn wait_long(#[inject] stop: CancellationToken) {
    stop.cancelled().await;
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn the_timeout_ends_a_call_and_can_be_overridden_on_the_value() {
    let declared = outcome(
        AsyncToolManager::builder().tools(tools![wait_long]),
        "wait_long",
        json!({}),
    )
    .await;
    let error = declared.error().unwrap();
    assert_eq!(
        (error.kind(), error.message()),
        (ToolErrorKind::Timeout, "timed out after 1.5s")
    );

    let tool = wait_long::tool().timeout(Duration::from_secs(7));
    let overridden = outcome(AsyncToolManager::builder().tool(tool), "wait_long", json!({})).await;
    assert_eq!(overridden.error().unwrap().message(), "timed out after 7s");
}

/// Works in steps.
#[async_tool]
async fn steps(#[inject] progress: Progress) {
    progress.message("getting ready");
    progress.report(0.25, "a quarter");
    tokio::time::sleep(Duration::from_millis(150)).await;
    progress.report(7.0, "all but done");
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn progress_is_in_the_snapshot_at_once_and_goes_out_now_and_then() {
    let manager = AsyncToolManager::builder().tools(tools![steps]).build().unwrap();
    let mut events = manager.events();
    let task = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "steps", json!({})));
    let task = manager.submit_task(task).unwrap();
    let mut went_out = Vec::new();
    while went_out.len() < 3 {
        if let Some(TaskEvent::Progressed(snapshot)) = events.next().await {
            went_out.push(snapshot.progress.unwrap().message);
        }
        if went_out.len() == 1 {
            let latest = task.snapshot().progress.unwrap();
            assert_eq!((latest.fraction, latest.message.as_str()), (Some(0.25), "a quarter"));
        }
    }
    assert_eq!(
        went_out,
        ["getting ready", "a quarter", "all but done"],
        "a report that came too soon goes out a little later"
    );
    assert_eq!(
        task.snapshot().progress.unwrap().fraction,
        Some(1.0),
        "a fraction is at most 1"
    );
    task.abort("seen enough");
}

#[tokio::test(start_paused = true)]
async fn progress_reaches_the_watchers_of_the_agent() {
    let model = ScriptedModel::new()
        .turn(|_| ModelStream::calls([ToolCall::new("call_1", "steps", json!({}))]))
        .text("fine");
    let manager = AsyncToolManager::builder().tools(tools![steps]).build().unwrap();
    let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
    let mut events = agent.events();
    agent.send("go").await.unwrap();
    loop {
        let event = events.next().await.expect("the agent reports");
        if let AgentEventKind::Progressed { number, report } = event.kind {
            assert_eq!(
                (number.to_string().as_str(), report.message.as_str()),
                ("t1", "getting ready")
            );
            break;
        }
    }
}

/// Of the function.
#[async_tool(name = "renamed", description = "Of the key.", notice = "Slow.")]
fn described() {}

/// Of the function.
#[async_tool(notice = off)]
fn without_notice() {}

/// Two lines
/// of one paragraph.
///
/// And another.
#[async_tool]
fn documented() {}

/// Every tool carries its notice in every request, so it is short; the `task` tool has the rest, once.
#[test]
fn ten_tools_cost_at_most_twenty_tokens_each_beyond_their_own_text() {
    use async_tool_runtime::context::{BpeTokens, TokenEstimator};

    let tokens = BpeTokens::o200k();
    let count = |tool: &FunctionTool| {
        let definition = tool.definition();
        tokens.count_text(&definition.description) + tokens.count_text(&definition.input_schema.to_string())
    };
    let own = count(&documented::tool().without_notice());
    let tools: Vec<FunctionTool> = (0..10)
        .map(|number| documented::tool().name(format!("tool_{number}")))
        .collect();
    let sum: usize = tools.iter().map(count).sum();
    println!("{sum} tokens, {} of them for notices", sum - 10 * own);
    assert!(sum <= 10 * (own + 20), "{sum} tokens, {own} for a tool without notice");
}

#[test]
fn the_model_reads_the_name_the_description_and_the_notice_that_were_set() {
    let described = described::tool();
    assert_eq!(&*described.definition().name, "renamed");
    assert_eq!(&*described.definition().description, "Of the key.\n\nSlow.");
    assert_eq!(&*without_notice::tool().definition().description, "Of the function.");
    let documented = documented::tool();
    let expected = format!(
        "Two lines of one paragraph.\n\nAnd another.\n\n{}",
        ToolDefinition::NOTICE
    );
    assert_eq!(&*documented.definition().description, expected);
    let always = documented.clone().background(Background::Always);
    assert!(always.definition().description.ends_with(ToolDefinition::NOTICE_ALWAYS));
    assert!(!always.definition().description.contains("takes long"));
    let overridden = documented.name("other").description("Other.").notice("Patience.");
    assert_eq!(&*overridden.definition().name, "other");
    assert_eq!(&*overridden.definition().description, "Other.\n\nPatience.");
}

/// Takes a second.
#[async_tool(background = "never")]
async fn inline() -> u32 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    1
}

/// Takes no time.
#[async_tool(background = "always")]
async fn always() -> u32 {
    1
}

/// Takes a second.
#[async_tool(grace = "2s")]
async fn patient() -> u32 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    1
}

/// Takes a second.
#[async_tool]
async fn ordinary() -> u32 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    1
}

/// True if the call is acknowledged, false if it is answered with its result.
async fn is_acknowledged(tool: FunctionTool) -> bool {
    let name = tool.definition().name.clone();
    let model = ScriptedModel::new()
        .turn(move |_| ModelStream::calls([ToolCall::new("call_1", name, json!({}))]))
        .text("fine")
        .text("so it is");
    let manager = AsyncToolManager::builder().tool(tool).build().unwrap();
    let agent = AsyncAgent::builder(model.clone(), manager).start().await.unwrap();
    agent.send("go").await.unwrap();
    agent.run_until_idle().await.unwrap();
    let answer = |request: &ModelRequest| match &**request.messages.last().unwrap() {
        Message::Answers(answers) => matches!(answers[0].content, AnswerContent::Ack(_)),
        other => panic!("the answers come last: {other:?}"),
    };
    answer(&model.requests()[1])
}

#[tokio::test(start_paused = true)]
async fn background_and_grace_decide_between_result_and_acknowledgement() {
    assert!(!is_acknowledged(inline::tool()).await, "`never` waits");
    assert!(
        is_acknowledged(always::tool()).await,
        "`always` doesn't, however quick the tool is"
    );
    assert!(!is_acknowledged(patient::tool()).await, "a grace of 2 s is long enough");
    assert!(is_acknowledged(ordinary::tool()).await, "a grace of 250 ms isn't");
    assert!(
        !is_acknowledged(ordinary::tool().grace(Duration::from_secs(2))).await,
        "on the value"
    );
    assert!(!inline::tool().definition().description.contains(ToolDefinition::NOTICE));
    assert!(
        ordinary::tool()
            .definition()
            .description
            .contains(ToolDefinition::NOTICE)
    );
}

/// Reads.
#[async_tool(effect = "read")]
fn read() {}

/// Acts.
#[async_tool]
fn act() {}

#[tokio::test(start_paused = true)]
async fn the_effect_decides_if_a_call_starts_before_its_turn_is_complete() {
    let started = |tool: FunctionTool| async move {
        let name = tool.definition().name.clone();
        let model = ScriptedModel::new().turn(move |_| {
            // A turn that never ends.
            let call = ModelEvent::ToolCall(ToolCall::new("call_1", name, json!({})));
            ModelStream::from_events([ModelEvent::Text("let me see".to_owned()), call])
        });
        let manager = AsyncToolManager::builder().tool(tool).build().unwrap();
        let agent = AsyncAgent::builder(model, manager)
            .model_retries(0, Duration::ZERO)
            .start()
            .await
            .unwrap();
        let mut events = agent.events();
        agent.send("go").await.unwrap();
        let _broke_off = agent.run_until_idle().await;
        let mut was_called = false;
        while let Some(event) = events.next().await {
            match event.kind {
                AgentEventKind::Called { .. } => was_called = true,
                AgentEventKind::TurnFailed { .. } => break,
                _ => {}
            }
        }
        was_called
    };
    assert!(started(read::tool()).await);
    assert!(!started(act::tool()).await);
    let idempotent = act::tool().effect(async_tool_runtime::Effect::Idempotent);
    assert!(!started(idempotent).await, "asked again, it would have another key");
}
