//! Anthropic's Messages. The rules for its blocks are in the table of [`answer`](super).

use async_tool_runtime::model::Usage;
use serde_json::{Value, json};

use super::{Fault, count, words};
use crate::assembly::{Assembly, End, Thought, Written};

#[derive(Debug, Default)]
pub(crate) struct Reader {
    blocks: Vec<Block>,
    /// Content of `message_start`, for servers that send a whole message there.
    first: Vec<Value>,
    stop: Option<String>,
    usage: Value,
    is_over: bool,
}

#[derive(Debug)]
struct Block {
    index: Option<u64>,
    id: String,
    kind: Kind,
    is_open: bool,
}

#[derive(Debug)]
enum Kind {
    Text,
    Thought(usize),
    Call {
        place: usize,
        /// The arguments with which the block began.
        first: Option<Value>,
        has_pieces: bool,
    },
    /// A block of another type, and the text of its input.
    Custom(usize, String),
}

impl Reader {
    /// Reads an event; true if it is the last one.
    pub(super) fn read(&mut self, event: Option<&str>, mut data: Value, turn: &mut Assembly) -> Result<bool, Fault> {
        let kind = data.get("type").and_then(Value::as_str).or(event).unwrap_or_default();
        match kind {
            "message_start" => {
                let message = data.get_mut("message").map(Value::take).unwrap_or_default();
                self.spend(message.get("usage"));
                self.first = message
                    .get("content")
                    .and_then(Value::as_array)
                    .cloned()
                    .unwrap_or_default();
            }
            "content_block_start" => {
                let index = data.get("index").and_then(Value::as_u64);
                let block = data.get_mut("content_block").map(Value::take).unwrap_or_default();
                self.start(index, block, turn);
            }
            "content_block_delta" => {
                let index = data.get("index").and_then(Value::as_u64);
                let delta = data.get_mut("delta").map(Value::take).unwrap_or_default();
                self.delta(index, delta, turn)?;
            }
            "content_block_stop" => {
                if let Some(block) = self.find(data.get("index").and_then(Value::as_u64)) {
                    self.close(block, turn);
                }
            }
            "message_delta" => {
                self.spend(data.get("usage"));
                let reason = data.pointer("/delta/stop_reason").and_then(Value::as_str);
                self.stop = reason
                    .filter(|reason| !reason.is_empty())
                    .map(str::to_owned)
                    .or(self.stop.take());
            }
            "message_stop" => {
                if self.blocks.is_empty() {
                    for block in std::mem::take(&mut self.first) {
                        self.start(None, block, turn);
                    }
                }
                for block in 0..self.blocks.len() {
                    self.close(block, turn);
                }
                self.is_over = true;
            }
            "error" => return Err(Fault::Refused(data)),
            _ => {}
        }
        Ok(self.is_over)
    }

    /// Reads an answer that wasn't streamed.
    pub(super) fn whole(&mut self, mut body: Value, turn: &mut Assembly) -> Result<(), Fault> {
        if body.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Fault::Refused(body));
        }
        let Some(Value::Array(content)) = body.get_mut("content").map(Value::take) else {
            return Err(Fault::Unreadable("it has no content".to_owned()));
        };
        for block in content {
            self.start(None, block, turn);
            self.close(self.blocks.len() - 1, turn);
        }
        self.spend(body.get("usage"));
        self.stop = Some(words(&body, "stop_reason").to_owned()).filter(|reason| !reason.is_empty());
        self.is_over = true;
        Ok(())
    }

    pub(super) fn end(self) -> End {
        let spent = &self.usage;
        let cached = count(spent, "/cache_read_input_tokens");
        // The input doesn't include what was read from the cache, or written to it.
        let input = count(spent, "/input_tokens") + cached + count(spent, "/cache_creation_input_tokens");
        let reasoning = count(spent, "/output_tokens_details/thinking_tokens");
        let output = count(spent, "/output_tokens").max(reasoning);
        End {
            stop: self.stop.filter(|_| self.is_over),
            usage: Usage::new(input, cached, output).with_reasoning(reasoning),
        }
    }

    fn spend(&mut self, spent: Option<&Value>) {
        let Some(Value::Object(spent)) = spent else { return };
        if self.usage.is_null() {
            self.usage = json!({});
        }
        for (name, value) in spent {
            if !value.is_null() {
                self.usage[name] = value.clone();
            }
        }
    }

    fn start(&mut self, index: Option<u64>, mut block: Value, turn: &mut Assembly) {
        let id = words(&block, "id").to_owned();
        let is_call = words(&block, "type") == "tool_use";
        let is_repeated = self.blocks.last().is_some_and(|last| {
            let is_same = last.is_open && index.is_some() && last.index == index && !id.is_empty() && last.id == id;
            is_same
                && matches!(last.kind, Kind::Call { place, .. } if is_call && turn.calls()[place].arguments.is_empty())
        });
        if is_repeated {
            self.blocks.pop();
        }
        let kind = match words(&block, "type") {
            "text" => {
                turn.text(words(&block, "text"));
                Kind::Text
            }
            "thinking" => Kind::Thought(turn.think(Thought {
                signature: words(&block, "signature").to_owned(),
                text: Some(words(&block, "thinking").to_owned()),
            })),
            "tool_use" => {
                let place = match turn.calls().len().checked_sub(1).filter(|_| is_repeated) {
                    Some(place) => place,
                    None => turn.open(&id, words(&block, "name")),
                };
                let input = Written::of(block.get_mut("input").map(Value::take).unwrap_or_default());
                let input = if input.is_bare() { Written::default() } else { input };
                let first = match &input {
                    Written::Value(value) => Some(value.clone()),
                    Written::Text(text) => serde_json::from_str(text).ok(),
                };
                turn.call(place).arguments = input;
                Kind::Call {
                    place,
                    first,
                    has_pieces: false,
                }
            }
            _ => Kind::Custom(turn.custom(block), String::new()),
        };
        self.blocks.push(Block {
            index,
            id,
            kind,
            is_open: true,
        });
    }

    fn delta(&mut self, index: Option<u64>, delta: Value, turn: &mut Assembly) -> Result<(), Fault> {
        if let Some(text) = delta.get("text").and_then(Value::as_str) {
            turn.text(text);
            return Ok(());
        }
        let is_call = delta.get("partial_json").is_some_and(|piece| !piece.is_null());
        let block = self.find(index);
        let kind = block.map(|block| &mut self.blocks[block].kind);
        match kind {
            Some(Kind::Call { place, has_pieces, .. }) if is_call => {
                let more = Written::of(delta["partial_json"].clone());
                if matches!(&more, Written::Text(text) if text.is_empty()) {
                    return Ok(());
                }
                let call = turn.call(*place);
                if !std::mem::replace(has_pieces, true) {
                    // The pieces are the whole input once more; they replace the one of the start.
                    call.arguments = Written::default();
                }
                match (&mut call.arguments, more) {
                    (Written::Text(text), Written::Text(more)) => text.push_str(&more),
                    (arguments, more) => *arguments = more,
                }
            }
            Some(Kind::Custom(_, input)) if is_call => input.push_str(words(&delta, "partial_json")),
            Some(Kind::Thought(place)) => {
                turn.tell(words(&delta, "thinking"));
                if let Some(thought) = turn.thought(*place) {
                    thought.text.get_or_insert_default().push_str(words(&delta, "thinking"));
                    thought.signature.push_str(words(&delta, "signature"));
                }
            }
            _ if is_call => {
                return Err(Fault::Unreadable(
                    "a piece of a call came without its beginning".to_owned(),
                ));
            }
            _ => turn.reasoning(words(&delta, "thinking")),
        }
        Ok(())
    }

    /// The block with this index: the latest one, since some servers use an index again.
    fn find(&self, index: Option<u64>) -> Option<usize> {
        let by_index = self
            .blocks
            .iter()
            .rposition(|block| index.is_some() && block.index == index);
        by_index.or_else(|| self.blocks.iter().rposition(|block| block.is_open))
    }

    fn close(&mut self, block: usize, turn: &mut Assembly) {
        let block = &mut self.blocks[block];
        if !std::mem::replace(&mut block.is_open, false) {
            return;
        }
        match &mut block.kind {
            Kind::Call { place, first, .. } => {
                let call = turn.call(*place);
                if !call.arguments.is_whole()
                    && let Some(first) = first.take()
                {
                    call.arguments = Written::Value(first);
                }
                turn.close(*place);
            }
            Kind::Custom(place, input) => {
                if let Ok(input) = serde_json::from_str::<Value>(input)
                    && let Some(Value::Object(block)) = turn.custom_at(*place)
                {
                    block.insert("input".to_owned(), input);
                }
            }
            Kind::Text | Kind::Thought(_) => {}
        }
    }
}
