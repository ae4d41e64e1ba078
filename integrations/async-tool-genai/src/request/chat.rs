//! Chat Completions.

use async_tool_runtime::content::MediaKind;
use serde_json::{Value, json};

use super::{Ask, Form, Sent, base64_of, joined, name_of, url_of};
use crate::{
    Provider,
    blocks::Part,
    effort::Effort,
    lower::{Said, Turn},
};

/// Output tokens that Fireworks is asked for. Its own default, 2,048, cuts answers; it lowers more to the
/// model's limit.
const FIREWORKS_TOKENS: u32 = 512_000;

pub(super) fn write(ask: &Ask<'_>) -> Sent {
    let mut body = json!({"model": model(ask), "stream": ask.stream, "messages": messages(ask)});
    if let Some(effort) = ask.effort {
        if ask.provider == Provider::DeepSeek {
            let thinking = if effort == Effort::None { "disabled" } else { "enabled" };
            body["thinking"] = json!({"type": thinking});
        }
        if ask.provider != Provider::DeepSeek || effort != Effort::None {
            body["reasoning_effort"] = json!(effort.word());
        }
    }
    if !ask.conversation.tools.is_empty() {
        let tools = ask.conversation.tools.iter().map(|tool| {
            let mut function = json!({
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema,
            });
            // `false` is the default, and would cost tokens with each request.
            if tool.strict {
                function["strict"] = json!(true);
            }
            json!({"type": "function", "function": function})
        });
        body["tools"] = tools.collect();
    }
    match &ask.form {
        Form::Text => {}
        Form::Json => body["response_format"] = json!({"type": "json_object"}),
        Form::Schema(schema) => {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": false, "schema": schema},
            });
        }
    }
    // Mistral refuses the option, and tells the usage without it.
    if ask.stream && ask.provider != Provider::Mistral {
        body["stream_options"] = json!({"include_usage": true});
    }
    let default = (ask.provider == Provider::Fireworks).then_some(FIREWORKS_TOKENS);
    if let Some(tokens) = ask.max_tokens.or(default) {
        let is_newer = ["gpt-5", "gpt-6", "o1", "o3", "o4"]
            .iter()
            .any(|family| ask.model.starts_with(family));
        let key = if is_newer {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        body[key] = json!(tokens);
    }
    Sent {
        path: "chat/completions".to_owned(),
        body,
    }
}

fn model(ask: &Ask<'_>) -> String {
    if ask.provider == Provider::Fireworks && !ask.model.contains('/') {
        return format!("accounts/fireworks/models/{}", ask.model);
    }
    // Z.ai's plan for coding has an address of its own.
    let coding = ask.model.strip_prefix("zai_coding::");
    coding.unwrap_or(ask.model).to_owned()
}

fn messages(ask: &Ask<'_>) -> Vec<Value> {
    let system = ask.conversation.system.iter();
    let mut messages: Vec<Value> = system.map(|text| json!({"role": "system", "content": text})).collect();
    for turn in &ask.conversation.turns {
        match turn {
            Turn::User(said) => {
                let content = joined(said).map_or_else(|| said.iter().map(said_part).collect(), |text| json!(text));
                messages.push(json!({"role": "user", "content": content}));
            }
            Turn::Assistant(parts) => messages.push(assistant(ask, parts)),
            Turn::Answers(told) => {
                let answers = told
                    .iter()
                    .map(|told| json!({"role": "tool", "tool_call_id": told.call, "content": told.text}));
                messages.extend(answers);
            }
        }
    }
    messages
}

fn said_part(part: &Said) -> Value {
    let media = match part {
        Said::Text(text) => return json!({"type": "text", "text": text}),
        Said::Media(media) => media,
    };
    match media.kind() {
        MediaKind::Image => json!({"type": "image_url", "image_url": {"url": url_of(media)}}),
        MediaKind::Audio => {
            let format = if media.essence().ends_with("wav") { "wav" } else { "mp3" };
            json!({"type": "input_audio", "input_audio": {"data": base64_of(media), "format": format}})
        }
        _ => json!({"type": "file", "file": {"filename": name_of(media), "file_data": url_of(media)}}),
    }
}

fn assistant(ask: &Ask<'_>, parts: &[Part]) -> Value {
    let mut text = String::new();
    let mut thoughts: Vec<&str> = Vec::new();
    let mut details: Vec<&Value> = Vec::new();
    let mut calls: Vec<Value> = Vec::new();
    let mut message = json!({"role": "assistant"});
    for part in parts {
        match part {
            Part::Text(more) => text.push_str(more),
            Part::Reasoning(more) => thoughts.push(more),
            Part::Call(call) => {
                let mut sent = json!({
                    "type": "function",
                    "id": call.id,
                    "function": {"name": call.name, "arguments": call.arguments.to_string()},
                });
                if let Some(extra) = &call.extra {
                    sent["extra_content"] = extra.clone();
                }
                calls.push(sent);
            }
            Part::Custom(block) => match block.get("extra_content") {
                Some(extra) => message["extra_content"] = extra.clone(),
                None => details.push(block),
            },
            Part::Signature(_) => {}
        }
    }
    message["content"] = json!(text);
    // OpenRouter's details hold the thoughts already.
    if ask.resends_thoughts && !thoughts.is_empty() && details.is_empty() {
        let thoughts = thoughts.join("\n");
        if ask.provider == Provider::Mistral {
            // Mistral refuses other fields; it wants thoughts as it sent them.
            let mut chunks = vec![json!({"type": "thinking", "thinking": [{"type": "text", "text": thoughts}]})];
            chunks.extend((!text.is_empty()).then(|| json!({"type": "text", "text": text})));
            message["content"] = json!(chunks);
        } else {
            message["reasoning_content"] = json!(thoughts);
        }
    } else if ask.resends_thoughts
        && details.is_empty()
        && let Some(none) = no_thought(ask, !calls.is_empty())
    {
        message["reasoning_content"] = json!(none);
    }
    if !details.is_empty() {
        message["reasoning_details"] = json!(details);
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    message
}

/// The thought of a turn without one, such as an interrupted turn or another model's, for models that require one.
fn no_thought(ask: &Ask<'_>, has_calls: bool) -> Option<&'static str> {
    let model = ask.model.to_ascii_lowercase();
    if ask.provider == Provider::DeepSeek || model.contains("deepseek") {
        return Some("");
    }
    // "thinking is enabled but reasoning_content is missing in assistant tool call message": no text counts as missing.
    let is_kimi = ask.provider == Provider::Moonshot || model.contains("kimi");
    (is_kimi && has_calls).then_some(" ")
}
