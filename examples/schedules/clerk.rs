//! A scripted model, the same for every schedule.

use std::sync::Arc;

use async_tool_runtime::{Message, ToolCall, context::AnswerContent};
use serde_json::{Value, json};

use crate::{tokens, trace::Trace};

pub(crate) const TOOL: &str = "look_up";
const CONCLUSION: &str = "That is all of it. What the sources say fits together: the first of them names the cause, the others \
    confirm it from different sides, and none of them contradicts. I would act on the first finding, keep the second in mind, and \
    ignore the rest unless something changes. If you want to know more about one of them, say which, and I'll look deeper into it.";

/// A model that makes each call of a trace as soon as its arguments are known, and writes its conclusion when it has all results.
#[derive(Clone)]
pub(crate) struct Clerk {
    trace: Arc<Trace>,
    /// True if the result of another call may be an argument before that call has ended.
    futures: bool,
}

/// Part of a turn.
pub(crate) enum Part {
    Text(String),
    Call(ToolCall),
}

impl Part {
    pub(crate) fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => tokens::count(text),
            Self::Call(call) => tokens::of_call(call),
        }
    }
}

impl Clerk {
    pub(crate) fn new(trace: Arc<Trace>, futures: bool) -> Self {
        Self { trace, futures }
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Next turn after these messages.
    pub(crate) fn turn(&self, messages: &[Arc<Message>]) -> Vec<Part> {
        let made = calls_made(messages);
        let is_in: Vec<bool> = (0..self.trace.calls.len())
            .map(|place| times_shown(messages, place) > 0)
            .collect();
        let ready: Vec<Part> = (0..self.trace.calls.len())
            .filter(|place| !made.contains(&call_id(*place)))
            .filter_map(|place| self.call(place, &is_in))
            .collect();
        if !ready.is_empty() {
            return ready;
        }
        let count = is_in.iter().filter(|is_in| **is_in).count();
        let text = match count == is_in.len() {
            true => CONCLUSION.to_owned(),
            false => format!(
                "{count} of {} results are in. I'll go on when the others are; ask me anything meanwhile.",
                is_in.len()
            ),
        };
        vec![Part::Text(text)]
    }

    /// Call at this index of the trace; `None` if the result that it needs is not known.
    fn call(&self, place: usize, is_in: &[bool]) -> Option<Part> {
        let mut arguments = json!({"n": place, "topic": "the migration of the arctic tern"});
        if let Some(source) = self.trace.calls[place].needs {
            arguments["after"] = match (is_in[source], self.futures) {
                (true, _) => json!(result_id(source)),
                (false, true) => json!({"$task": format!("#{}", source + 1), "pointer": "/id"}),
                (false, false) => return None,
            };
        }
        Some(Part::Call(ToolCall::new(call_id(place), TOOL, arguments)))
    }
}

/// Result of a call.
pub(crate) fn result(place: usize) -> Value {
    json!({
        "id": result_id(place),
        "text": "It breeds in the north and winters in the south, and so sees two summers a year and more daylight than any other animal.",
    })
}

/// Number of times that the messages contain the result of a call.
pub(crate) fn times_shown(messages: &[Arc<Message>], place: usize) -> usize {
    let mark = format!(r#""id":"{}""#, result_id(place));
    let shown = messages.iter().map(|message| match &**message {
        Message::Answers(answers) => answers
            .iter()
            .filter(|answer| !matches!(answer.content, AnswerContent::Ack(_)))
            .map(|answer| answer.to_model_json().to_string().matches(&mark).count())
            .sum(),
        Message::Delivery { text, .. } => text.matches(&mark).count(),
        _ => 0,
    });
    shown.sum()
}

/// True if the model has written its conclusion.
pub(crate) fn is_concluded(messages: &[Arc<Message>]) -> bool {
    let is_it = |message: &Arc<Message>| matches!(&**message, Message::Assistant { text, .. } if text == CONCLUSION);
    messages.iter().any(is_it)
}

pub(crate) fn call_id(place: usize) -> String {
    format!("call_{place}")
}

fn result_id(place: usize) -> String {
    format!("finding_{place}")
}

fn calls_made(messages: &[Arc<Message>]) -> Vec<String> {
    let calls = messages.iter().filter_map(|message| match &**message {
        Message::Assistant { calls, .. } => Some(calls),
        _ => None,
    });
    calls.flatten().map(|call| call.id.to_string()).collect()
}
