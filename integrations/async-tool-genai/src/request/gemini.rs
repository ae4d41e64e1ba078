//! Google's generateContent, also on Vertex AI.

use async_tool_runtime::content::Media;
use serde_json::{Map, Value, json};

use super::{Ask, Form, Sent, base64_of};
use crate::{
    Provider,
    blocks::{Part, SentCall},
    effort::Effort,
    lower::{Said, Turn},
};

/// Signature that Gemini 3 accepts for a call that has none, such as another model's.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

pub(super) fn write(ask: &Ask<'_>) -> Sent {
    let mut body = json!({"contents": contents(ask)});
    if let Some(system) = &ask.conversation.system {
        body["systemInstruction"] = json!({"parts": [{"text": system}]});
    }
    if !ask.conversation.tools.is_empty() {
        let tools = ask.conversation.tools.iter().map(
            |tool| json!({"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.schema}),
        );
        body["tools"] = json!([{"functionDeclarations": tools.collect::<Vec<_>>()}]);
    }
    let mut config = Map::new();
    if let Some(effort) = ask.effort {
        let thinks_in_levels = ["gemini-3", "gemma-4"].iter().any(|family| ask.model.contains(family));
        let level = match effort {
            Effort::None => None,
            Effort::Minimal => Some("MINIMAL"),
            Effort::Low => Some("LOW"),
            Effort::Medium => Some("MEDIUM"),
            Effort::High | Effort::XHigh | Effort::Max => Some("HIGH"),
        };
        let thinking = if thinks_in_levels {
            level.map(|level| json!({"thinkingLevel": level}))
        } else {
            Some(json!({"thinkingBudget": effort.budget()}))
        };
        config.extend(thinking.map(|thinking| ("thinkingConfig".to_owned(), thinking)));
    }
    if let Form::Schema(schema) = &ask.form {
        config.insert("responseMimeType".to_owned(), json!("application/json"));
        config.insert("responseJsonSchema".to_owned(), schema.clone());
    }
    if let Some(tokens) = ask.max_tokens {
        config.insert("maxOutputTokens".to_owned(), json!(tokens));
    }
    if !config.is_empty() {
        body["generationConfig"] = Value::Object(config);
    }
    let publisher = if ask.provider == Provider::Vertex {
        "publishers/google/"
    } else {
        ""
    };
    let method = if ask.stream {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    };
    Sent {
        path: format!("{publisher}models/{}:{method}", ask.model),
        body,
    }
}

fn contents(ask: &Ask<'_>) -> Vec<Value> {
    let mut contents = Vec::new();
    for turn in &ask.conversation.turns {
        let (role, parts) = match turn {
            Turn::User(said) => ("user", said.iter().map(said_part).collect()),
            Turn::Assistant(parts) => ("model", said(parts, ask.model.contains("gemini-3"))),
            Turn::Answers(told) => {
                let parts = told.iter().map(|told| {
                    let response = json!({"name": told.tool, "content": told.text});
                    let mut answer = json!({"name": told.tool, "response": response});
                    if !told.media.is_empty() {
                        answer["parts"] = told.media.iter().map(media_part).collect();
                    }
                    if let Some(id) = own_id(&told.call) {
                        answer["id"] = json!(id);
                    }
                    json!({"functionResponse": answer})
                });
                ("user", parts.collect())
            }
        };
        if !parts.is_empty() {
            contents.push(json!({"role": role, "parts": parts}));
        }
    }
    contents
}

fn said_part(part: &Said) -> Value {
    match part {
        Said::Text(text) => json!({"text": text}),
        Said::Media(media) => media_part(media),
    }
}

fn media_part(media: &Media) -> Value {
    match media.as_url() {
        Some(url) => json!({"fileData": {"mimeType": media.essence(), "fileUri": url}}),
        None => json!({"inlineData": {"mimeType": media.essence(), "data": base64_of(media)}}),
    }
}

/// The parts of a turn. A signature goes to the part after it.
fn said(parts: &[Part], wants_signature: bool) -> Vec<Value> {
    let signs = |signature: &str| {
        parts
            .iter()
            .any(|part| matches!(part, Part::Call(call) if call.signatures.iter().any(|own| own == signature)))
    };
    let mut sent: Vec<Value> = Vec::new();
    let mut pending: Option<&str> = None;
    let mut has_call = false;
    for part in parts {
        let (mut value, signature) = match part {
            Part::Signature(signature) => {
                if !signs(signature) {
                    pending = Some(signature);
                }
                continue;
            }
            Part::Text(text) => (json!({"text": text}), pending.take()),
            Part::Call(call) => {
                let own = call.signatures.first().map(String::as_str).or_else(|| pending.take());
                let is_first = !std::mem::replace(&mut has_call, true);
                let stand_in = (wants_signature && is_first).then_some(NO_SIGNATURE);
                (function_call(call), own.or(stand_in))
            }
            Part::Reasoning(_) | Part::Custom(_) => continue,
        };
        if let Some(signature) = signature {
            value["thoughtSignature"] = json!(signature);
        }
        sent.push(value);
    }
    // A signature at the end came in a part without text, which belongs to the part before it.
    if let (Some(signature), Some(last)) = (pending, sent.last_mut())
        && last.get("thoughtSignature").is_none()
    {
        last["thoughtSignature"] = json!(signature);
    }
    sent
}

fn function_call(call: &SentCall) -> Value {
    let mut made = json!({"name": call.name, "args": call.arguments});
    if let Some(id) = own_id(&call.id) {
        made["id"] = json!(id);
    }
    json!({"functionCall": made})
}

/// The id that Gemini gave; `None` if the assembly made one up. Such calls are paired with their answers by
/// their order.
fn own_id(id: &str) -> Option<&str> {
    (!id.is_empty() && !id.starts_with("call#")).then_some(id)
}
