//! The rules of calls and answers in what a model is shown.

use std::sync::Arc;

use async_tool_runtime::Message;

/// Invariants 4 and 5: every call has exactly one answer, directly after the message that made it, and nothing else is in that
/// message.
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
