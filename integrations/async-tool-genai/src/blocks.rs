//! Content that a provider wants back unchanged, in the form that the journal keeps.

use async_tool_runtime::ToolCall;
use genai::{
    ModelIden,
    chat::{self, ContentPart, CustomPart, MessageContent},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Provider;

/// One turn's blocks, in the order in which the provider wants them back. The format is this crate's own,
/// because journals outlive versions of genai.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Blocks {
    /// The provider that made the blocks. No other provider can read them.
    provider: String,
    blocks: Vec<Block>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Block {
    Text(String),
    /// A thought's signature (the provider's proof that the thought is its own), or the encrypted thought
    /// itself.
    Signature(String),
    Reasoning(String),
    Call {
        id: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signatures: Vec<String>,
    },
    /// A block that genai passes on unchanged.
    Custom(Value),
}

impl Blocks {
    /// The blocks of a turn, or `None` if it has only text and calls. `ids` are the ids under which its calls
    /// were emitted, in order.
    pub(crate) fn of_turn(
        provider: Provider,
        content: Option<MessageContent>,
        reasoning: Option<String>,
        ids: &[String],
    ) -> Option<Self> {
        let parts = content.map(MessageContent::into_parts).unwrap_or_default();
        let mut ids = ids.iter();
        let mut has_more = false;
        let mut blocks = Vec::new();
        for part in parts {
            blocks.push(match part {
                ContentPart::Text(text) => Block::Text(text),
                ContentPart::ThoughtSignature(signature) => {
                    has_more = true;
                    Block::Signature(signature)
                }
                ContentPart::ReasoningContent(text) => {
                    has_more = true;
                    Block::Reasoning(text)
                }
                ContentPart::ToolCall(call) => {
                    let Some(id) = ids.next() else { continue };
                    let signatures = call.thought_signatures.unwrap_or_default();
                    has_more |= !signatures.is_empty();
                    Block::Call {
                        id: id.clone(),
                        signatures,
                    }
                }
                ContentPart::Custom(part) => {
                    has_more = true;
                    Block::Custom(part.data)
                }
                ContentPart::Binary(_) | ContentPart::ToolResponse(_) => continue,
            });
        }
        // genai keeps thoughts without a signature beside the content. DeepSeek, Moonshot and others want them
        // back.
        let is_apart = !blocks
            .iter()
            .any(|block| matches!(block, Block::Reasoning(_) | Block::Signature(_)));
        if let Some(text) = reasoning.filter(|text| is_apart && !text.is_empty()) {
            has_more = true;
            blocks.insert(0, Block::Reasoning(text));
        }
        has_more.then(|| Self {
            provider: provider.name().to_owned(),
            blocks,
        })
    }

    pub(crate) fn to_value(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }

    /// Reads the blocks stored with a turn, if this provider made them.
    pub(crate) fn from_value(provider: Provider, value: &Value) -> Option<Self> {
        let blocks = Self::deserialize(value).ok()?;
        (blocks.provider == provider.name()).then_some(blocks)
    }

    /// Builds the turn that genai sends. Text and calls come from the transcript, which may have been corrected
    /// since.
    pub(crate) fn into_parts(self, iden: &ModelIden, text: &str, calls: &[ToolCall]) -> Vec<ContentPart> {
        let said: String = self
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text(text) => Some(text.as_str()),
                Block::Signature(_) | Block::Reasoning(_) | Block::Call { .. } | Block::Custom(_) => None,
            })
            .collect();
        let is_as_said = said == text;
        let mut corrected = (!is_as_said && !text.trim().is_empty()).then(|| text.to_owned());
        let mut parts = Vec::new();
        let mut placed = Vec::new();
        for block in self.blocks {
            match block {
                Block::Text(text) if is_as_said => {
                    if !text.trim().is_empty() {
                        parts.push(ContentPart::Text(text));
                    }
                }
                Block::Text(_) => parts.extend(corrected.take().map(ContentPart::Text)),
                Block::Signature(signature) => parts.push(ContentPart::ThoughtSignature(signature)),
                Block::Reasoning(text) => parts.push(ContentPart::ReasoningContent(text)),
                Block::Call { id, signatures } => {
                    if let Some(call) = calls.iter().find(|call| call.id.as_str() == id) {
                        placed.push(id);
                        parts.push(call_part(call, signatures));
                    }
                }
                Block::Custom(data) => parts.push(ContentPart::Custom(CustomPart {
                    model_iden: Some(iden.clone()),
                    data,
                })),
            }
        }
        let first_call = parts
            .iter()
            .position(|part| matches!(part, ContentPart::ToolCall(_)))
            .unwrap_or(parts.len());
        if let Some(text) = corrected {
            parts.insert(first_call, ContentPart::Text(text));
        }
        let rest = calls
            .iter()
            .filter(|call| !placed.iter().any(|id| id == call.id.as_str()));
        parts.extend(rest.map(|call| call_part(call, Vec::new())));
        let is_said = |part: &ContentPart| {
            !matches!(
                part,
                ContentPart::ThoughtSignature(_) | ContentPart::ReasoningContent(_)
            )
        };
        // OpenAI's Responses API refuses a thought without an item after it.
        if parts.iter().any(is_said) { parts } else { Vec::new() }
    }
}

/// A call as genai sends it back. Every format wants an object. Text that isn't one is wrapped as Anthropic's
/// guide on fine-grained tool streaming says.
pub(crate) fn call_part(call: &ToolCall, signatures: Vec<String>) -> ContentPart {
    let fn_arguments = match call.arguments.value() {
        Value::Object(object) => Value::Object(object.clone()),
        other => {
            let text = call.arguments.text().map_or_else(|| other.to_string(), str::to_owned);
            Value::Object(Map::from_iter([("INVALID_JSON".to_owned(), Value::String(text))]))
        }
    };
    ContentPart::ToolCall(chat::ToolCall {
        call_id: call.id.as_str().to_owned(),
        fn_name: call.name.to_string(),
        fn_arguments,
        thought_signatures: (!signatures.is_empty()).then_some(signatures),
    })
}
