//! Lowering of a conversation to the `input` of a request to OpenAI Responses.
//!
//! # Invariants
//!
//! 1. The lowering is a pure function of the messages, the [`Rules`] and the given time. It remembers nothing, so the
//!    model sees the same after a restart.
//! 2. A call has at most one output in a request, because a provider treats a second as an orphan. If a call was
//!    answered with its acknowledgement, its result is a user message.
//! 3. An output stands behind its call. The result of a call that is no longer shown is a user message.
//! 4. The items of a turn go back unchanged and in order: reasoning stands before its call. `items.rs` lists the
//!    exceptions, which a strict server would refuse.
//! 5. A call and its output have the `call_id` that the server wrote, also if the server gave it to two calls.
//!
//! With native asynchronous calls ([guide](https://developers.openai.com/api/docs/guides/async-tool-calling)) a call
//! stays open until its result is there. `fate.rs` decides the life cycle that the protocol lacks.
//!
//! Deliberately absent: clocks, HTTP, and any use of a provider's own blocks beyond the calls in them.

mod fate;
mod items;
mod late;
mod media;
mod report;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use async_tool_runtime::{
    Message,
    content::MediaRules,
    context::{Answer, AnswerContent, said_media},
    task::{TaskAck, Timestamp},
};
use serde_json::{Value, json};

pub(crate) use self::items::{Kept, TASK_TOOL};
use self::{fate::Fates, items::Turn, report::Report};

/// Rules for showing calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// True if calls may stay open.
    pub(crate) native: bool,
    /// Maximum number of open calls.
    pub(crate) max_open: usize,
    /// Maximum time for which a call may be open.
    pub(crate) ttl: Duration,
    /// Time of the request.
    pub(crate) now: Timestamp,
    /// Images and files that the model takes.
    pub(crate) media: MediaRules,
}

/// Builds the `input` of a request.
pub(crate) fn lower<M: AsRef<Message>>(messages: &[M], rules: &Rules) -> Vec<Value> {
    let fates = Fates::of(messages, rules);
    let mut input = Vec::new();
    let mut turn = Turn::new("", &[], None);
    let output_of = |turn: Turn<'_>, answer: &Answer| media::output(&turn.sent_id(&answer.call), answer, rules);
    for (place, message) in messages.iter().enumerate() {
        match message.as_ref() {
            Message::User { .. } | Message::Note { .. } => {
                input.extend(media::user(&message.as_ref().said(&rules.media)))
            }
            Message::Assistant { text, calls, provider } => {
                turn = Turn::new(text, calls, provider.as_ref());
                input.extend(turn.items(rules.native, |call| fates.is_shown_open(place, call)));
            }
            Message::Answers(answers) => {
                input.extend(answers.iter().filter_map(|answer| match &answer.content {
                    AnswerContent::Report(_) => None,
                    AnswerContent::Ack(ack) if rules.native => {
                        is_told(&fates, ack).then(|| output_of(turn, &alone(answer, ack)))
                    }
                    AnswerContent::Ack(ack) => is_told(&fates, ack).then(|| output_of(turn, answer)),
                    _ => Some(output_of(turn, answer)),
                }));
                // Results come first, each as the output of its own call; the `task` tool's answers refer to them.
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
                input.extend(reports.into_iter().map(|(answer, report)| {
                    let content = AnswerContent::Report(report.into_value(&fates));
                    let answer = Answer::new(answer.call.clone(), Arc::clone(&answer.tool), content)
                        .with_media(answer.media().to_vec());
                    output_of(turn, &answer)
                }));
            }
            Message::Delivery { text, results, .. } => {
                let late = fates.late(place);
                for (call, task) in late {
                    if let Some(result) = results.iter().find(|result| result.task == *task) {
                        input.push(media::output(call, &late::answer(result, text), rules));
                    }
                }
                let told: Vec<_> = results
                    .iter()
                    .filter(|result| late.iter().any(|(_, task)| *task == result.task))
                    .filter_map(|result| result.number)
                    .collect();
                let rest = late::rest(text, &told, !late.is_empty());
                let others = results
                    .iter()
                    .filter(|result| result.number.is_none_or(|number| !told.contains(&number)));
                let said = said_media(rest.as_deref(), others.map(|result| &**result), &rules.media);
                input.extend(media::user(&said));
            }
            _ => {}
        }
    }
    input
}

/// The acknowledgement with its instruction: the one that has it may not be shown.
fn alone(answer: &Answer, ack: &TaskAck) -> Answer {
    let mut ack = ack.clone();
    ack.brief = false;
    Answer::new(answer.call.clone(), Arc::clone(&answer.tool), AnswerContent::Ack(ack))
}

/// True if the acknowledgement is shown as the call's answer. The call is left open otherwise.
fn is_told(fates: &Fates, ack: &TaskAck) -> bool {
    fates.is_acknowledged(ack.task)
}

/// An output as JSON text, quoted even for a string, so that a string can't imitate a frame of the session.
fn output(call: &str, value: &Value) -> Value {
    json!({"type": "function_call_output", "call_id": call, "output": value.to_string()})
}
