//! Observations of the wire that genai doesn't report: a call is complete, a frame is unreadable, the stream is
//! alive.

use genai::chat::{ChatFrameSink, FrameCtx, RawFrameRef};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::Provider;

/// An observation of the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A frame of any content arrived.
    Life,
    /// The block being written is complete.
    BlockEnded,
    /// A complete call arrived in one piece.
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    /// Number of thinking tokens, which genai's Anthropic stream omits.
    Reasoning(i32),
    /// A frame isn't JSON; genai skips it.
    Unreadable,
}

/// Sink for raw frames that sends each observation to a channel. The receiver wakes also for frames that give
/// no genai event.
#[derive(Debug)]
pub(crate) struct Frames {
    provider: Provider,
    seen: UnboundedSender<Seen>,
}

impl Frames {
    pub(crate) fn new(provider: Provider, seen: UnboundedSender<Seen>) -> Self {
        Self { provider, seen }
    }

    fn look(&self, event: Option<&str>, data: &str) -> Seen {
        match self.provider {
            Provider::OpenAiResponses => look_at_response(data),
            Provider::Anthropic | Provider::MiniMax if event == Some("content_block_stop") => Seen::BlockEnded,
            Provider::Anthropic | Provider::MiniMax if event == Some("message_delta") => {
                let data: Value = serde_json::from_str(data).unwrap_or_default();
                let tokens = data.pointer("/usage/output_tokens_details/thinking_tokens");
                let tokens = tokens.and_then(Value::as_i64).and_then(|tokens| tokens.try_into().ok());
                tokens.map_or(Seen::Life, Seen::Reasoning)
            }
            Provider::Bedrock if event == Some("contentBlockStop") => Seen::BlockEnded,
            _ => Seen::Life,
        }
    }
}

impl ChatFrameSink for Frames {
    fn on_frame(&self, _: &FrameCtx, frame: RawFrameRef<'_>) {
        // Without a receiver the turn is over, so the observation isn't needed.
        let _ = self.seen.send(self.look(frame.event, frame.data));
    }
}

/// Reads an event of the Responses API. genai passes on the pieces of a call's arguments, but not which piece
/// is the last.
fn look_at_response(data: &str) -> Seen {
    #[derive(Deserialize)]
    struct Event {
        #[serde(rename = "type")]
        kind: String,
    }
    #[derive(Deserialize)]
    struct Done {
        item: Item,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        call_id: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        arguments: String,
    }
    if data.trim().is_empty() || data == "[DONE]" {
        return Seen::Life;
    }
    match serde_json::from_str::<Event>(data) {
        Ok(event) if event.kind == "response.output_item.done" => match serde_json::from_str::<Done>(data) {
            Ok(Done { item }) if item.kind == "function_call" && !item.arguments.trim().is_empty() => Seen::Call {
                id: item.call_id,
                name: item.name,
                arguments: item.arguments,
            },
            _ => Seen::Life,
        },
        Ok(_) => Seen::Life,
        Err(_) if serde_json::from_str::<IgnoredAny>(data).is_ok() => Seen::Life,
        Err(_) => Seen::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_the_responses_api_is_seen_when_its_item_is_done() {
        let done = r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}}"#;
        let call = Seen::Call {
            id: "c".to_owned(),
            name: "f".to_owned(),
            arguments: r#"{"a":1}"#.to_owned(),
        };
        assert_eq!(look_at_response(done), call);
        assert_eq!(
            look_at_response(r#"{"type":"response.output_item.done","item":{"type":"message"}}"#),
            Seen::Life
        );
        assert_eq!(look_at_response(r#"{"type":"response.output_te"#), Seen::Unreadable);
        assert_eq!(look_at_response("[DONE]"), Seen::Life);
    }
}
