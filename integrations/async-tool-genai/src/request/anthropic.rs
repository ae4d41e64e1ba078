//! Anthropic's Messages, also on Vertex AI.

use async_tool_runtime::content::{Media, MediaKind};
use serde_json::{Value, json};

use super::{Ask, Form, Sent, base64_of, joined};
use crate::{
    Provider,
    blocks::Part,
    effort::Effort,
    lower::{Said, Turn},
};

/// Version of the API on Vertex AI.
const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// Smallest budget of thinking tokens that the API takes.
const LEAST_BUDGET: u32 = 1_024;

pub(super) fn write(ask: &Ask<'_>) -> Sent {
    let model = Model::of(ask.model);
    let max_tokens = ask.max_tokens.unwrap_or_else(|| model.max_tokens());
    let mut body = json!({
        "stream": ask.stream,
        "messages": messages(ask),
        "max_tokens": max_tokens,
    });
    let has_markers = ask.provider.has_cache_markers();
    if let Some(system) = &ask.conversation.system {
        body["system"] = if has_markers {
            json!([marked(json!({"type": "text", "text": system}))])
        } else {
            json!(system)
        };
    }
    let tools = ask.conversation.tools.iter().map(|tool| {
        let mut sent = json!({"name": tool.name, "description": tool.description, "input_schema": tool.schema});
        if tool.strict {
            sent["strict"] = json!(true);
        }
        sent
    });
    let mut tools: Vec<Value> = tools.collect();
    // The order on the wire is tools, system, messages. Each marker caches everything before it.
    if let Some(tool) = tools.last_mut().filter(|_| has_markers) {
        *tool = marked(tool.take());
    }
    if !tools.is_empty() {
        body["tools"] = json!(tools);
    }
    if let Some(effort) = ask.effort {
        think(&mut body, &model, effort);
        if model.thinks_by_budget() {
            // The budget is a part of the answer's limit.
            let budget = effort.budget().min(max_tokens.saturating_sub(1));
            if budget >= LEAST_BUDGET && !goes_on_without_thought(&ask.conversation.turns) {
                body["thinking"] = json!({"type": "enabled", "budget_tokens": budget});
            }
        }
    }
    if let Form::Schema(schema) = &ask.form {
        body["output_config"]["format"] = json!({"type": "json_schema", "schema": schema});
    }
    if ask.provider == Provider::Vertex {
        body["anthropic_version"] = json!(VERTEX_VERSION);
        let method = if ask.stream { "streamRawPredict" } else { "rawPredict" };
        return Sent {
            path: format!("publishers/anthropic/models/{}:{method}", ask.model),
            body,
        };
    }
    body["model"] = json!(ask.model);
    Sent {
        path: "messages".to_owned(),
        body,
    }
}

fn messages(ask: &Ask<'_>) -> Vec<Value> {
    let mut messages = Vec::new();
    for turn in &ask.conversation.turns {
        let (role, content) = match turn {
            Turn::User(said) => (
                "user",
                joined(said).map_or_else(|| said.iter().map(said_block).collect(), |text| json!(text)),
            ),
            Turn::Assistant(parts) => {
                let blocks = blocks(parts);
                if blocks.is_empty() {
                    continue;
                }
                ("assistant", json!(blocks))
            }
            Turn::Answers(told) => {
                let results = told.iter().map(|told| {
                    let mut result = json!({"type": "tool_result", "tool_use_id": told.call, "content": told.text});
                    if !told.media.is_empty() {
                        let text = json!({"type": "text", "text": told.text});
                        result["content"] = [text].into_iter().chain(told.media.iter().map(media_block)).collect();
                    }
                    if told.is_error {
                        result["is_error"] = json!(true);
                    }
                    result
                });
                ("user", results.collect())
            }
        };
        messages.push(json!({"role": role, "content": content}));
    }
    if let Some(last) = messages.last_mut().filter(|_| ask.provider.has_cache_markers()) {
        let content = &mut last["content"];
        if let Value::String(text) = content {
            *content = json!([{"type": "text", "text": text}]);
        }
        if let Some(block) = content.as_array_mut().and_then(|blocks| blocks.last_mut()) {
            *block = marked(block.take());
        }
    }
    messages
}

fn said_block(part: &Said) -> Value {
    match part {
        Said::Text(text) => json!({"type": "text", "text": text}),
        Said::Media(media) => media_block(media),
    }
}

/// An image or a document
/// ([vision](https://docs.claude.com/en/docs/build-with-claude/vision),
/// [PDFs](https://docs.claude.com/en/docs/build-with-claude/pdf-support)).
fn media_block(media: &Media) -> Value {
    let essence = media.essence();
    let text = media.as_bytes().filter(|_| essence == "text/plain");
    let source = match (media.as_url(), text) {
        (Some(url), _) => json!({"type": "url", "url": url}),
        (None, Some(text)) => {
            json!({"type": "text", "media_type": "text/plain", "data": String::from_utf8_lossy(text)})
        }
        (None, None) => json!({"type": "base64", "media_type": essence, "data": base64_of(media)}),
    };
    if media.kind() == MediaKind::Image {
        return json!({"type": "image", "source": source});
    }
    let mut block = json!({"type": "document", "source": source});
    if let Some(name) = media.name() {
        block["title"] = json!(name);
    }
    block
}

/// The blocks of a turn, in the order in which they came. A thought goes back only with its signature.
fn blocks(parts: &[Part]) -> Vec<Value> {
    let mut blocks = Vec::new();
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Text(text) => blocks.push(json!({"type": "text", "text": text})),
            Part::Signature(signature) => {
                if let Some(Part::Reasoning(text)) = parts.next_if(|part| matches!(part, Part::Reasoning(_))) {
                    blocks.push(json!({"type": "thinking", "thinking": text, "signature": signature}));
                }
            }
            Part::Call(call) => blocks.push(json!({
                "type": "tool_use",
                "id": call.id,
                "name": call.name,
                "input": call.arguments,
            })),
            Part::Custom(block) => blocks.push(block.clone()),
            Part::Reasoning(_) => {}
        }
    }
    blocks
}

/// True if the model is to go on from answers to calls that it made without a thought, such as calls of another model. With a budget of
/// thinking tokens, the API refuses that.
fn goes_on_without_thought(turns: &[Turn]) -> bool {
    match turns {
        [.., Turn::Assistant(parts), Turn::Answers(_)] => !blocks(parts).first().is_some_and(is_thought),
        _ => false,
    }
}

fn is_thought(block: &Value) -> bool {
    let kind = block.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.contains("thinking"))
}

fn marked(mut block: Value) -> Value {
    if !is_thought(&block) {
        block["cache_control"] = json!({"type": "ephemeral"});
    }
    block
}

/// A Claude model, known by its name.
#[derive(Debug, PartialEq, Eq)]
struct Model<'a> {
    name: &'a str,
    family: &'a str,
    version: Option<(u32, u32)>,
}

impl<'a> Model<'a> {
    /// Reads names such as `claude-opus-4-8-20260101`.
    fn of(name: &'a str) -> Self {
        let mut words = name.split('-');
        let family = words.nth(1).filter(|_| name.starts_with("claude-")).unwrap_or_default();
        let mut numbers = words.map_while(|word| word.parse().ok().filter(|_| word.len() <= 2));
        let version = numbers.next().map(|major| (major, numbers.next().unwrap_or(0)));
        Self { name, family, version }
    }

    fn is_from(&self, family: &str, version: (u32, u32)) -> bool {
        self.family == family && self.version.is_some_and(|own| own >= version)
    }

    /// True for the families that think as they like.
    fn is_fable(&self) -> bool {
        self.name.contains("fable") || self.name.contains("mythos")
    }

    /// The model's limit of output tokens. The API has no default.
    fn max_tokens(&self) -> u32 {
        match self.version {
            _ if self.is_fable() || self.is_from("haiku", (5, 0)) || self.is_from("opus", (4, 8)) => 128_000,
            Some(version) if self.family == "opus" && version < (4, 0) => 4_096,
            Some(version) if self.family == "opus" && version < (4, 5) => 32_000,
            _ if self.name.contains("3-opus") || self.name.contains("3-haiku") => 4_096,
            _ if self.name.contains("claude-3-5") => 8_192,
            _ => 64_000,
        }
    }

    fn takes_effort(&self) -> bool {
        let is_newer = self.is_from("opus", (4, 5)) || self.is_from("sonnet", (4, 6)) || self.is_from("haiku", (5, 0));
        self.is_fable() || is_newer
    }

    fn thinks_by_budget(&self) -> bool {
        !self.takes_effort()
    }

    fn thinks_adaptively(&self) -> bool {
        self.takes_effort() && !(self.family == "opus" && self.version == Some((4, 5)))
    }
}

/// Asks for an effort, in the way of the model's generation.
fn think(body: &mut Value, model: &Model<'_>, effort: Effort) {
    if effort == Effort::None {
        // These think unless told otherwise.
        if !model.is_fable() && model.version.is_some_and(|version| version >= (5, 0)) {
            body["thinking"] = json!({"type": "disabled"});
        }
        return;
    }
    if model.takes_effort() {
        let takes_xhigh = model.is_fable() || model.is_from("opus", (4, 7)) || model.is_from("sonnet", (5, 0));
        let takes_xhigh = takes_xhigh || model.is_from("haiku", (5, 0));
        let word = match effort {
            Effort::Minimal => "low",
            Effort::XHigh if !takes_xhigh => "high",
            Effort::Max if !model.thinks_adaptively() => "high",
            other => other.word(),
        };
        body["output_config"]["effort"] = json!(word);
    }
    if model.thinks_adaptively() {
        body["thinking"] = json!({"type": "adaptive", "display": "summarized"});
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_generation_is_asked_in_its_own_way() {
        for (name, tokens, effort, adaptive) in [
            ("claude-opus-4-8", 128_000, true, true),
            ("claude-opus-4-5-20251101", 64_000, true, false),
            ("claude-opus-4-1-20250805", 32_000, false, false),
            ("claude-sonnet-4-5", 64_000, false, false),
            ("claude-sonnet-5", 64_000, true, true),
            ("claude-haiku-5", 128_000, true, true),
            ("claude-3-5-sonnet-20241022", 8_192, false, false),
            ("claude-3-haiku-20240307", 4_096, false, false),
            ("some-model", 64_000, false, false),
        ] {
            let model = Model::of(name);
            let found = (model.max_tokens(), model.takes_effort(), model.thinks_adaptively());
            assert_eq!(found, (tokens, effort, adaptive), "{name}");
        }
    }
}
