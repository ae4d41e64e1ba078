//! What an agent did, and what its model was told.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::timeline;
use crate::{
    agent::{AgentEvent, AgentEventKind, AgentEventStream},
    context::{Answer, AnswerContent, Message},
    task::TaskNo,
};

/// Reads events up to the first that is the one, and gives it.
///
/// # Panics
///
/// If it doesn't come within `limit` (virtual time where time is paused), or the session ends before: the message has the last
/// events that came.
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
            "the event that was waited for did not come {what}; the last of the {} events before:\n  {}",
            seen.len() + last.len(),
            last.join("\n  ")
        );
    }
}

/// The answers to the call of a task: its acknowledgement, or its result. One, in any conversation that an agent leads.
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

/// The texts of the deliveries that hold the result of a task. At most one, in any conversation that an agent leads.
#[must_use]
pub fn deliveries_of(messages: &[Arc<Message>], task: TaskNo) -> Vec<&str> {
    let deliveries = messages.iter().filter_map(|message| match &**message {
        Message::Delivery { tasks, text, .. } if tasks.contains(&task) => Some(text.as_str()),
        _ => None,
    });
    deliveries.collect()
}

/// Checks that the model was told the result of a task, and once: as the answer to its call, in a delivery, or in an answer of the `task`
/// tool.
///
/// # Panics
///
/// If it was told nothing, or more than once; the message has the conversation.
#[track_caller]
pub fn assert_told_once(messages: &[Arc<Message>], task: TaskNo) {
    let answers = answers_of(messages, task);
    let results = answers
        .iter()
        .filter(|answer| matches!(answer.content, AnswerContent::Result(_) | AnswerContent::Collapsed(_)))
        .count();
    let deliveries = deliveries_of(messages, task).len();
    let reports = reports_of(messages, task);
    // Reading a result again with the `task` tool is no news.
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
        "{task} was told {times} times and not once:{}",
        conversation()
    );
    assert!(
        answers.len() == 1,
        "the call of {task} has {} answers:{}",
        answers.len(),
        conversation()
    );
}

/// How many answers of the `task` tool have the result of a task in them.
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
