//! What is seen on the wire itself, because genai doesn't pass it on: that a call is complete, that a frame can't be read, and signs of life.

use genai::chat::{ChatFrameSink, FrameCtx, RawFrameRef};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::Provider;

/// Something that was seen on the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A frame, of whatever content.
    Life,
    /// The block being written is complete.
    BlockEnded,
    /// A call, in one piece.
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    /// How many tokens were thought, of which genai's stream of Anthropic says nothing.
    Reasoning(i32),
    /// A frame that isn't JSON, which genai passes over.
    Unreadable,
}

/// Reports what it sees. The receiver is woken also by frames of which genai makes no event.
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
        // Without a receiver the turn is over, and nobody wants to know.
        let _ = self.seen.send(self.look(frame.event, frame.data));
    }
}

/// An event of the Responses API. genai passes a call on with the pieces of its arguments, and doesn't say which is the last.
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
