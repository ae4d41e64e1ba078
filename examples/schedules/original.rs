//! The schedule of mikegc-aws/async-agentic-tools, a Python library that inspired this one.
//!
//! A call is answered with an id at once, and the model continues. Every result is a message and a model call of its own. Messages that
//! come while the model is busy wait. In the Python library, results that come while the agent is idle can start several model calls at
//! once: a race between checking and setting its flag. This simulation plays them one after the other, as intended.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    Message, ToolDefinition,
    context::{Answer, AnswerContent},
};
use serde_json::json;

use crate::{
    bill::Bill,
    blocking::split,
    clerk::{self, Clerk, TOOL},
};

enum News {
    Said(String),
    Completed(usize),
}

/// Simulates the schedule; returns the bill and the conversation.
pub(crate) fn run(clerk: &Clerk, tools: &[ToolDefinition]) -> (Bill, Vec<Arc<Message>>) {
    let trace = clerk.trace();
    let said = trace
        .messages
        .iter()
        .map(|(at, text)| (*at, News::Said((*text).to_owned())));
    let mut to_come: Vec<(Duration, News)> = said.collect();
    let (mut bill, mut now) = (Bill::default(), Duration::ZERO);
    let mut messages = Vec::new();
    while let Some(next) = (0..to_come.len()).min_by_key(|place| to_come[*place].0) {
        let (at, news) = to_come.remove(next);
        now = now.max(at);
        messages.push(Arc::new(match news {
            News::Said(text) => Message::user(text),
            News::Completed(place) => Message::Delivery {
                tasks: Vec::new(),
                results: Vec::new(),
                text: format!(
                    "The tool {TOOL} (task {}) has completed: {}",
                    id(place),
                    clerk::result(place)
                ),
            },
        }));
        loop {
            let (parts, took) = bill.ask(clerk, tools, &messages, now);
            now += took;
            let (text, calls) = split(parts);
            let answers: Vec<Answer> = calls
                .iter()
                .map(|(place, _)| {
                    let ack =
                        json!({"task_id": id(*place), "status": "running", "note": "you will be sent the result"});
                    Answer::new(clerk::call_id(*place).into(), TOOL, AnswerContent::Report(ack))
                })
                .collect();
            to_come.extend(
                calls
                    .iter()
                    .map(|(place, _)| (now + trace.calls[*place].takes, News::Completed(*place))),
            );
            let calls: Vec<_> = calls.into_iter().map(|(_, call)| call).collect();
            messages.push(Arc::new(Message::Assistant {
                text,
                calls,
                provider: None,
            }));
            if answers.is_empty() {
                break;
            }
            messages.push(Arc::new(Message::Answers(answers)));
        }
    }
    (bill, messages)
}

/// Id of a task. It is as long as the UUIDs of the Python library, so that it costs as many tokens.
fn id(place: usize) -> String {
    format!("0192c4e0-7b1a-7c3e-9d5f-{place:012}")
}
