//! Turns in the bytes of each provider, and the rules for its requests. Written from the vendors' pages, not
//! from the adapter.

use async_tool_genai::Provider;
use serde_json::{Value, json};

use crate::server::Reply;

/// A call as the model writes it: id, name, text of the arguments.
pub(crate) type Call<'a> = (&'a str, &'a str, &'a str);

pub(crate) const PROVIDERS: [Provider; 6] = [
    Provider::OpenAi,
    Provider::OpenAiResponses,
    Provider::Anthropic,
    Provider::Gemini,
    Provider::Bedrock,
    Provider::Ollama,
];

/// A whole turn. If streamed, its text and the arguments of each call come in two pieces.
pub(crate) fn turn(provider: Provider, streamed: bool, text: &str, calls: &[Call<'_>]) -> Reply {
    if streamed {
        let frames = frames(provider, text, calls);
        stream(provider, &frames)
    } else {
        Reply::json(&whole(provider, text, calls))
    }
}

/// The same turn, cut off before the frames that end it.
pub(crate) fn truncated(provider: Provider, text: &str, calls: &[Call<'_>]) -> Reply {
    let frames = frames(provider, text, calls);
    let end = match provider {
        // The usage comes in a frame after the end, or before the reason.
        Provider::OpenAi => 3,
        Provider::Anthropic | Provider::Bedrock => 2,
        _ => 1,
    };
    stream(provider, &frames[..frames.len() - end])
}

type Frame = (&'static str, String);

pub(crate) fn stream(provider: Provider, frames: &[Frame]) -> Reply {
    match provider {
        Provider::Bedrock => {
            let bytes: Vec<u8> = frames
                .iter()
                .flat_map(|(name, data)| event_stream(name, data))
                .collect();
            Reply::stream("application/vnd.amazon.eventstream", bytes)
        }
        Provider::Ollama => {
            let lines: String = frames.iter().map(|(_, data)| format!("{data}\n")).collect();
            Reply::stream("application/x-ndjson", lines)
        }
        _ => {
            let events: String = frames
                .iter()
                .map(|(name, data)| match *name {
                    "" => format!("data: {data}\n\n"),
                    name => format!("event: {name}\ndata: {data}\n\n"),
                })
                .collect();
            Reply::stream("text/event-stream", events)
        }
    }
}

fn halves(text: &str) -> [&str; 2] {
    let middle = text
        .char_indices()
        .nth(text.chars().count() / 2)
        .map_or(0, |(index, _)| index);
    let (first, second) = text.split_at(middle);
    [first, second]
}

pub(crate) fn frames(provider: Provider, text: &str, calls: &[Call<'_>]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut push = |name: &'static str, data: Value| frames.push((name, data.to_string()));
    match provider {
        Provider::OpenAi => {
            let mut delta = |delta: Value, reason: Value| {
                push(
                    "",
                    json!({"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}),
                );
            };
            delta(json!({"role": "assistant", "content": ""}), Value::Null);
            for half in halves(text) {
                delta(json!({"content": half}), Value::Null);
            }
            for (index, (id, name, arguments)) in calls.iter().enumerate() {
                delta(
                    json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]}),
                    Value::Null,
                );
                for half in halves(arguments) {
                    delta(
                        json!({"tool_calls": [{"index": index, "function": {"arguments": half}}]}),
                        Value::Null,
                    );
                }
            }
            delta(json!({}), json!(if calls.is_empty() { "stop" } else { "tool_calls" }));
            push(
                "",
                json!({"id": "1", "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}}),
            );
            frames.push(("", "[DONE]".to_owned()));
        }
        Provider::OpenAiResponses => {
            push(
                "response.created",
                json!({"type": "response.created", "response": {"id": "r", "status": "in_progress", "model": "m", "output": []}}),
            );
            push(
                "response.output_item.done",
                json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "id": "rs_1", "encrypted_content": "thought", "summary": []}}),
            );
            for half in halves(text) {
                push(
                    "response.output_text.delta",
                    json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": half}),
                );
            }
            let mut output = Vec::new();
            for (index, (id, name, arguments)) in calls.iter().enumerate() {
                let index = index + 2;
                push(
                    "response.output_item.added",
                    json!({"type": "response.output_item.added", "output_index": index, "item": {"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": ""}}),
                );
                for half in halves(arguments) {
                    push(
                        "response.function_call_arguments.delta",
                        json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": half}),
                    );
                }
                let item = json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments});
                push(
                    "response.output_item.done",
                    json!({"type": "response.output_item.done", "output_index": index, "item": item}),
                );
                output.push(item);
            }
            push(
                "response.completed",
                json!({"type": "response.completed", "response": {"id": "r", "status": "completed", "model": "m", "output": output, "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 2}}}}),
            );
        }
        Provider::Anthropic => {
            push(
                "message_start",
                json!({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": [], "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0, "output_tokens": 1}}}),
            );
            push(
                "content_block_start",
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
            );
            push(
                "content_block_delta",
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}),
            );
            push(
                "content_block_delta",
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "signed"}}),
            );
            push("content_block_stop", json!({"type": "content_block_stop", "index": 0}));
            push(
                "content_block_start",
                json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
            );
            for half in halves(text) {
                push(
                    "content_block_delta",
                    json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": half}}),
                );
            }
            push("content_block_stop", json!({"type": "content_block_stop", "index": 1}));
            for (index, (id, name, arguments)) in calls.iter().enumerate() {
                let index = index + 2;
                push(
                    "content_block_start",
                    json!({"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": id, "name": name, "input": {}}}),
                );
                for half in halves(arguments) {
                    push(
                        "content_block_delta",
                        json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": half}}),
                    );
                }
                push(
                    "content_block_stop",
                    json!({"type": "content_block_stop", "index": index}),
                );
            }
            let reason = if calls.is_empty() { "end_turn" } else { "tool_use" };
            push(
                "message_delta",
                json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}}}),
            );
            push("message_stop", json!({"type": "message_stop"}));
        }
        Provider::Gemini => {
            for half in halves(text) {
                push(
                    "",
                    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": half}]}}]}),
                );
            }
            for (id, name, arguments) in calls {
                let args: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
                let mut call = json!({"name": name, "args": args});
                if !id.is_empty() {
                    call["id"] = json!(id);
                }
                push(
                    "",
                    json!({"candidates": [{"content": {"role": "model", "parts": [{"functionCall": call, "thoughtSignature": "signed"}]}}]}),
                );
            }
            push(
                "",
                json!({"candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "cachedContentTokenCount": 4, "totalTokenCount": 15}}),
            );
        }
        Provider::Bedrock => {
            push("messageStart", json!({"role": "assistant"}));
            for half in halves(text) {
                push(
                    "contentBlockDelta",
                    json!({"contentBlockIndex": 0, "delta": {"text": half}}),
                );
            }
            push("contentBlockStop", json!({"contentBlockIndex": 0}));
            for (index, (id, name, arguments)) in calls.iter().enumerate() {
                let index = index + 1;
                push(
                    "contentBlockStart",
                    json!({"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": name}}}),
                );
                for half in halves(arguments) {
                    push(
                        "contentBlockDelta",
                        json!({"contentBlockIndex": index, "delta": {"toolUse": {"input": half}}}),
                    );
                }
                push("contentBlockStop", json!({"contentBlockIndex": index}));
            }
            push(
                "messageStop",
                json!({"stopReason": if calls.is_empty() { "end_turn" } else { "tool_use" }}),
            );
            push(
                "metadata",
                json!({"usage": {"inputTokens": 6, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 4}}),
            );
        }
        _ => {
            for half in halves(text) {
                push(
                    "",
                    json!({"message": {"role": "assistant", "content": half}, "done": false}),
                );
            }
            for (_, name, arguments) in calls {
                let arguments: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
                push(
                    "",
                    json!({"message": {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": name, "arguments": arguments}}]}, "done": false}),
                );
            }
            push(
                "",
                json!({"message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop", "prompt_eval_count": 10, "prompt_eval_cached_count": 4, "eval_count": 5}),
            );
        }
    }
    frames
}

fn whole(provider: Provider, text: &str, calls: &[Call<'_>]) -> Value {
    let parsed = |arguments: &str| serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
    match provider {
        Provider::OpenAi => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|(id, name, arguments)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}))
                .collect();
            let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
            let mut message = json!({"role": "assistant", "content": text});
            if !calls.is_empty() {
                message["tool_calls"] = json!(calls);
            }
            json!({"id": "1", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}})
        }
        Provider::OpenAiResponses => {
            let mut output = vec![
                json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "thought", "summary": []}),
                json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}),
            ];
            output.extend(calls.iter().map(|(id, name, arguments)| json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name, "arguments": arguments})));
            json!({"id": "r", "model": "m", "status": "completed", "output": output,
                "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 2}}})
        }
        Provider::Anthropic => {
            let mut content = vec![
                json!({"type": "thinking", "thinking": "hm", "signature": "signed"}),
                json!({"type": "text", "text": text}),
            ];
            content.extend(calls.iter().map(
                |(id, name, arguments)| json!({"type": "tool_use", "id": id, "name": name, "input": parsed(arguments)}),
            ));
            let reason = if calls.is_empty() { "end_turn" } else { "tool_use" };
            json!({"id": "m", "model": "m", "role": "assistant", "content": content, "stop_reason": reason,
                "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 2}}})
        }
        Provider::Gemini => {
            let mut parts = vec![json!({"text": text})];
            parts.extend(calls.iter().map(|(id, name, arguments)| {
                let mut call = json!({"name": name, "args": parsed(arguments)});
                if !id.is_empty() {
                    call["id"] = json!(id);
                }
                json!({"functionCall": call, "thoughtSignature": "signed"})
            }));
            json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "cachedContentTokenCount": 4, "totalTokenCount": 15}})
        }
        Provider::Bedrock => {
            let mut content = vec![json!({"text": text})];
            content.extend(calls.iter().map(
                |(id, name, arguments)| json!({"toolUse": {"toolUseId": id, "name": name, "input": parsed(arguments)}}),
            ));
            json!({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": if calls.is_empty() { "end_turn" } else { "tool_use" },
                "usage": {"inputTokens": 6, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 4}})
        }
        _ => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|(_, name, arguments)| json!({"function": {"name": name, "arguments": parsed(arguments)}}))
                .collect();
            json!({"message": {"role": "assistant", "content": text, "tool_calls": calls}, "done": true, "done_reason": "stop",
                "prompt_eval_count": 10, "prompt_eval_cached_count": 4, "eval_count": 5})
        }
    }
}

/// A message in AWS's event stream encoding.
pub(crate) fn event_stream(name: &str, data: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (key, value) in [(":event-type", name), (":message-type", "event")] {
        headers.push(u8::try_from(key.len()).unwrap());
        headers.extend_from_slice(key.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(12 + headers.len() + data.len() + 4).unwrap();
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&total.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    bytes.extend_from_slice(&headers);
    bytes.extend_from_slice(data.as_bytes());
    bytes.extend_from_slice(&crc32(&bytes).to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// Violations of the provider's rules in a request.
pub(crate) fn findings(provider: Provider, body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let turns = normalize(provider, body);
    let mut open: Vec<String> = Vec::new();
    for (index, turn) in turns.iter().enumerate() {
        if !open.is_empty() {
            if turn.role != "answers" {
                found.push(format!("turn {index} follows calls and answers none"));
            } else if turn.ids != open {
                found.push(format!("turn {index} answers {:?} to the calls {open:?}", turn.ids));
            }
        } else if turn.role == "answers" {
            found.push(format!(
                "turn {index} answers calls that were never made: {:?}",
                turn.ids
            ));
        }
        open = if turn.role == "assistant" {
            turn.ids.clone()
        } else {
            Vec::new()
        };
        if turn.is_mixed {
            found.push(format!("turn {index} has something beside its answers"));
        }
        if turn.texts.iter().any(|text| text.trim().is_empty()) {
            found.push(format!("turn {index} has an empty text"));
        }
        let takes_turns = matches!(provider, Provider::Anthropic | Provider::Gemini | Provider::Bedrock);
        let side = |turn: &Turn| turn.role == "assistant";
        if takes_turns && index > 0 && side(turn) == side(&turns[index - 1]) {
            found.push(format!("turn {index} is of the same role as the one before"));
        }
        if takes_turns && index == 0 && side(turn) {
            found.push("the first turn is the assistant's".to_owned());
        }
    }
    if !open.is_empty() {
        found.push(format!("the calls {open:?} have no answer"));
    }
    let has_calls = turns.iter().any(|turn| !turn.ids.is_empty());
    if has_calls && provider == Provider::Bedrock && body.pointer("/toolConfig/tools/0").is_none() {
        found.push("there are tool blocks and no toolConfig".to_owned());
    }
    if has_calls && provider == Provider::Anthropic && body.pointer("/tools/0").is_none() {
        found.push("there are tool blocks and no tools".to_owned());
    }
    found
}

#[derive(Default)]
struct Turn {
    role: &'static str,
    /// Sorted ids of the calls, or of the answered calls.
    ids: Vec<String>,
    texts: Vec<String>,
    is_mixed: bool,
}

fn normalize(provider: Provider, body: &Value) -> Vec<Turn> {
    let mut turns: Vec<Turn> = match provider {
        Provider::OpenAiResponses => responses(body),
        Provider::OpenAi | Provider::Ollama => completions(provider, body),
        _ => blocks(provider, body),
    };
    for turn in &mut turns {
        turn.ids.sort();
    }
    turns
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| Some(part.get("text")?.as_str()?.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn completions(provider: Provider, body: &Value) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    let mut made = 0;
    let mut answered = 0;
    for message in body["messages"].as_array().unwrap() {
        let texts = strings(&message["content"]);
        match message["role"].as_str().unwrap() {
            "system" => {}
            "user" => turns.push(Turn {
                role: "user",
                texts,
                ..Turn::default()
            }),
            "assistant" => {
                let calls = message
                    .get("tool_calls")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default();
                let ids = calls.iter().map(|call| {
                    made += 1;
                    // Ollama has no ids: calls and answers are paired by their order.
                    if provider == Provider::Ollama {
                        made.to_string()
                    } else {
                        text(call, "id")
                    }
                });
                let ids: Vec<String> = ids.collect();
                // These formats allow empty text beside calls.
                let texts = if ids.is_empty() { texts } else { Vec::new() };
                turns.push(Turn {
                    role: "assistant",
                    ids,
                    texts,
                    is_mixed: false,
                });
            }
            "tool" => {
                answered += 1;
                let id = if provider == Provider::Ollama {
                    answered.to_string()
                } else {
                    text(message, "tool_call_id")
                };
                match turns.last_mut() {
                    Some(turn) if turn.role == "answers" => {
                        turn.ids.push(id);
                        turn.texts.extend(texts);
                    }
                    _ => turns.push(Turn {
                        role: "answers",
                        ids: vec![id],
                        texts,
                        is_mixed: false,
                    }),
                }
            }
            other => panic!("the role {other}"),
        }
    }
    turns
}

fn responses(body: &Value) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for item in body["input"].as_array().unwrap() {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("message");
        let (role, id, texts) = match kind {
            "message" if item["role"] == "user" => ("user", None, strings(&item["content"])),
            "message" => ("assistant", None, strings(&item["content"])),
            "reasoning" => continue,
            "function_call" => ("assistant", Some(text(item, "call_id")), Vec::new()),
            "function_call_output" => ("answers", Some(text(item, "call_id")), strings(&item["output"])),
            other => panic!("the item {other}"),
        };
        match turns.last_mut() {
            Some(turn) if turn.role == role && role != "user" => {
                turn.ids.extend(id);
                turn.texts.extend(texts);
            }
            _ => turns.push(Turn {
                role,
                ids: id.into_iter().collect(),
                texts,
                is_mixed: false,
            }),
        }
    }
    turns
}

fn blocks(provider: Provider, body: &Value) -> Vec<Turn> {
    let messages = body.get("messages").or_else(|| body.get("contents")).unwrap();
    let mut turns = Vec::new();
    for message in messages.as_array().unwrap() {
        let content = message.get("content").or_else(|| message.get("parts")).unwrap();
        let mut turn = Turn::default();
        let mut has_answers = false;
        let mut has_other = false;
        if let Value::String(text) = content {
            turn.texts.push(text.clone());
        }
        for block in content.as_array().into_iter().flatten() {
            let (call, answer) = match provider {
                Provider::Anthropic => {
                    let kind = text(block, "type");
                    let call = (kind == "tool_use").then(|| text(block, "id"));
                    (call, (kind == "tool_result").then(|| text(block, "tool_use_id")))
                }
                Provider::Bedrock => {
                    let call = block.get("toolUse").map(|call| text(call, "toolUseId"));
                    (call, block.get("toolResult").map(|answer| text(answer, "toolUseId")))
                }
                _ => {
                    // Gemini may give no ids; calls are then paired by name and position.
                    let place = |value: &Value| match value.get("id").and_then(Value::as_str) {
                        Some(id) => id.to_owned(),
                        None => text(value, "name"),
                    };
                    (
                        block.get("functionCall").map(place),
                        block.get("functionResponse").map(place),
                    )
                }
            };
            match (call, answer) {
                (Some(id), _) => turn.ids.push(id),
                (None, Some(id)) => {
                    has_answers = true;
                    turn.ids.push(id);
                }
                (None, None) => {
                    has_other = true;
                    if let Some(text) = block.get("text").and_then(Value::as_str) {
                        turn.texts.push(text.to_owned());
                    }
                }
            }
        }
        turn.is_mixed = has_answers && has_other;
        turn.role = match message["role"].as_str().unwrap() {
            "assistant" | "model" => "assistant",
            _ if has_answers => "answers",
            _ => "user",
        };
        turns.push(turn);
    }
    turns
}
