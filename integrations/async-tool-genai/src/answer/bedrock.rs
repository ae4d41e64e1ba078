//! AWS Bedrock's Converse.

use async_tool_runtime::model::Usage;
use serde_json::Value;

use super::{Fault, count, words};
use crate::assembly::{Assembly, End, Thought, Written};

#[derive(Debug, Default)]
pub(crate) struct Reader {
    blocks: Vec<Block>,
    end: End,
}

#[derive(Debug)]
struct Block {
    index: Option<u64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Call(usize),
    Thought(usize),
}

impl Reader {
    /// Reads an event; true if it is the last one.
    pub(super) fn read(&mut self, event: Option<&str>, mut data: Value, turn: &mut Assembly) -> bool {
        let index = data.get("contentBlockIndex").and_then(Value::as_u64);
        match event.unwrap_or_default() {
            "contentBlockStart" => {
                if let Some(call) = data.pointer_mut("/start/toolUse").map(Value::take) {
                    let place = open(call, turn);
                    self.push(index, Kind::Call(place));
                }
            }
            "contentBlockDelta" => {
                let delta = data.get_mut("delta").map(Value::take).unwrap_or_default();
                self.delta(index, &delta, turn);
            }
            "contentBlockStop" => {
                if let Some(Kind::Call(place)) = self.find(index) {
                    turn.close(*place);
                }
            }
            "messageStop" => {
                let reason = words(&data, "stopReason");
                self.end.stop = (!reason.is_empty()).then(|| reason.to_owned());
            }
            "metadata" => {
                self.spend(data.get("usage"));
                return true;
            }
            _ => {}
        }
        false
    }

    /// Reads an answer that wasn't streamed.
    pub(super) fn whole(&mut self, mut body: Value, turn: &mut Assembly) -> Result<(), Fault> {
        let Some(content) = body
            .pointer_mut("/output/message/content")
            .and_then(Value::as_array_mut)
        else {
            return Err(Fault::Unreadable("it has no content".to_owned()));
        };
        for block in content {
            turn.text(words(block, "text"));
            if let Some(call) = block.get_mut("toolUse").map(Value::take) {
                let place = open(call, turn);
                turn.close(place);
            }
            if let Some(thought) = block.get("reasoningContent") {
                let place = turn.think(Thought::default());
                let text = thought.get("reasoningText").unwrap_or(&Value::Null);
                turn.tell(words(text, "text"));
                turn.tell(words(thought, "text"));
                think(turn.thought(place), text);
                think(turn.thought(place), thought);
            }
        }
        let reason = words(&body, "stopReason");
        self.end.stop = (!reason.is_empty()).then(|| reason.to_owned());
        self.spend(body.get("usage"));
        Ok(())
    }

    pub(super) fn end(self) -> End {
        self.end
    }

    fn delta(&mut self, index: Option<u64>, delta: &Value, turn: &mut Assembly) {
        turn.text(words(delta, "text"));
        if let Some(input) = delta.pointer("/toolUse/input")
            && let Some(Kind::Call(place)) = self.find(index)
        {
            let call = turn.call(*place);
            match (&mut call.arguments, Written::of(input.clone())) {
                (Written::Text(text), Written::Text(more)) => text.push_str(&more),
                (arguments, more) if !more.is_empty() => *arguments = more,
                _ => {}
            }
        }
        if let Some(thought) = delta.get("reasoningContent") {
            let known = match self.find(index) {
                Some(Kind::Thought(place)) => Some(*place),
                _ => None,
            };
            let place = known.unwrap_or_else(|| {
                let place = turn.think(Thought::default());
                self.push(index, Kind::Thought(place));
                place
            });
            turn.tell(words(thought, "text"));
            think(turn.thought(place), thought);
        }
    }

    fn push(&mut self, index: Option<u64>, kind: Kind) {
        self.blocks.push(Block { index, kind });
    }

    fn find(&self, index: Option<u64>) -> Option<&Kind> {
        let block = self
            .blocks
            .iter()
            .rfind(|block| index.is_none() || block.index == index);
        block.map(|block| &block.kind)
    }

    fn spend(&mut self, spent: Option<&Value>) {
        let Some(spent) = spent else { return };
        let cached = count(spent, "/cacheReadInputTokens");
        // Converse counts cached tokens apart from the input (`TokenUsage` in its reference).
        let input = count(spent, "/inputTokens") + cached + count(spent, "/cacheWriteInputTokens");
        self.end.usage = Usage::new(input, cached, count(spent, "/outputTokens"));
    }
}

fn open(mut call: Value, turn: &mut Assembly) -> usize {
    let place = turn.open(words(&call, "toolUseId"), words(&call, "name"));
    let input = Written::of(call.get_mut("input").map(Value::take).unwrap_or_default());
    turn.call(place).arguments = input;
    place
}

/// Adds a piece to a thought. An encrypted thought has no text.
fn think(thought: Option<&mut Thought>, piece: &Value) {
    let Some(thought) = thought else { return };
    let text = words(piece, "text");
    if !text.is_empty() || !words(piece, "signature").is_empty() {
        thought.text.get_or_insert_default().push_str(text);
    }
    thought.signature.push_str(words(piece, "signature"));
    thought.signature.push_str(words(piece, "redactedContent"));
}
