//! Checks of an agent's events, and of the messages that its model was shown.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::timeline;
use crate::{
    agent::{AgentEvent, AgentEventKind, AgentEventStream},
    context::{Answer, AnswerContent, Message},
    id::TaskNo,
};

/// Reads events up to the first for which `is_it` is true, and returns it.
///
/// ```
/// use async_tool_runtime::testing::{ScriptedModel, run_paused, until};
/// use async_tool_runtime::{AgentEventKind, AsyncAgent, AsyncToolManager};
/// use std::time::Duration;
///
/// # run_paused(async {
/// let manager = AsyncToolManager::builder().build()?;
/// let agent = AsyncAgent::builder(ScriptedModel::new().text("hello yourself"), manager).start().await?;
/// let mut events = agent.events();
/// agent.send("hello").await?;
/// until(&mut events, Duration::from_secs(5), |event| matches!(event, AgentEventKind::TurnEnded { .. })).await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If there is no such event within `limit`, or before the session ends; the message has the last events. With a paused clock, the limit
/// is virtual time.
pub async fn until(
    events: &mut AgentEventStream,
    limit: Duration,
    mut is_it: impl FnMut(&AgentEventKind) -> bool,
) -> AgentEvent {
    let began = Instant::now();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let what = match timeout_at(began + limit, events.next()).await {
            Ok(Some(event)) if is_it(&event.kind) => return event,
            Ok(Some(event)) => {
                seen.push(format!("{:?}", event.kind));
                continue;
            }
            Ok(None) => "before the session was over".to_owned(),
            Err(_) => format!("within {limit:?}"),
        };
        let last = seen.split_off(seen.len().saturating_sub(20));
        panic!(
            "the expected event did not come {what}; the last of {} events:\n  {}",
            seen.len() + last.len(),
            last.join("\n  ")
        );
    }
}

/// Answers to the call of a task: its acknowledgement, or its result. An agent gives each call exactly one answer.
///
/// ```
/// use async_tool_runtime::testing::{Gates, ScriptedModel, answers_of, run_paused};
/// use async_tool_runtime::{
///     context::AnswerContent, model::ModelStream, AsyncAgent, AsyncToolManager, TaskNo, ToolCall,
/// };
/// # use serde_json::json;
/// # use std::time::Duration;
///
/// # run_paused(async {
/// # let gates = Gates::new();
/// # let model = ScriptedModel::new()
/// #     .turn(|_| ModelStream::calls([ToolCall::new("call_1", "gate", json!({"name": "a"}))]))
/// #     .text("I wait.")
/// #     .text("There it is.");
/// # let manager = AsyncToolManager::builder().tool(gates.tool()).build()?;
/// # let agent = AsyncAgent::builder(model, manager).start().await?;
/// agent.send("go").await?; // The model calls a tool.
/// gates.arrived("a", 1).await;
/// tokio::time::sleep(Duration::from_secs(1)).await; // Its call is acknowledged meanwhile.
/// gates.open("a", 42);
/// agent.run_until_idle().await?;
///
/// let transcript = agent.transcript().await?;
/// let answers = answers_of(&transcript, TaskNo::new(1));
/// assert!(matches!(answers[..], [answer] if matches!(answer.content, AnswerContent::Ack(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn answers_of(messages: &[Arc<Message>], task: TaskNo) -> Vec<&Answer> {
    let answers = messages.iter().filter_map(|message| match &**message {
        Message::Answers(answers) => Some(answers),
        _ => None,
    });
    let is_its = |answer: &&Answer| match &answer.content {
        AnswerContent::Ack(ack) => ack.number == Some(task),
        AnswerContent::Result(result) | AnswerContent::Collapsed(result) => result.number == Some(task),
        AnswerContent::Report(_) => false,
    };
    answers.flatten().filter(is_its).collect()
}

/// Texts of the deliveries that contain the result of a task. An agent delivers each result at most once.
///
/// ```
/// use async_tool_runtime::testing::{Gates, ScriptedModel, deliveries_of, run_paused};
/// use async_tool_runtime::{model::ModelStream, AsyncAgent, AsyncToolManager, TaskNo, ToolCall};
/// # use serde_json::json;
/// # use std::time::Duration;
///
/// # run_paused(async {
/// # let gates = Gates::new();
/// # let model = ScriptedModel::new()
/// #     .turn(|_| ModelStream::calls([ToolCall::new("call_1", "gate", json!({"name": "a"}))]))
/// #     .text("I wait.")
/// #     .text("There it is.");
/// # let manager = AsyncToolManager::builder().tool(gates.tool()).build()?;
/// # let agent = AsyncAgent::builder(model, manager).start().await?;
/// agent.send("go").await?; // The model calls a tool.
/// gates.arrived("a", 1).await;
/// tokio::time::sleep(Duration::from_secs(1)).await; // Its call is acknowledged meanwhile.
/// gates.open("a", 42);
/// agent.run_until_idle().await?;
///
/// let transcript = agent.transcript().await?;
/// let deliveries = deliveries_of(&transcript, TaskNo::new(1));
/// assert!(matches!(deliveries[..], [text] if text.contains("42")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn deliveries_of(messages: &[Arc<Message>], task: TaskNo) -> Vec<&str> {
    let deliveries = messages.iter().filter_map(|message| match &**message {
        Message::Delivery { tasks, text, .. } if tasks.contains(&task) => Some(text.as_str()),
        _ => None,
    });
    deliveries.collect()
}

/// Checks that the model was shown the result of a task exactly once.
///
/// The result is the answer to the call, or part of a delivery, or part of an answer of the `task` tool.
///
/// ```
/// use async_tool_runtime::testing::{Gates, ScriptedModel, assert_told_once, run_paused};
/// use async_tool_runtime::{model::ModelStream, AsyncAgent, AsyncToolManager, TaskNo, ToolCall};
/// # use serde_json::json;
/// # use std::time::Duration;
///
/// # run_paused(async {
/// # let gates = Gates::new();
/// # let model = ScriptedModel::new()
/// #     .turn(|_| ModelStream::calls([ToolCall::new("call_1", "gate", json!({"name": "a"}))]))
/// #     .text("I wait.")
/// #     .text("There it is.");
/// # let manager = AsyncToolManager::builder().tool(gates.tool()).build()?;
/// # let agent = AsyncAgent::builder(model, manager).start().await?;
/// agent.send("go").await?; // The model calls a tool.
/// gates.arrived("a", 1).await;
/// tokio::time::sleep(Duration::from_secs(1)).await; // Its call is acknowledged meanwhile.
/// gates.open("a", 42);
/// agent.run_until_idle().await?;
///
/// assert_told_once(&agent.transcript().await?, TaskNo::new(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If the result was never shown, or more than once; the message has the conversation.
#[track_caller]
pub fn assert_told_once(messages: &[Arc<Message>], task: TaskNo) {
    let answers = answers_of(messages, task);
    let results = answers
        .iter()
        .filter(|answer| matches!(answer.content, AnswerContent::Result(_) | AnswerContent::Collapsed(_)))
        .count();
    let deliveries = deliveries_of(messages, task).len();
    let reports = reports_of(messages, task);
    // Reading a result again with the `task` tool doesn't count.
    let times = match results + deliveries {
        0 => reports.min(1),
        times => times,
    };
    let conversation = || {
        messages
            .iter()
            .map(|message| format!("\n  {}", timeline::line(message)))
            .collect::<String>()
    };
    assert!(
        times == 1,
        "the result of {task} was shown {times} times, expected once:{}",
        conversation()
    );
    assert!(
        answers.len() == 1,
        "the call of {task} has {} answers, expected one:{}",
        answers.len(),
        conversation()
    );
}

/// Number of answers of the `task` tool that contain the result of a task.
fn reports_of(messages: &[Arc<Message>], task: TaskNo) -> usize {
    let name = task.to_string();
    let is_told = |row: &Value| {
        let is_over = matches!(
            row["status"].as_str(),
            Some("completed" | "failed" | "cancelled" | "unknown")
        );
        row["task"].as_str() == Some(&name) && is_over
    };
    let answers = messages.iter().filter_map(|message| match &**message {
        Message::Answers(answers) => Some(answers),
        _ => None,
    });
    let reports = answers.flatten().filter_map(|answer| match &answer.content {
        AnswerContent::Report(report) => Some(report),
        AnswerContent::Ack(_) | AnswerContent::Result(_) | AnswerContent::Collapsed(_) => None,
    });
    let holds =
        |report: &&Value| is_told(report) || report["tasks"].as_array().is_some_and(|rows| rows.iter().any(is_told));
    reports.filter(holds).count()
}
