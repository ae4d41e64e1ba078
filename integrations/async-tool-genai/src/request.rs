//! Requests in the formats of the providers. Pure: equal conversations give equal bytes.
//!
//! One file for each format. Each returns the path under the server's address, and the body.

mod anthropic;
mod bedrock;
mod chat;
mod gemini;
mod ollama;
mod responses;

use async_tool_runtime::content::Media;
pub(crate) use bedrock::encoded;
use serde_json::Value;

use crate::{
    Provider,
    effort::Effort,
    lower::{Conversation, Said},
    wire::Wire,
};

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
    /// True if the model is asked to summarize its thoughts.
    pub(crate) summarizes: bool,
    /// True if the readable thoughts of earlier turns go back.
    pub(crate) resends_thoughts: bool,
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

/// The texts of a turn without media, with an empty line between them; `None` if it has media.
fn joined(said: &[Said]) -> Option<String> {
    let texts: Option<Vec<&str>> = said
        .iter()
        .map(|part| match part {
            Said::Text(text) => Some(text.as_str()),
            Said::Media(_) => None,
        })
        .collect();
    texts.map(|texts| texts.join("\n\n"))
}

/// A data URL (RFC 2397) of the bytes, or the URL.
fn url_of(media: &Media) -> String {
    match media.as_url() {
        Some(url) => url.to_owned(),
        None => format!("data:{};base64,{}", media.essence(), base64_of(media)),
    }
}

fn base64_of(media: &Media) -> String {
    media.to_base64().unwrap_or_default()
}

/// The name of a file; made of the type if it has none.
fn name_of(media: &Media) -> String {
    let ending = media.essence().rsplit('/').next().unwrap_or_default();
    media.name().map_or_else(|| format!("file.{ending}"), str::to_owned)
}
