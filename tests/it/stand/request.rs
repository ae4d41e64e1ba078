//! Messages that a model is shown, read from its requests.

use std::sync::Arc;

use async_tool_runtime::{Message, context::Answer, model::ModelRequest};
use serde_json::{Value, json};

/// The tasks in the deliveries of a request, delivery by delivery.
pub(crate) fn delivered(request: &ModelRequest) -> Vec<Vec<String>> {
    let tasks = request.messages.iter().filter_map(|message| match &**message {
        Message::Delivery { tasks, .. } => Some(tasks.iter().map(ToString::to_string).collect()),
        _ => None,
    });
    tasks.collect()
}

/// The last answers in a request, as the model reads them.
pub(crate) fn answers(request: &ModelRequest) -> Vec<Value> {
    let answers = request.messages.iter().rev().find_map(|message| match &**message {
        Message::Answers(answers) => Some(answers.iter().map(Answer::to_model_json).collect()),
        _ => None,
    });
    answers.expect("calls were answered")
}

/// All messages of a request, as text.
pub(crate) fn text_of(request: &ModelRequest) -> String {
    let messages = request.messages.iter().map(|message| match &**message {
        Message::Answers(answers) => {
            let answers: Vec<Value> = answers.iter().map(Answer::to_model_json).collect();
            json!(answers).to_string()
        }
        Message::Delivery { text, .. } => text.clone(),
        other => format!("{other:?}"),
    });
    messages.collect::<Vec<_>>().join("\n")
}

/// Promises 4 and 5: every call has exactly one answer, directly after the message that made it, and that message holds
/// no
/// other answer.
pub(crate) fn check_answers(messages: &[Arc<Message>]) {
    let mut open: Option<Vec<String>> = None;
    for message in messages {
        match (&**message, open.take()) {
            (Message::Assistant { calls, .. }, None) => {
                open = (!calls.is_empty()).then(|| calls.iter().map(|call| call.id.to_string()).collect());
            }
            (Message::Answers(answers), Some(calls)) => {
                let answered: Vec<String> = answers.iter().map(|answer| answer.call.to_string()).collect();
                assert_eq!(answered, calls, "invariant 4: every call has exactly one answer");
            }
            (Message::Answers(_), None) => panic!("invariant 5: an answer without a call"),
            (other, Some(calls)) => panic!("invariant 4: {other:?} comes before the answers to {calls:?}"),
            (_, None) => {}
        }
    }
    assert!(
        open.is_none(),
        "invariant 4: the model is asked while {open:?} have no answer"
    );
}
