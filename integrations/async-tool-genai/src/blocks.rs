//! Content that a provider wants back unchanged, in the form that the journal keeps.

use async_tool_runtime::ToolCall;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Provider;

/// One turn's blocks, in the order in which they came.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Blocks {
    /// The provider that made the blocks. No other provider can read them.
    provider: String,
    blocks: Vec<Block>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Block {
    Text(String),
    /// A thought's signature (the provider's proof that the thought is its own), or the encrypted thought
    /// itself. The thought, if it is readable, is the block after it.
    Signature(String),
    Reasoning(String),
    Call {
        id: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        signatures: Vec<String>,
        /// Fields that go back with the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extra: Option<Value>,
    },
    /// A block that goes back unchanged.
    Custom(Value),
}

/// A part of a turn of the assistant, as it is sent back.
#[derive(Debug)]
pub(crate) enum Part {
    Text(String),
    Signature(String),
    Reasoning(String),
    Call(SentCall),
    Custom(Value),
}

/// A call as it is sent back.
#[derive(Debug)]
pub(crate) struct SentCall {
    pub(crate) id: String,
    pub(crate) name: String,
    /// An object.
    pub(crate) arguments: Value,
    pub(crate) signatures: Vec<String>,
    pub(crate) extra: Option<Value>,
}

impl Blocks {
    /// The blocks of a turn, or `None` if it has only text and calls.
    pub(crate) fn of_turn(provider: Provider, blocks: Vec<Block>) -> Option<Self> {
        let has_more = blocks.iter().any(|block| match block {
            Block::Text(_) => false,
            Block::Call { signatures, extra, .. } => !signatures.is_empty() || extra.is_some(),
            Block::Signature(_) | Block::Reasoning(_) | Block::Custom(_) => true,
        });
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

    /// Builds the turn that is sent back. Text and calls come from the transcript, which may have been corrected
    /// since.
    pub(crate) fn into_parts(self, text: &str, calls: &[ToolCall]) -> Vec<Part> {
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
                        parts.push(Part::Text(text));
                    }
                }
                Block::Text(_) => parts.extend(corrected.take().map(Part::Text)),
                Block::Signature(signature) => parts.push(Part::Signature(signature)),
                Block::Reasoning(text) => parts.push(Part::Reasoning(text)),
                Block::Call { id, signatures, extra } => {
                    if let Some(call) = calls.iter().find(|call| call.id.as_str() == id) {
                        placed.push(id);
                        parts.push(Part::Call(SentCall {
                            signatures,
                            extra,
                            ..SentCall::of(call)
                        }));
                    }
                }
                Block::Custom(data) => parts.push(Part::Custom(data)),
            }
        }
        let first_call = parts
            .iter()
            .position(|part| matches!(part, Part::Call(_)))
            .unwrap_or(parts.len());
        if let Some(text) = corrected {
            parts.insert(first_call, Part::Text(text));
        }
        let rest = calls
            .iter()
            .filter(|call| !placed.iter().any(|id| id == call.id.as_str()));
        parts.extend(rest.map(|call| Part::Call(SentCall::of(call))));
        // OpenAI's Responses API refuses a thought without an item after it.
        let is_said = |part: &Part| matches!(part, Part::Text(_) | Part::Call(_));
        if parts.iter().any(is_said) { parts } else { Vec::new() }
    }
}

impl SentCall {
    /// The call without what a provider wants back. Every format wants an object. Arguments that aren't one are
    /// wrapped as Anthropic's guide on fine-grained tool streaming says.
    pub(crate) fn of(call: &ToolCall) -> Self {
        let arguments = match call.arguments.value() {
            Value::Object(object) => Value::Object(object.clone()),
            other => {
                let text = call.arguments.text().map_or_else(|| other.to_string(), str::to_owned);
                Value::Object(Map::from_iter([("INVALID_JSON".to_owned(), Value::String(text))]))
            }
        };
        Self {
            id: call.id.as_str().to_owned(),
            name: call.name.to_string(),
            arguments,
            signatures: Vec::new(),
            extra: None,
        }
    }
}

/// True for letters that every format accepts in names and ids.
pub(crate) fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}
