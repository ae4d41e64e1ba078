//! OpenAI's Responses, without state on the server.

use async_tool_runtime::content::{Media, MediaKind};
use serde_json::{Value, json};

use super::{Ask, Form, Sent, joined, name_of, url_of};
use crate::{
    blocks::Part,
    lower::{Said, Turn},
};

pub(super) fn write(ask: &Ask<'_>) -> Sent {
    let mut body = json!({"model": ask.model, "stream": ask.stream, "store": false, "input": input(ask)});
    if let Some(system) = &ask.conversation.system {
        body["instructions"] = json!(system);
    }
    if let Some(effort) = ask.effort {
        body["reasoning"]["effort"] = json!(effort.word());
    }
    if ask.summarizes {
        body["reasoning"]["summary"] = json!("auto");
    }
    if ask.thinks {
        body["include"] = json!(["reasoning.encrypted_content"]);
    }
    if !ask.conversation.tools.is_empty() {
        let tools = ask.conversation.tools.iter().map(|tool| {
            json!({
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema,
                // Left out, the API applies it to schemas that are not written for it.
                "strict": tool.strict,
            })
        });
        body["tools"] = tools.collect();
    }
    match &ask.form {
        Form::Text => {}
        Form::Json => body["text"] = json!({"format": {"type": "json_object"}}),
        Form::Schema(schema) => {
            let format = json!({"type": "json_schema", "name": "answer", "strict": false, "schema": schema});
            body["text"] = json!({"format": format});
        }
    }
    if let Some(tokens) = ask.max_tokens {
        body["max_output_tokens"] = json!(tokens);
    }
    Sent {
        path: "responses".to_owned(),
        body,
    }
}

fn input(ask: &Ask<'_>) -> Vec<Value> {
    let mut items = Vec::new();
    for turn in &ask.conversation.turns {
        match turn {
            Turn::User(said) => {
                let content = joined(said).map_or_else(|| said.iter().map(said_part).collect(), |text| json!(text));
                items.push(json!({"role": "user", "content": content}));
            }
            Turn::Assistant(parts) => items.extend(parts.iter().filter_map(item)),
            Turn::Answers(told) => {
                let outputs = told.iter().map(|told| {
                    let mut output = json!({"type": "function_call_output", "call_id": told.call, "output": told.text});
                    if !told.media.is_empty() {
                        let text = json!({"type": "input_text", "text": told.text});
                        output["output"] = [text].into_iter().chain(told.media.iter().map(media_part)).collect();
                    }
                    output
                });
                items.extend(outputs);
            }
        }
    }
    items
}

fn said_part(part: &Said) -> Value {
    match part {
        Said::Text(text) => json!({"type": "input_text", "text": text}),
        Said::Media(media) => media_part(media),
    }
}

fn media_part(media: &Media) -> Value {
    match (media.kind(), media.as_url()) {
        (MediaKind::Image, _) => json!({"type": "input_image", "detail": "auto", "image_url": url_of(media)}),
        (_, Some(url)) => json!({"type": "input_file", "file_url": url}),
        _ => json!({"type": "input_file", "filename": name_of(media), "file_data": url_of(media)}),
    }
}

fn item(part: &Part) -> Option<Value> {
    match part {
        Part::Text(text) => Some(json!({
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text}],
        })),
        Part::Signature(thought) => Some(json!({"type": "reasoning", "encrypted_content": thought, "summary": []})),
        Part::Call(call) => Some(json!({
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments.to_string(),
        })),
        Part::Custom(item) => {
            let mut item = item.clone();
            if let Value::Object(fields) = &mut item {
                // The API sends the status, but takes only some of its values back.
                fields.remove("status");
            }
            Some(item)
        }
        Part::Reasoning(_) => None,
    }
}
