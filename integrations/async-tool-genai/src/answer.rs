//! Answers of the providers: the calls of a turn are put together here, from the frames as they came.
//!
//! # Rules
//!
//! Servers that speak one of these formats differ in what they send. A call must be neither lost nor doubled nor
//! emptied. Each rule is here because of the servers beside it, as their public reports tell.
//!
//! | format | in the stream | server | read as |
//! |---|---|---|---|
//! | all | one id, or none, for two calls | local servers, routers | two calls; each gets an id of its own, and is answered under it |
//! | all | arguments as an object | llama.cpp, Ollama | taken as they are |
//! | all | a character's two escapes in two frames | mocks, servers that cut by units | one character; a lone one is U+FFFD |
//! | all | a byte order mark; `\r\n`; no empty line at the end | proxies | dropped; taken |
//! | all | a whole answer as `application/json`, though a stream was asked for | proxies | the answer |
//! | chat | an element without an index | Gemini's compatible endpoint | by its id; a new id begins a call |
//! | chat | neither index nor id | local servers | goes on with the last call, unless it names a function and that call is whole |
//! | chat | the index of a call, with its id or none | OpenAI; with the name again: proxies | goes on with that call |
//! | chat | the index of a call, with another id | Ollama, vLLM, SGLang; DeepSeek's second call, whose arguments then have its own index | another call |
//! | chat | another id, but no name, while the arguments are not whole | Poolside, LiteLLM before OCI | goes on with that call |
//! | chat | a piece without a name after a whole object, that begins none | local servers (`"}` twice) | dropped |
//! | chat | a new index and a name, under a known id | routers | another call |
//! | chat | two whole calls in one list, even if they are the same | local servers | two calls |
//! | chat | more text after a whole object | servers that give every call index 0 and no id | another call; the same object again is a repetition |
//! | chat | `{}` before the arguments | proxies for Anthropic | replaced by what follows |
//! | chat | `function_call` | old servers | a call |
//! | chat, Responses | `refusal` in place of the text | OpenAI | text; the turn is a refusal |
//! | chat | `finish_reason` without `[DONE]` at the end | gateways | the end |
//! | chat | `reasoning_details`, in pieces | OpenRouter | joined by index, and sent back |
//! | chat | `extra_content` with a signature | Gemini's compatible endpoint | sent back with its call |
//! | Anthropic | the whole `input` in `content_block_start` | compatible servers | taken; pieces that follow replace it |
//! | Anthropic | blocks whose events are mixed | compatible servers | by index |
//! | Anthropic | an index for several blocks | compatible servers | the latest block |
//! | Responses | two items at one `output_index`, or one that ends at another | compatible servers | by the item's id, or else the call's |
//! | Responses | all arguments in `output_item.added`, or an object as a piece | compatible servers | taken, unless more follow |
//! | Responses | an item that is done twice | compatible servers | once: by id, or without ids if it says the same |
//! | Responses | items in the last event only, or there under other ids | compatible servers | taken; known ones are found by what they say |
//! | Gemini | no id | Gemini | an id of ours, which isn't sent |
//! | all | a reason that says "calls", and no call | several | an error |
//!
//! # Invariants
//!
//! 1. Nothing of a frame that can't be read is guessed: the turn fails, and can be asked again.
//! 2. A turn is complete only if its reason came, and for Anthropic and Responses also its last event.

mod anthropic;
mod bedrock;
mod chat;
mod gemini;
mod ollama;
mod responses;

use async_tool_wire::halves;
use serde_json::Value;

use crate::{
    Provider,
    assembly::{Assembly, End},
    frames::{Frame, Frames},
    wire::Wire,
};

/// Reader of one answer.
#[derive(Debug)]
pub(crate) enum Reader {
    Chat(chat::Reader),
    Responses(responses::Reader),
    Anthropic(anthropic::Reader),
    Gemini(gemini::Reader),
    Bedrock(bedrock::Reader),
    Ollama(ollama::Reader),
}

/// Failure of an answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server sent this error.
    Refused(Value),
    /// The answer can't be read, for this reason.
    Unreadable(String),
}

impl Reader {
    pub(crate) fn new(provider: Provider, wire: Wire) -> Self {
        match wire {
            Wire::Chat => Self::Chat(chat::Reader::new(provider)),
            Wire::Responses => Self::Responses(responses::Reader::default()),
            Wire::Anthropic => Self::Anthropic(anthropic::Reader::default()),
            Wire::Gemini => Self::Gemini(gemini::Reader::default()),
            Wire::Bedrock => Self::Bedrock(bedrock::Reader::default()),
            Wire::Ollama => Self::Ollama(ollama::Reader::default()),
        }
    }

    /// The cutter of this format's frames.
    pub(crate) fn frames(&self) -> Frames {
        match self {
            Self::Bedrock(_) => Frames::aws(),
            Self::Ollama(_) => Frames::lines(),
            _ => Frames::events(),
        }
    }

    /// Reads a frame; true if it is the last one.
    ///
    /// # Errors
    ///
    /// The frame is an error, or can't be read.
    pub(crate) fn frame(&mut self, frame: &Frame, turn: &mut Assembly) -> Result<bool, Fault> {
        let text = frame.data.trim();
        if text.is_empty() && !frame.is_error {
            return Ok(false);
        }
        if text == "[DONE]" {
            return Ok(matches!(self, Self::Chat(_)));
        }
        let event = frame.event.as_deref();
        if frame.is_error || event == Some("error") {
            let body = halves::parse(text).unwrap_or_else(|_| Value::String(frame.data.clone()));
            let kind = event.filter(|_| frame.is_error).unwrap_or_default();
            return Err(Fault::Refused(with_kind(body, kind)));
        }
        let data = halves::parse(text).map_err(|error| Fault::Unreadable(error.to_string()))?;
        match self {
            Self::Chat(reader) => reader.read(data, turn).map(|()| false),
            Self::Responses(reader) => reader.read(event, data, turn),
            Self::Anthropic(reader) => reader.read(event, data, turn),
            Self::Gemini(reader) => reader.read(data, turn).map(|()| false),
            Self::Bedrock(reader) => Ok(reader.read(event, data, turn)),
            Self::Ollama(reader) => reader.read(data, turn),
        }
    }

    /// Reads an answer that wasn't streamed.
    ///
    /// # Errors
    ///
    /// The answer is an error, or can't be read.
    pub(crate) fn whole(&mut self, body: Value, turn: &mut Assembly) -> Result<(), Fault> {
        match self {
            Self::Chat(reader) => reader.read(body, turn),
            Self::Responses(reader) => reader.whole(body, turn),
            Self::Anthropic(reader) => reader.whole(body, turn),
            Self::Gemini(reader) => reader.read(body, turn),
            Self::Bedrock(reader) => reader.whole(body, turn),
            Self::Ollama(reader) => reader.read(body, turn).map(|_| ()),
        }
    }

    pub(crate) fn end(self, turn: &mut Assembly) -> End {
        match self {
            Self::Chat(reader) => reader.end(turn),
            Self::Responses(reader) => reader.end(),
            Self::Anthropic(reader) => reader.end(),
            Self::Gemini(reader) => reader.end(),
            Self::Bedrock(reader) => reader.end(),
            Self::Ollama(reader) => reader.end(),
        }
    }
}

/// The error with the kind that stands beside it.
fn with_kind(mut body: Value, kind: &str) -> Value {
    if let Value::Object(fields) = &mut body
        && !kind.is_empty()
    {
        fields.entry("__type").or_insert_with(|| kind.into());
    }
    body
}

/// A field's text; empty if it is missing or no text.
fn words<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A count of tokens; 0 if it is missing.
fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}
