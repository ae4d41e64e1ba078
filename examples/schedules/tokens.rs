//! A count of tokens that is the same for all: four bytes of what the model reads or writes are a token.
//!
//! It is the usual rule of thumb for English and JSON. It is wrong for each message by some tens of percent, and by the same for
//! every schedule, so that their differences are right.

use std::sync::Arc;

use async_tool_runtime::{Message, ToolCall, ToolDefinition};
use serde_json::json;

const BYTES: usize = 4;

/// The tokens of a text.
pub(crate) fn count(text: &str) -> u64 {
    text.len().div_ceil(BYTES) as u64
}

pub(crate) fn of_call(call: &ToolCall) -> u64 {
    count(&json!({"id": call.id, "name": call.name, "arguments": call.arguments}).to_string())
}

/// What the model reads before the conversation: the system prompt and the tools.
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
        Message::User { text } | Message::Delivery { text, .. } | Message::Note { text } => count(text),
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
