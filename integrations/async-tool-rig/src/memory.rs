//! The memory of a rig agent, made anew from the conversation in the journal.

use std::sync::Arc;

use async_tool_runtime::{
    Message,
    content::MediaRules,
    context::{Answer, AnswerContent, new_nonce},
    task::TaskAck,
};
use rig_core::message::{
    AssistantContent, AssistantMessage, CallId, Message as RigMessage, StopReason, Text, ToolCall, ToolFunction,
    ToolResult, ToolResultContent,
};
use serde_json::json;

use crate::{late, media, offered::plain_name};

/// The messages of the completed turns.
pub(crate) fn restored(conversation: &[Arc<Message>], rules: &MediaRules) -> Vec<RigMessage> {
    // Messages after the last completed turn come in the input of the next one. Only completed turns have a mark.
    let is_completed = |message: &Arc<Message>| matches!(&**message, Message::Assistant { provider: Some(_), .. });
    let end = conversation.iter().rposition(is_completed).map_or(0, |last| last + 1);
    let nonce = new_nonce();
    conversation[..end]
        .iter()
        .flat_map(|message| of_message(message, &nonce, rules))
        .collect()
}

fn of_message(message: &Message, nonce: &str, rules: &MediaRules) -> Vec<RigMessage> {
    match message {
        Message::User { .. } | Message::Delivery { .. } | Message::Note { .. } => {
            let content = media::content(message.said(rules));
            (!content.is_empty())
                .then_some(RigMessage::User { content })
                .into_iter()
                .collect()
        }
        Message::Assistant { text, calls, .. } => {
            let mut turn = Vec::new();
            if !calls.is_empty() {
                let made: Vec<ToolCall> = calls.iter().map(call_of).collect();
                // The agent itself got a receipt for each call.
                let receipts = made.iter().zip(calls).map(|(made, call)| ToolResult {
                    call: made.id.clone(),
                    name: made.function.name.clone(),
                    content: vec![ToolResultContent::json(json!({
                        "call": call.id,
                        "tool": call.name,
                        "status": "accepted",
                        "instruction": TaskAck::INSTRUCTION,
                    }))],
                    is_error: false,
                });
                let receipts = receipts.collect();
                let content = made.into_iter().map(AssistantContent::ToolCall).collect();
                let made = AssistantMessage::new(content).with_stop(StopReason::ToolUse);
                turn.push(RigMessage::Assistant(made));
                turn.push(RigMessage::tool_results(receipts));
            }
            if !text.trim().is_empty() {
                let content = vec![AssistantContent::Text(Text::new(text))];
                turn.push(RigMessage::Assistant(
                    AssistantMessage::new(content).with_stop(StopReason::Stop),
                ));
            }
            turn
        }
        Message::Answers(answers) => {
            let results: Vec<_> = answers.iter().filter_map(result_of).collect();
            let reports = answers.iter().filter_map(|answer| match &answer.content {
                AnswerContent::Report(content) => Some(json!({"call": answer.call, "answer": content}).to_string()),
                _ => None,
            });
            let results = (!results.is_empty()).then(|| late::text(&results, nonce));
            results.into_iter().chain(reports).flat_map(user).collect()
        }
        _ => Vec::new(),
    }
}

fn user(text: String) -> Vec<RigMessage> {
    if text.trim().is_empty() {
        Vec::new()
    } else {
        vec![RigMessage::user(text)]
    }
}

fn call_of(call: &async_tool_runtime::ToolCall) -> ToolCall {
    let function = ToolFunction::new(plain_name(&call.name), call.arguments.value().clone());
    ToolCall::new(CallId::from_wire(call.id.as_str()), function)
}

fn result_of(answer: &Answer) -> Option<Arc<async_tool_runtime::AsyncTaskResult>> {
    match &answer.content {
        AnswerContent::Result(result) | AnswerContent::Collapsed(result) => Some(Arc::clone(result)),
        _ => None,
    }
}
