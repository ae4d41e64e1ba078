//! Requests in the formats of the providers. Pure: equal conversations give equal bytes.
//!
//! One file for each format. Each returns the path under the server's address, and the body.

mod anthropic;
mod bedrock;
mod chat;
mod gemini;
mod ollama;
mod responses;

pub(crate) use bedrock::encoded;
use serde_json::Value;

use crate::{Provider, effort::Effort, lower::Conversation, wire::Wire};

/// The content of a request.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) provider: Provider,
    /// The model's name, without the ending that asks for an effort.
    pub(crate) model: &'a str,
    pub(crate) effort: Option<Effort>,
    pub(crate) conversation: Conversation,
    pub(crate) stream: bool,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) form: Form,
    /// True if the model is asked to send its thoughts along.
    pub(crate) thinks: bool,
}

/// Form of the answer's text.
#[derive(Debug)]
pub(crate) enum Form {
    Text,
    /// Any JSON.
    Json,
    /// JSON of this schema.
    Schema(Value),
}

/// A request, as far as the format decides it.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Path under the server's address.
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// Writes a request.
pub(crate) fn write(wire: Wire, ask: &Ask<'_>) -> Sent {
    match wire {
        Wire::Chat => chat::write(ask),
        Wire::Responses => responses::write(ask),
        Wire::Anthropic => anthropic::write(ask),
        Wire::Gemini => gemini::write(ask),
        Wire::Bedrock => bedrock::write(ask),
        Wire::Ollama => ollama::write(ask),
    }
}

/// Texts of one turn, with an empty line between them.
fn joined(texts: &[String]) -> String {
    texts.join("\n\n")
}
