//! Fallback reader for unstreamed answers that genai refuses because the arguments of one call are not JSON.
//!
//! It reads the raw body, so that only the bad call gets an error and the rest of the turn counts. Formats:
//! OpenAI Chat Completions (`choices[0].message.tool_calls`) and Responses (`output`).

use genai::chat::{ContentPart, MessageContent, StopReason, ToolCall, Usage};
use serde_json::Value;

use crate::{Provider, assembly::End};

/// Reads the answer from the body; `None` if the body is not an answer with calls.
pub(crate) fn read(provider: Provider, body: &Value) -> Option<End> {
    let (parts, stop) = match provider {
        Provider::OpenAiResponses => read_response(body)?,
        _ => read_completion(body)?,
    };
    let has_calls = parts.iter().any(|part| matches!(part, ContentPart::ToolCall(_)));
    has_calls.then(|| End {
        content: Some(MessageContent::from_parts(parts)),
        reasoning: None,
        stop: Some(StopReason::from(stop)),
        usage: body.get("usage").map(read_usage),
    })
}

fn read_completion(body: &Value) -> Option<(Vec<ContentPart>, String)> {
    let choice = body.pointer("/choices/0")?;
    let message = choice.get("message")?;
    let text = message
        .get("content")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty());
    let mut parts: Vec<ContentPart> = text
        .map(|text| ContentPart::Text(text.to_owned()))
        .into_iter()
        .collect();
    for call in message
        .get("tool_calls")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let function = call.get("function")?;
        parts.push(read_call(
            call.get("id"),
            function.get("name")?,
            function.get("arguments"),
        ));
    }
    Some((parts, choice.get("finish_reason")?.as_str()?.to_owned()))
}

fn read_response(body: &Value) -> Option<(Vec<ContentPart>, String)> {
    let mut parts = Vec::new();
    for item in body.get("output")?.as_array()? {
        match item.get("type").and_then(Value::as_str) {
            Some("message") => {
                let content = item.get("content").and_then(Value::as_array).into_iter().flatten();
                let texts = content.filter_map(|content| content.get("text")?.as_str());
                parts.extend(texts.map(|text| ContentPart::Text(text.to_owned())));
            }
            Some("reasoning") => {
                let thought = item.get("encrypted_content").and_then(Value::as_str);
                parts.extend(thought.map(|thought| ContentPart::ThoughtSignature(thought.to_owned())));
            }
            Some("function_call") => {
                parts.push(read_call(item.get("call_id"), item.get("name")?, item.get("arguments")))
            }
            _ => {}
        }
    }
    Some((parts, body.get("status")?.as_str()?.to_owned()))
}

fn read_call(id: Option<&Value>, name: &Value, arguments: Option<&Value>) -> ContentPart {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ContentPart::ToolCall(ToolCall {
        call_id: id.map(text).unwrap_or_default(),
        fn_name: text(name),
        fn_arguments: arguments.cloned().unwrap_or_default(),
        thought_signatures: None,
    })
}

fn read_usage(usage: &Value) -> Usage {
    let count = |names: [&str; 2]| {
        let tokens = names.into_iter().find_map(|name| usage.get(name)?.as_i64());
        tokens.and_then(|tokens| i32::try_from(tokens).ok())
    };
    Usage {
        prompt_tokens: count(["prompt_tokens", "input_tokens"]),
        completion_tokens: count(["completion_tokens", "output_tokens"]),
        ..Usage::default()
    }
}
