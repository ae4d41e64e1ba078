//! Schedules in which the model waits while tools run.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    Message, ToolDefinition,
    context::{Answer, AnswerContent},
};

use crate::{
    bill::Bill,
    clerk::{self, Clerk, Part, TOOL},
};

/// Order of the calls of a turn; the model waits for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// One after the other.
    OneByOne,
    /// Concurrently, as in most frameworks.
    Together,
}

/// Simulates the schedule; returns the bill and the conversation.
pub(crate) fn run(clerk: &Clerk, tools: &[ToolDefinition], order: Order) -> (Bill, Vec<Arc<Message>>) {
    let trace = clerk.trace();
    let (mut bill, mut now) = (Bill::default(), Duration::ZERO);
    let mut messages = Vec::new();
    let mut to_come = trace.messages.iter().peekable();
    loop {
        let mut is_asked = matches!(
            messages.last().map(|message: &Arc<Message>| &**message),
            Some(Message::Answers(_))
        );
        while let Some((_, text)) = to_come.next_if(|(at, _)| *at <= now) {
            messages.push(Arc::new(Message::user((*text).to_owned())));
            is_asked = true;
        }
        if !is_asked {
            match to_come.peek() {
                Some((at, _)) => now = *at,
                None => return (bill, messages),
            }
            continue;
        }
        let (parts, took) = bill.ask(clerk, tools, &messages, now);
        now += took;
        let (text, calls) = split(parts);
        let answers: Vec<Answer> = calls
            .iter()
            .map(|(place, _)| {
                Answer::new(
                    clerk::call_id(*place).into(),
                    TOOL,
                    AnswerContent::Report(clerk::result(*place)),
                )
            })
            .collect();
        let times = calls.iter().map(|(place, _)| trace.calls[*place].takes);
        now += match order {
            Order::OneByOne => times.sum(),
            Order::Together => times.max().unwrap_or_default(),
        };
        let calls: Vec<_> = calls.into_iter().map(|(_, call)| call).collect();
        messages.push(Arc::new(Message::Assistant {
            text,
            calls,
            provider: None,
        }));
        if !answers.is_empty() {
            messages.push(Arc::new(Message::Answers(answers)));
        }
    }
}

/// Text of a turn, and its calls with their indices in the trace.
pub(crate) fn split(parts: crate::bill::Paced) -> (String, Vec<(usize, async_tool_runtime::ToolCall)>) {
    let (mut text, mut calls) = (String::new(), Vec::new());
    for (_, part) in parts {
        match part {
            Part::Text(piece) => text += &piece,
            Part::Call(call) => {
                let place = call.arguments["n"].as_u64().unwrap_or_default();
                calls.push((usize::try_from(place).unwrap_or_default(), call));
            }
        }
    }
    (text, calls)
}
