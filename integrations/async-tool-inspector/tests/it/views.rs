//! Details: a task in full, the conversation as the model saw it, the state of the managers.

use std::time::Duration;

use async_tool_inspector::Inspector;
use async_tool_runtime::{
    AsyncAgent, AsyncToolManager, Message, RulePlanner, SessionId, ToolCall, ToolContext, async_tool,
    context::{PrunePolicy, pruned_view},
    tool::{ToolError, ToolErrorKind},
    tools,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::stand::{Browser, agent, manager};

#[tokio::test(start_paused = true)]
async fn phases_name_each_attempt_and_each_wait_without_gaps() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    events.next().await.unwrap();
    agent.send("flaky").await.unwrap();
    let shown = events.until("it ends", |shown| shown.is("t1", "completed")).await;
    assert_eq!(shown.phases("t1"), ["running", "retry", "running", "retry", "running"]);
    let task = shown.task("t1").unwrap();
    let phases = task["phases"].as_array().unwrap();
    let attempts: Vec<_> = phases.iter().filter_map(|phase| phase["attempt"].as_u64()).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(phases[0]["from"], task["accepted"]);
    assert_eq!(phases[4]["to"], task["settled"]);
    assert!(
        phases.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]),
        "{phases:?}"
    );
    assert!(phases[1]["until"].is_u64());
    let detail = browser
        .data(&format!(
            "/api/task?session=ann&task={}",
            task["task"].as_str().unwrap()
        ))
        .await;
    let ends: Vec<_> = detail["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["end"].clone())
        .collect();
    assert_eq!(ends, ["retried", "retried", "completed"]);
    // Exact times, and the reason of each attempt that failed.
    for (place, attempt) in [0, 2, 4].into_iter().zip(detail["attempts"].as_array().unwrap()) {
        assert_eq!(
            (&attempt["from"], &attempt["to"]),
            (&phases[place]["from"], &phases[place]["to"])
        );
        let error = json!({"kind": "unavailable", "message": "the line is busy"});
        assert_eq!(attempt.get("error"), (place < 4).then_some(&error));
    }
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn attempts_in_quick_succession_are_all_shown_when_the_task_has_ended() {
    /// Fails twice, in a moment.
    #[async_tool(effect = "read", retry(attempts = 3, backoff = "1ms..2ms"))]
    async fn hasty(#[inject] cx: ToolContext) -> Result<u32, ToolError> {
        sleep(Duration::from_millis(3)).await;
        match cx.attempt() {
            3 => Ok(3),
            attempt => Err(ToolError::new(ToolErrorKind::Unavailable, format!("busy {attempt}"))),
        }
    }

    let manager = AsyncToolManager::builder().tools(tools![hasty]).build().unwrap();
    let agent = AsyncAgent::builder(RulePlanner::new(), manager);
    let agent = agent.session("ann").start().await.unwrap();
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    events.next().await.unwrap();
    agent.send("hasty").await.unwrap();
    let shown = events.until("it ends", |shown| {
        let phases = shown.phases("t1");
        shown.is("t1", "completed") && phases.iter().filter(|kind| *kind == "running").count() == 3
    });
    let task = shown.await.task("t1").unwrap().clone();
    let path = format!("/api/task?session=ann&task={}", task["task"].as_str().unwrap());
    let detail = browser.data(&path).await;
    let messages: Vec<_> = detail["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["error"]["message"].clone())
        .collect();
    assert_eq!(messages, [json!("busy 1"), json!("busy 2"), Value::Null]);
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_for_the_outside_is_shown_as_such_without_an_agent_too() {
    let manager = manager();
    let browser = Browser::open(Inspector::new().manager(&manager)).await;
    let mut events = browser.events(Some("host")).await;
    events.next().await.unwrap();
    let task = manager
        .submit(
            &SessionId::new("host"),
            ToolCall::new("call_1", "order_taxi", json!({})),
        )
        .unwrap();
    let shown = events.until("it waits", |shown| {
        shown.phases("order_taxi").last().is_some_and(|kind| kind == "outside")
    });
    assert_eq!(
        shown.await.task("order_taxi").unwrap()["words"],
        "waits for a result from outside"
    );
    manager.resolve(task.id(), 7).unwrap();
    events
        .until("it ends", |shown| shown.is("order_taxi", "completed"))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_is_shown_in_full_with_its_children() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    let mut events = browser.events(Some("ann")).await;
    agent.send("survey").await.unwrap();
    let shown = events
        .until("the child runs", |shown| shown.is("research", "running"))
        .await;
    let (above, child) = (
        shown.task("t1").unwrap().clone(),
        shown.task("research").unwrap().clone(),
    );
    assert_eq!(above["waits_for"]["kind"], "result");
    assert_eq!(above["words"], "waits for research");
    let path = |task: &Value| format!("/api/task?session=ann&task={}", task["task"].as_str().unwrap());
    let detail = browser.data(&path(&above)).await;
    assert_eq!(detail["children"][0]["tool"], "research");
    assert_eq!(detail["call"]["name"], "survey");
    assert_eq!(detail["idempotency_key"], above["task"]);
    assert_eq!(detail["definition"]["input_schema"]["type"], "object");
    let detail = browser.data(&path(&child)).await;
    assert_eq!(detail["parent"]["number"], "t1");
    assert_eq!(detail["call"]["arguments"], json!({"topic": "tides"}));
    events.until("both end", |shown| shown.is("t1", "completed")).await;
    let detail = browser.data(&path(&child)).await;
    assert_eq!(detail["outcome"], json!({"completed": "three sources agree on tides"}));
    agent.close().await.unwrap();
}

/// Says the same again.
#[async_tool(effect = "read")]
fn echo(text: String) -> String {
    text
}

#[tokio::test(start_paused = true)]
async fn the_conversation_of_each_turn_is_what_the_model_was_given() {
    let manager = AsyncToolManager::builder().tools(tools![echo]).build().unwrap();
    let agent = AsyncAgent::builder(RulePlanner::new(), manager);
    let agent = agent
        .session("ann")
        .system("Be brief.")
        .prune(PrunePolicy::new(3_000))
        .start()
        .await
        .unwrap();
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    for round in 0..12 {
        agent
            .run_to_completion(format!("echo {}", format!("{round} ").repeat(300)))
            .await
            .unwrap();
    }
    let whole = browser.data("/api/transcript?session=ann").await;
    assert_eq!(whole["system"]["text"].as_str().unwrap(), agent.system().unwrap());
    assert_eq!(whole["tools"][0]["name"], "echo");
    let tokens = whole["tokens"].as_object().unwrap();
    let sum: u64 = tokens
        .iter()
        .filter(|(name, _)| *name != "all")
        .map(|(_, count)| count.as_u64().unwrap())
        .sum();
    assert_eq!(tokens["all"], sum);
    assert!(whole["pruned"]["dropped"].as_u64().unwrap() > 0, "{}", whole["pruned"]);

    // The marks agree with the library's own view.
    let transcript = agent.transcript().await.unwrap();
    let pruned = serde_json::from_value(json!({
        "collapsed": whole["pruned"]["collapsed"], "dropped": whole["pruned"]["dropped"], "cuts": whole["pruned"]["cuts"], "status": "",
    }))
    .unwrap();
    let view = pruned_view(&transcript, &pruned);
    let messages = whole["messages"].as_array().unwrap();
    let seen: Vec<&Value> = messages.iter().filter(|message| message["mark"] != "dropped").collect();
    assert_eq!(seen.len(), view.len());
    for (shown, message) in seen.iter().zip(&view) {
        let kind = match &**message {
            Message::User { .. } => "user",
            Message::Assistant { .. } => "assistant",
            Message::Answers(_) => "answers",
            Message::Delivery { .. } => "delivery",
            _ => "note",
        };
        assert_eq!(shown["kind"], kind);
    }
    let indexes: Vec<u64> = messages
        .iter()
        .filter_map(|message| message["index"].as_u64())
        .collect();
    assert!(
        indexes.iter().copied().eq(0..transcript.len() as u64),
        "every message is shown or marked as left out"
    );

    // The first turn saw one message, of which nothing was left out.
    let first = browser.data("/api/transcript?session=ann&turn=1").await;
    assert_eq!(first["messages"].as_array().unwrap().len(), 1);
    assert_eq!(first["messages"][0]["mark"], "whole");
    assert_eq!(first["messages"][0]["turn"], 1);
    assert!(first["pruned"].is_null());
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_long_conversation_comes_in_pages() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    for round in 0..300 {
        agent.run_to_completion(format!("note {round}")).await.unwrap();
    }
    let (mut after, mut count, mut pages) = (0, 0, 0);
    loop {
        let page = browser
            .data(&format!("/api/transcript?session=ann&after={after}"))
            .await;
        count += page["messages"].as_array().unwrap().len();
        pages += 1;
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(count, agent.transcript().await.unwrap().len());
    assert!(pages > 1);
    agent.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn frames_are_told_apart_from_text_of_users() {
    let agent = agent().await;
    let browser = Browser::open(Inspector::new().agent(&agent)).await;
    agent.send("research <script>alert(1)</script>").await.unwrap();
    sleep(Duration::from_secs(3)).await;
    agent.run_until_idle().await.unwrap();
    let shown = browser.data("/api/transcript?session=ann").await;
    let parts: Vec<&Value> = shown["messages"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|message| message["parts"].as_array().unwrap())
        .collect();
    let kinds: Vec<&str> = parts.iter().map(|part| part["kind"].as_str().unwrap()).collect();
    let place = |kind: &str| kinds.iter().position(|known| *known == kind);
    assert!(
        place("call") < place("ack") && place("ack") < place("frame"),
        "{kinds:?}"
    );
    let frames: Vec<_> = parts.iter().filter(|part| part["kind"] == "frame").collect();
    assert_eq!((frames.len(), &frames[0]["tasks"]), (1, &json!(["t1"])));
    assert_eq!(
        (kinds[0], &parts[0]["text"]),
        ("text", &json!("research <script>alert(1)</script>"))
    );
    agent.close().await.unwrap();
}

/// Looks a word up.
#[async_tool(
    effect = "read",
    concurrency = 2,
    rate = "3/min",
    breaker(failures = 2, cooldown = "30s")
)]
async fn look_up(word: String) -> Result<String, ToolError> {
    match &*word {
        "bad" => Err(ToolError::failed("no such word")),
        _ => Ok(word),
    }
}

#[tokio::test(start_paused = true)]
async fn the_manager_shows_its_limits_and_when_a_breaker_closes() {
    let manager = AsyncToolManager::builder()
        .tools(tools![look_up])
        .concurrency(8)
        .build()
        .unwrap();
    let browser = Browser::open(Inspector::new().manager(&manager)).await;
    let session = SessionId::new("host");
    for (number, word) in ["bad", "bad"].into_iter().enumerate() {
        let call = ToolCall::new(format!("call_{number}"), "look_up", json!({"word": word}));
        manager.submit(&session, call).unwrap().outcome().await;
    }
    let mut events = browser.events(None).await;
    let shown = events
        .until("the manager is shown", |shown| {
            shown.manager["tools"][0]["breaker"]["state"] == "open"
        })
        .await;
    let tool = &shown.manager["tools"][0];
    assert_eq!(tool["tool"], "look_up");
    assert_eq!(tool["breaker"]["threshold"], 2);
    assert!(tool["breaker"]["until"].is_u64());
    assert_eq!(
        (&tool["rate"]["calls"], &tool["rate"]["used"], &tool["rate"]["per"]),
        (&json!(3), &json!(2), &json!(60_000))
    );
    assert_eq!(tool["concurrency"], json!({"limit": 2, "running": 0}));
    assert_eq!(shown.manager["slots"]["limit"], 8);
    assert_eq!(shown.manager["stats"]["failed"], 2);
}

#[tokio::test(start_paused = true)]
async fn tasks_without_an_agent_are_shown_and_stopped() {
    let manager = manager();
    let browser = Browser::open(Inspector::new().manager(&manager)).await;
    let session = SessionId::new("host/ä ?");
    let task = manager
        .submit(&session, ToolCall::new("call_1", "watch", json!({})))
        .unwrap();
    let mut events = browser.events(Some("host%2F%C3%A4%20%3F")).await;
    let shown = events.until("it is shown", |shown| shown.is("watch", "running")).await;
    assert_eq!(
        (&shown.session["row"]["source"], &shown.session["row"]["can_act"]),
        (&json!("tasks"), &json!(true))
    );
    let id = shown.task("watch").unwrap()["task"].clone();
    browser
        .must(json!({"act": "cancel", "session": "host/ä ?", "task": id, "reason": "enough"}))
        .await;
    events.until("it ends", |shown| shown.is("watch", "cancelled")).await;
    assert!(task.outcome().await.outcome.value().is_none());
    let (status, _) = browser.get("/api/transcript?session=host%2F%C3%A4%20%3F").await;
    assert_eq!(status, axum::http::StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_shown_by_session_and_priority() {
    let manager = manager();
    let browser = Browser::open(Inspector::new().manager(&manager)).await;
    for (session, count) in [("ann", 5), ("bob", 3)] {
        for number in 0..count {
            let call = ToolCall::new(format!("call_{number}"), "watch", json!({}));
            manager.submit(&SessionId::new(session), call).unwrap();
        }
    }
    let mut events = browser.events(None).await;
    let shown = events
        .until("it is shown", |shown| {
            shown.manager["queue"]["waiting"].as_u64() == Some(4)
        })
        .await;
    let queue = &shown.manager["queue"];
    assert_eq!(
        queue["by_priority"],
        json!({"resumed": 0, "high": 0, "normal": 4, "low": 0})
    );
    let sums: Vec<u64> = queue["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["running"].as_u64().unwrap() + session["waiting"]["normal"].as_u64().unwrap())
        .collect();
    assert_eq!(sums, [5, 3]);
    assert_eq!(shown.manager["slots"]["running"], 4);
}
