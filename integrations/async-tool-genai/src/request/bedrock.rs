//! AWS Bedrock's Converse.

use serde_json::{Value, json};

use super::{Ask, Sent};
use crate::{blocks::Part, lower::Turn};

pub(super) fn write(ask: &Ask<'_>) -> Sent {
    let mut body = json!({
        "messages": messages(ask),
        "inferenceConfig": {"maxTokens": ask.max_tokens.unwrap_or_else(|| max_tokens(ask.model))},
    });
    if let Some(system) = &ask.conversation.system {
        body["system"] = json!([{"text": system}]);
    }
    if !ask.conversation.tools.is_empty() {
        let tools = ask.conversation.tools.iter().map(|tool| {
            let mut spec = json!({"name": tool.name, "inputSchema": {"json": tool.schema}});
            if !tool.description.is_empty() {
                spec["description"] = json!(tool.description);
            }
            json!({"toolSpec": spec})
        });
        body["toolConfig"] = json!({"tools": tools.collect::<Vec<_>>()});
    }
    let method = if ask.stream { "converse-stream" } else { "converse" };
    Sent {
        path: format!("model/{}/{method}", encoded(ask.model)),
        body,
    }
}

fn messages(ask: &Ask<'_>) -> Vec<Value> {
    // Other models than these refuse the flag.
    let has_status = ["anthropic", "nova"].iter().any(|family| ask.model.contains(family));
    let mut messages = Vec::new();
    for turn in &ask.conversation.turns {
        let (role, content): (_, Vec<Value>) = match turn {
            Turn::User(texts) => ("user", texts.iter().map(|text| json!({"text": text})).collect()),
            Turn::Assistant(parts) => ("assistant", blocks(parts)),
            Turn::Answers(told) => {
                let results = told.iter().map(|told| {
                    let mut result = json!({"toolUseId": told.call, "content": [{"text": told.text}]});
                    if told.is_error && has_status {
                        result["status"] = json!("error");
                    }
                    json!({"toolResult": result})
                });
                ("user", results.collect())
            }
        };
        if !content.is_empty() {
            messages.push(json!({"role": role, "content": content}));
        }
    }
    messages
}

/// The blocks of a turn, in the order in which they came. A signature with a text is a signed thought, one
/// without is an encrypted thought.
fn blocks(parts: &[Part]) -> Vec<Value> {
    let mut blocks = Vec::new();
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Text(text) => blocks.push(json!({"text": text})),
            Part::Signature(signature) => {
                let text = parts.next_if(|part| matches!(part, Part::Reasoning(_)));
                let thought = match text {
                    Some(Part::Reasoning(text)) => json!({"reasoningText": {"text": text, "signature": signature}}),
                    _ => json!({"redactedContent": signature}),
                };
                blocks.push(json!({"reasoningContent": thought}));
            }
            Part::Call(call) => blocks.push(json!({
                "toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments},
            })),
            Part::Reasoning(_) | Part::Custom(_) => {}
        }
    }
    blocks
}

/// A limit of output tokens that the model accepts; most require one.
fn max_tokens(model: &str) -> u32 {
    let has = |part: &str| model.contains(part);
    if has("claude-sonnet") || has("claude-haiku") || has("claude-opus-4-5") {
        64_000
    } else if has("claude-opus-4") {
        32_000
    } else if has("claude-3-5") {
        8_192
    } else if has("openai.") {
        // Reasoning counts too.
        16_384
    } else if has("amazon.") {
        5_000
    } else {
        4_096
    }
}

/// The model's id for a path: it has colons, and may be an ARN with slashes.
pub(crate) fn encoded(model: &str) -> String {
    let mut path = String::new();
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}
