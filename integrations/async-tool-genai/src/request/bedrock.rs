//! AWS Bedrock's Converse.

use async_tool_runtime::content::Media;
use serde_json::{Value, json};

use super::{Ask, Sent, base64_of};
use crate::{
    blocks::Part,
    lower::{Said, Turn},
};

pub(super) fn write(ask: &Ask<'_>) -> Sent {
    let mut body = json!({"messages": messages(ask)});
    if let Some(tokens) = ask.max_tokens {
        body["inferenceConfig"] = json!({"maxTokens": tokens});
    }
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
            Turn::User(said) => ("user", said_blocks(said)),
            Turn::Assistant(parts) => ("assistant", blocks(parts)),
            Turn::Answers(told) => {
                let results = told.iter().map(|told| {
                    let content = [json!({"text": told.text})].into_iter();
                    let content: Vec<Value> = content.chain(told.media.iter().map(media_block)).collect();
                    let mut result = json!({"toolUseId": told.call, "content": content});
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

fn said_blocks(said: &[Said]) -> Vec<Value> {
    let mut blocks: Vec<Value> = said
        .iter()
        .map(|part| match part {
            Said::Text(text) => json!({"text": text}),
            Said::Media(media) => media_block(media),
        })
        .collect();
    // A document without a text in its message is refused.
    let has_text = said.iter().any(|part| matches!(part, Said::Text(_)));
    if !has_text && blocks.iter().any(|block| block.get("document").is_some()) {
        blocks.insert(0, json!({"text": "(a document)"}));
    }
    blocks
}

/// Formats of documents
/// ([`DocumentBlock`](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html)).
const FORMATS: [(&str, &str); 9] = [
    ("application/pdf", "pdf"),
    ("text/plain", "txt"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("application/msword", "doc"),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    ("application/vnd.ms-excel", "xls"),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
];

fn media_block(media: &Media) -> Value {
    let source = json!({"bytes": base64_of(media)});
    let essence = media.essence();
    if let Some(format) = essence.strip_prefix("image/") {
        return json!({"image": {"format": format, "source": source}});
    }
    let format = FORMATS.iter().find(|(mime_type, _)| *mime_type == essence);
    let format = format.map_or("txt", |(_, format)| format);
    json!({"document": {"format": format, "name": document_name(media), "source": source}})
}

/// A name of the letters that the API takes: no dots, and no two spaces in a row.
fn document_name(media: &Media) -> String {
    let is_taken = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '(' | ')' | '[' | ']');
    let name = media.name().unwrap_or("document");
    let name = name.replace(|letter| !is_taken(letter), " ");
    let words: Vec<&str> = name.split_whitespace().collect();
    let name: String = words.join(" ").chars().take(200).collect();
    if name.is_empty() { "document".to_owned() } else { name }
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
