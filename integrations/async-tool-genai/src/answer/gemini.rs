//! Google's generateContent. Each frame is a whole answer of its own; the parts follow each other.

use async_tool_runtime::model::Usage;
use serde_json::Value;

use super::{Fault, count, words};
use crate::assembly::{Assembly, End, Thought, Written};

#[derive(Debug, Default)]
pub(crate) struct Reader {
    end: End,
}

impl Reader {
    /// Reads a frame, or a whole answer.
    pub(super) fn read(&mut self, data: Value, turn: &mut Assembly) -> Result<(), Fault> {
        // Without `alt=sse`, a stream is a list.
        if let Value::Array(frames) = data {
            return frames.into_iter().try_for_each(|frame| self.read(frame, turn));
        }
        let mut data = data;
        if data.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Fault::Refused(data));
        }
        if let Some(spent) = data.get("usageMetadata").filter(|spent| spent.is_object()) {
            self.end.usage = usage(spent);
        }
        if let Some(parts) = data
            .pointer_mut("/candidates/0/content/parts")
            .and_then(Value::as_array_mut)
        {
            for part in parts {
                read_part(part.take(), turn);
            }
        }
        let reason = data.pointer("/candidates/0/finishReason").and_then(Value::as_str);
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            self.end.stop = Some(reason.to_owned());
        }
        let is_blocked = data
            .pointer("/promptFeedback/blockReason")
            .is_some_and(Value::is_string);
        if is_blocked && self.end.stop.is_none() {
            self.end.stop = Some("SAFETY".to_owned());
        }
        Ok(())
    }

    pub(super) fn end(self) -> End {
        self.end
    }
}

fn read_part(mut part: Value, turn: &mut Assembly) {
    let signature = words(&part, "thoughtSignature").to_owned();
    let is_thought = part.get("thought").is_some_and(|flag| flag == true);
    let call = part.get_mut("functionCall").map(Value::take).filter(Value::is_object);
    let is_signed = !signature.is_empty();
    if is_thought {
        turn.tell(words(&part, "text"));
    }
    if is_signed && call.is_none() {
        // The signature belongs to the part after it; a part of its own has no text.
        turn.think(Thought {
            signature: signature.clone(),
            text: None,
        });
    }
    if !is_thought {
        turn.text(words(&part, "text"));
    }
    let Some(mut call) = call else { return };
    let place = turn.open(words(&call, "id"), words(&call, "name"));
    let made = turn.call(place);
    made.signatures.extend(is_signed.then_some(signature));
    made.arguments = match Written::of(call.get_mut("args").map(Value::take).unwrap_or_default()) {
        // Gemini omits empty arguments.
        Written::Text(text) if text.is_empty() => Written::Text("{}".to_owned()),
        arguments => arguments,
    };
    turn.close(place);
}

fn usage(spent: &Value) -> Usage {
    let reasoning = count(spent, "/thoughtsTokenCount");
    let input = count(spent, "/promptTokenCount") + count(spent, "/toolUsePromptTokenCount");
    // The count of the answer doesn't include thoughts.
    let output = count(spent, "/candidatesTokenCount") + reasoning;
    Usage::new(input, count(spent, "/cachedContentTokenCount"), output).with_reasoning(reasoning)
}
