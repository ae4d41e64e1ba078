//! OpenAI's Responses. The rules for its items are in the table of [`answer`](super).

use async_tool_runtime::model::Usage;
use serde_json::Value;

use super::{Fault, count, words};
use crate::assembly::{Assembly, End, Written};

#[derive(Debug, Default)]
pub(crate) struct Reader {
    items: Vec<Item>,
    /// Ids of the thoughts that came.
    thoughts: Vec<String>,
    /// Ids of the thoughts that the host was told.
    told: Vec<String>,
    /// True if a message's text came in pieces, and the message isn't done.
    is_writing: bool,
    has_text: bool,
    /// True if a text of the model is a refusal.
    is_refused: bool,
    end: End,
}

/// A call's item.
#[derive(Debug)]
struct Item {
    id: String,
    index: Option<u64>,
    place: usize,
    /// The arguments with which the item began.
    first: Written,
    is_done: bool,
    /// True if the item was found in the response at the end.
    is_listed: bool,
}

impl Reader {
    /// Reads an event; true if it is the last one.
    pub(super) fn read(&mut self, event: Option<&str>, mut data: Value, turn: &mut Assembly) -> Result<bool, Fault> {
        let kind = data.get("type").and_then(Value::as_str).or(event).unwrap_or_default();
        let index = data.get("output_index").and_then(Value::as_u64);
        match kind {
            "response.output_text.delta" | "response.refusal.delta" => {
                self.is_refused |= kind == "response.refusal.delta";
                self.is_writing = true;
                self.has_text = true;
                turn.text(words(&data, "delta"));
            }
            "response.reasoning_summary_part.added" => turn.end_thought(),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let piece = words(&data, "delta");
                if !piece.is_empty() {
                    self.begin_telling(words(&data, "item_id"), turn);
                    turn.tell(piece);
                }
            }
            "response.output_item.added" => {
                let item = data.get_mut("item").map(Value::take).unwrap_or_default();
                if words(&item, "type") == "function_call" && self.begun(&item, index, turn).is_none() {
                    self.begin(&item, index, turn);
                }
            }
            "response.function_call_arguments.delta" => {
                if let Some(item) = self.open_item(words(&data, "item_id"), index) {
                    let call = turn.call(self.items[item].place);
                    let more = Written::of(data.get_mut("delta").map(Value::take).unwrap_or_default());
                    match (&mut call.arguments, more) {
                        (Written::Text(text), Written::Text(more)) => text.push_str(&more),
                        (arguments, Written::Value(more)) => *arguments = Written::Value(more),
                        (Written::Value(_), Written::Text(_)) => {}
                    }
                }
            }
            "response.function_call_arguments.done" => {
                let arguments = Written::of(data.get_mut("arguments").map(Value::take).unwrap_or_default());
                if let Some(item) = self.open_item(words(&data, "item_id"), index)
                    && !arguments.is_empty()
                {
                    turn.call(self.items[item].place).arguments = arguments;
                }
            }
            "response.output_item.done" => {
                let item = data.get_mut("item").map(Value::take).unwrap_or_default();
                self.done(item, index, turn);
            }
            "response.completed" | "response.incomplete" | "response.done" => {
                let response = data.get_mut("response").map(Value::take).unwrap_or_default();
                self.whole(response, turn)?;
                return Ok(true);
            }
            "response.failed" | "error" => {
                let error = data
                    .pointer("/response/error")
                    .filter(|error| !error.is_null())
                    .cloned();
                return Err(Fault::Refused(error.unwrap_or(data)));
            }
            _ => {}
        }
        Ok(false)
    }

    /// Reads a whole response: one that wasn't streamed, or the one at the end of a stream.
    pub(super) fn whole(&mut self, mut response: Value, turn: &mut Assembly) -> Result<(), Fault> {
        if let Some(error) = response.get("error").filter(|error| !error.is_null()) {
            return Err(Fault::Refused(error.clone()));
        }
        if let Some(Value::Array(output)) = response.get_mut("output").map(Value::take) {
            let has_text = self.has_text;
            for item in output {
                match words(&item, "type") {
                    "message" if has_text => {}
                    "message" => self.message(&item, turn),
                    "function_call" => {
                        let known = self.listed(&item, turn);
                        let known = known.unwrap_or_else(|| self.begin(&item, None, turn));
                        self.items[known].is_listed = true;
                        self.finish(known, item, turn);
                    }
                    _ => self.done(item, None, turn),
                }
            }
        }
        if let Some(spent) = response.get("usage").filter(|spent| spent.is_object()) {
            let reasoning = count(spent, "/output_tokens_details/reasoning_tokens");
            let cached = count(spent, "/input_tokens_details/cached_tokens");
            let output = count(spent, "/output_tokens").max(reasoning);
            self.end.usage = Usage::new(count(spent, "/input_tokens"), cached, output).with_reasoning(reasoning);
        }
        let status = words(&response, "status");
        self.end.stop = (!status.is_empty()).then(|| status.to_owned());
        let reason = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        if reason == Some("content_filter") {
            self.end.stop = reason.map(str::to_owned);
        } else if self.is_refused && status == "completed" {
            self.end.stop = Some("refusal".to_owned());
        }
        Ok(())
    }

    pub(super) fn end(self) -> End {
        self.end
    }

    /// Notes that the host is told this thought; true if it was not before.
    fn begin_telling(&mut self, id: &str, turn: &mut Assembly) -> bool {
        let is_new = !self.told.iter().any(|told| told == id);
        if is_new {
            self.told.push(id.to_owned());
            turn.end_thought();
        }
        is_new
    }

    /// Takes a complete item.
    fn done(&mut self, item: Value, index: Option<u64>, turn: &mut Assembly) {
        match words(&item, "type") {
            "reasoning" => {
                if self.begin_telling(words(&item, "id"), turn) {
                    for part in ["summary", "content"]
                        .iter()
                        .filter_map(|key| item.get(key)?.as_array())
                        .flatten()
                    {
                        turn.end_thought();
                        turn.tell(words(part, "text"));
                    }
                }
                let id = words(&item, "id").to_owned();
                let is_known = !id.is_empty() && self.thoughts.contains(&id);
                if !is_known && !words(&item, "encrypted_content").is_empty() {
                    self.thoughts.push(id);
                    turn.custom(item);
                }
            }
            "function_call" => match self.ended(&item, index, turn) {
                Some(known) if self.items[known].is_done => {}
                Some(known) => self.finish(known, item, turn),
                None => {
                    let new = self.begin(&item, index, turn);
                    self.finish(new, item, turn);
                }
            },
            "message" => self.message(&item, turn),
            _ => {}
        }
    }

    /// Takes a complete message. Its text may have come in pieces.
    fn message(&mut self, item: &Value, turn: &mut Assembly) {
        if std::mem::replace(&mut self.is_writing, false) {
            return;
        }
        for part in item.get("content").and_then(Value::as_array).into_iter().flatten() {
            self.has_text = true;
            let refusal = words(part, "refusal");
            self.is_refused |= !refusal.is_empty();
            turn.text(if refusal.is_empty() {
                words(part, "text")
            } else {
                refusal
            });
        }
    }

    fn finish(&mut self, known: usize, mut item: Value, turn: &mut Assembly) {
        if std::mem::replace(&mut self.items[known].is_done, true) {
            return;
        }
        let place = self.items[known].place;
        let call = turn.call(place);
        if call.name.is_empty() {
            call.name = words(&item, "name").to_owned();
        }
        if call.id.is_empty() {
            call.id = words(&item, "call_id").to_owned();
        }
        let arguments = Written::of(item.get_mut("arguments").map(Value::take).unwrap_or_default());
        if !arguments.is_empty() {
            call.arguments = arguments;
        }
        if call.arguments.is_empty() {
            call.arguments = std::mem::take(&mut self.items[known].first);
        }
        turn.close(place);
    }

    fn begin(&mut self, item: &Value, index: Option<u64>, turn: &mut Assembly) -> usize {
        let place = turn.open(words(item, "call_id"), words(item, "name"));
        self.items.push(Item {
            id: words(item, "id").to_owned(),
            index,
            place,
            first: Written::of(item.get("arguments").cloned().unwrap_or_default()),
            is_done: false,
            is_listed: false,
        });
        self.items.len() - 1
    }

    /// The unfinished item whose beginning came already.
    fn begun(&self, item: &Value, index: Option<u64>, turn: &Assembly) -> Option<usize> {
        let id = words(item, "id");
        if !id.is_empty() {
            return self.items.iter().rposition(|known| known.id == id);
        }
        self.items.iter().rposition(|known| {
            !known.is_done && known.index == index && turn.calls()[known.place].id == words(item, "call_id")
        })
    }

    /// The item that ends. One that ended already counts if it has the same id, or has none and says the same.
    fn ended(&self, item: &Value, index: Option<u64>, turn: &Assembly) -> Option<usize> {
        let id = words(item, "id");
        let by_id = self.items.iter().rposition(|known| !id.is_empty() && known.id == id);
        let is_same = |known: &Item| {
            let call = &turn.calls()[known.place];
            call.id == words(item, "call_id") && call.name == words(item, "name")
        };
        let is_there = |known: &Item| index.is_none() || known.index.is_none() || known.index == index;
        let open = |known: &Item| !known.is_done && is_same(known);
        by_id
            .or_else(|| self.items.iter().position(|known| open(known) && is_there(known)))
            .or_else(|| self.items.iter().position(open))
            .or_else(|| {
                let arguments = Written::of(item.get("arguments").cloned().unwrap_or_default());
                let has_id = |known: &Item| !id.is_empty() && !known.id.is_empty();
                let says_same = |known: &Item| turn.calls()[known.place].arguments.is_same(&arguments);
                let mut items = self.items.iter();
                items.position(|known| known.is_done && !has_id(known) && is_same(known) && says_same(known))
            })
    }

    /// The item of the stream that is this one of the response at the end. Some servers give it another id there.
    fn listed(&self, item: &Value, turn: &Assembly) -> Option<usize> {
        let id = words(item, "id");
        let find = |is: &dyn Fn(&Item) -> bool| self.items.iter().position(|known| !known.is_listed && is(known));
        let call = |known: &Item| &turn.calls()[known.place];
        let arguments = Written::of(item.get("arguments").cloned().unwrap_or_default());
        let says_same = |known: &Item| call(known).arguments.is_same(&arguments);
        find(&|known| !id.is_empty() && known.id == id)
            .or_else(|| find(&|known| call(known).id == words(item, "call_id") && says_same(known)))
            .or_else(|| find(&|known| call(known).id == words(item, "call_id")))
            .or_else(|| find(&|known| call(known).name == words(item, "name") && says_same(known)))
    }

    /// The unfinished item that a piece of arguments belongs to.
    fn open_item(&self, id: &str, index: Option<u64>) -> Option<usize> {
        let by_id = self.items.iter().rposition(|item| !id.is_empty() && item.id == id);
        if by_id.is_some() {
            return by_id.filter(|item| !self.items[*item].is_done);
        }
        let is_open = |item: &Item| !item.is_done && (index.is_none() || item.index == index);
        self.items.iter().rposition(is_open)
    }
}
