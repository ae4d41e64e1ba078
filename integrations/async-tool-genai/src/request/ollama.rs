//! Ollama's chat API.

use serde_json::{Value, json};

use super::{Ask, Form, Sent, base64_of};
use crate::{
    blocks::Part,
    lower::{Said, Turn},
};

pub(super) fn write(ask: &Ask<'_>) -> Sent {
    let mut body = json!({"model": ask.model, "stream": ask.stream, "messages": messages(ask)});
    if let Some(tokens) = ask.max_tokens {
        body["options"] = json!({"num_predict": tokens});
    }
    if !ask.conversation.tools.is_empty() {
        let tools = ask.conversation.tools.iter().map(|tool| {
            let function = json!({"name": tool.name, "description": tool.description, "parameters": tool.schema});
            json!({"type": "function", "function": function})
        });
        body["tools"] = tools.collect();
    }
    match &ask.form {
        Form::Text => {}
        Form::Json => body["format"] = json!("json"),
        Form::Schema(schema) => body["format"] = schema.clone(),
    }
    Sent {
        path: "api/chat".to_owned(),
        body,
    }
}

fn messages(ask: &Ask<'_>) -> Vec<Value> {
    let system = ask.conversation.system.iter();
    let mut messages: Vec<Value> = system.map(|text| json!({"role": "system", "content": text})).collect();
    for turn in &ask.conversation.turns {
        match turn {
            Turn::User(said) => messages.push(user(said)),
            Turn::Assistant(parts) => messages.push(assistant(parts)),
            Turn::Answers(told) => {
                // Ollama pairs them by their order.
                let answers = told
                    .iter()
                    .map(|told| json!({"role": "tool", "tool_name": told.tool, "content": told.text}));
                messages.extend(answers);
            }
        }
    }
    messages
}

/// Images stand beside the text, in their order.
fn user(said: &[Said]) -> Value {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in said {
        match part {
            Said::Text(text) => texts.push(text.as_str()),
            Said::Media(media) => images.push(base64_of(media)),
        }
    }
    let mut message = json!({"role": "user", "content": texts.join("\n\n")});
    if !images.is_empty() {
        message["images"] = json!(images);
    }
    message
}

fn assistant(parts: &[Part]) -> Value {
    let mut text = String::new();
    let mut calls: Vec<Value> = Vec::new();
    for part in parts {
        match part {
            Part::Text(more) => text.push_str(more),
            Part::Call(call) => {
                calls.push(json!({"function": {"name": call.name, "arguments": call.arguments}}));
            }
            Part::Signature(_) | Part::Reasoning(_) | Part::Custom(_) => {}
        }
    }
    let mut message = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    message
}
