//! What the model is shown: a conversation becomes the `input` of a request to OpenAI Responses.
//!
//! # Invariants
//!
//! 1. The lowering is a function of the messages, the [`Rules`] and the time it is told. It remembers nothing, so a process that is started
//!    again shows the model the same.
//! 2. A call has at most one output in a request: a provider takes a second for an orphan. A call that was answered with its
//!    acknowledgement gets its result as a user message.
//! 3. An output stands behind its call. What is told of a call that isn't shown any more is a user message.
//! 4. The items of a turn go back as they came, in their order: reasoning stands before the call it led to.
//!
//! With native asynchronous calls ([guide](https://developers.openai.com/api/docs/guides/async-tool-calling)) a call stays open until its result is there.
//! The life cycle that the protocol lacks is decided in `fate.rs`.
//!
//! What is deliberately absent: clocks, HTTP, and any look at a provider's own blocks beyond the calls in them.

mod fate;
mod items;
mod late;
mod report;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_tool_runtime::{
    Message,
    context::{Answer, AnswerContent},
    task::{TaskAck, Timestamp},
};
use serde_json::{Value, json};

pub(crate) use self::items::{Kept, TASK_TOOL};
use self::{fate::Fates, report::Report};

/// How calls are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Whether calls may stay open.
    pub(crate) native: bool,
    /// How many calls may be open at once.
    pub(crate) max_open: usize,
    /// How long a call may be open.
    pub(crate) ttl: Duration,
    /// When the model is asked.
    pub(crate) now: Timestamp,
}

/// The `input` of a request.
pub(crate) fn lower<M: AsRef<Message>>(messages: &[M], rules: &Rules) -> Vec<Value> {
    let fates = Fates::of(messages, rules);
    let mut input = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        match message.as_ref() {
            Message::User { text } | Message::Note { text } => input.push(user(text)),
            Message::Assistant { text, calls, provider } => {
                input.extend(items::of_turn(text, calls, provider.as_ref(), rules.native));
            }
            Message::Answers(answers) => {
                input.extend(answers.iter().filter_map(|answer| match &answer.content {
                    AnswerContent::Report(_) => None,
                    AnswerContent::Ack(ack) => is_told(&fates, ack).then(|| output_of(answer)),
                    _ => Some(output_of(answer)),
                }));
                // Results first, each on its own call, and then what is said of them.
                let mut reports: Vec<(&Answer, Report)> = answers
                    .iter()
                    .filter_map(|answer| match &answer.content {
                        AnswerContent::Report(content) => Some((answer, Report::new(content))),
                        _ => None,
                    })
                    .collect();
                for (call, number) in fates.handed_over(place) {
                    let told = reports.iter_mut().find_map(|(_, report)| report.take(*number));
                    input.push(output(call, &told.unwrap_or(Value::Null)));
                }
                input.extend(
                    reports
                        .into_iter()
                        .map(|(answer, report)| output(answer.call.as_str(), &report.into_value(&fates))),
                );
            }
            Message::Delivery { text, results, .. } => {
                let late = fates.late(place);
                for (call, task) in late {
                    if let Some(result) = results.iter().find(|result| result.task == *task) {
                        input.push(output(call, &late::value(result, text)));
                    }
                }
                let told: Vec<_> = results
                    .iter()
                    .filter(|result| late.iter().any(|(_, task)| *task == result.task))
                    .filter_map(|result| result.number)
                    .collect();
                input.extend(late::rest(text, &told, !late.is_empty()).as_deref().map(user));
            }
            _ => {}
        }
    }
    input
}

/// Whether the acknowledgement is shown: what is not open is answered.
fn is_told(fates: &Fates, ack: &TaskAck) -> bool {
    fates.is_acknowledged(ack.task)
}

fn output_of(answer: &Answer) -> Value {
    output(answer.call.as_str(), &answer.to_model_json())
}

/// JSON text, also where it is a string: so it can't hold a frame of the session.
fn output(call: &str, value: &Value) -> Value {
    json!({"type": "function_call_output", "call_id": call, "output": value.to_string()})
}

fn user(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": text})
}
