//! Token count: a token is four bytes of the text that the model reads or writes.
//!
//! This is the usual rule of thumb for English and JSON. It is wrong by some tens of percent for a message. The error is the same for
//! every schedule, so it does not affect their comparison.

use std::sync::Arc;

use async_tool_runtime::{Message, ToolCall, ToolDefinition};
use serde_json::json;

const BYTES: usize = 4;

/// Number of tokens of a text.
pub(crate) fn count(text: &str) -> u64 {
    text.len().div_ceil(BYTES) as u64
}

pub(crate) fn of_call(call: &ToolCall) -> u64 {
    count(&json!({"id": call.id, "name": call.name, "arguments": call.arguments}).to_string())
}

/// Number of tokens before the conversation: those of the system prompt and of the tools.
pub(crate) fn of_prefix(system: &str, tools: &[ToolDefinition]) -> u64 {
    let tools = tools.iter().map(|tool| {
        let tool = json!({"name": tool.name, "description": tool.description, "parameters": tool.input_schema});
        count(&tool.to_string())
    });
    count(system) + tools.sum::<u64>()
}

pub(crate) fn of_messages(messages: &[Arc<Message>]) -> u64 {
    messages.iter().map(|message| of_message(message)).sum()
}

fn of_message(message: &Message) -> u64 {
    match message {
        Message::User { text, .. } | Message::Delivery { text, .. } | Message::Note { text } => count(text),
        Message::Assistant { text, calls, .. } => count(text) + calls.iter().map(of_call).sum::<u64>(),
        Message::Answers(answers) => {
            let answers = answers.iter().map(|answer| {
                let content = answer.to_model_json();
                count(&json!({"id": answer.call, "content": content}).to_string())
            });
            answers.sum()
        }
        _ => 0,
    }
}
