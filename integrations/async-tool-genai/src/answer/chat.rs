//! Chat Completions. The rules for its calls are in the table of [`answer`](super).

use async_tool_runtime::model::Usage;
use async_tool_wire::is_end;
use serde_json::Value;

use super::{Fault, count, words};
use crate::{
    Provider,
    assembly::{Assembly, Call, End, Written},
};

#[derive(Debug)]
pub(crate) struct Reader {
    provider: Provider,
    /// The calls, in the order in which they began.
    slots: Vec<Slot>,
    /// `reasoning_details` of OpenRouter.
    details: Vec<Value>,
    /// True if the model's text is a refusal.
    is_refused: bool,
    end: End,
}

#[derive(Debug)]
struct Slot {
    index: Option<u64>,
    place: usize,
}

/// A piece of a call.
struct Fragment {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: Written,
    extra: Option<Value>,
}

impl Reader {
    pub(super) fn new(provider: Provider) -> Self {
        Self {
            provider,
            slots: Vec::new(),
            details: Vec::new(),
            is_refused: false,
            end: End::default(),
        }
    }

    /// Reads a frame, or a whole answer.
    pub(super) fn read(&mut self, mut data: Value, turn: &mut Assembly) -> Result<(), Fault> {
        let is_error = data.get("error").is_some_and(|error| !error.is_null());
        let is_bare_error = data.get("choices").is_none() && data.get("object").is_some_and(|kind| kind == "error");
        if is_error || is_bare_error {
            return Err(Fault::Refused(data));
        }
        let spent = data.pointer("/x_groq/usage").or_else(|| data.get("usage"));
        if let Some(spent) = spent.filter(|spent| spent.is_object()) {
            self.end.usage = usage(self.provider, spent);
        }
        let Some(choices) = data.get_mut("choices").and_then(Value::as_array_mut) else {
            return Ok(());
        };
        let is_first = |choice: &Value| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0;
        let Some(choice) = choices.iter_mut().find(|choice| is_first(choice)) else {
            return Ok(());
        };
        for key in ["delta", "message"] {
            let delta = choice.get_mut(key).map(Value::take);
            if let Some(delta) = delta.filter(|delta| delta.as_object().is_some_and(|delta| !delta.is_empty())) {
                self.delta(delta, key == "message", turn);
                break;
            }
        }
        let reason = choice.get("finish_reason").and_then(Value::as_str);
        if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
            self.end.stop = Some(reason.to_owned());
        }
        Ok(())
    }

    pub(super) fn end(mut self, turn: &mut Assembly) -> End {
        if self.is_refused && self.end.stop.as_deref().is_some_and(is_end) {
            self.end.stop = Some("refusal".to_owned());
        }
        for detail in self.details {
            turn.custom(detail);
        }
        self.end
    }

    /// Reads a piece of the message, or the whole message.
    fn delta(&mut self, mut delta: Value, is_whole: bool, turn: &mut Assembly) {
        let thought = ["reasoning_content", "reasoning"].map(|key| words(&delta, key));
        let thought = thought.iter().find(|thought| !thought.is_empty()).copied();
        let is_told = thought.is_some();
        turn.reasoning(thought.unwrap_or_default());
        for detail in taken(&mut delta, "reasoning_details") {
            // OpenRouter sends the same text in both places.
            if !is_told {
                turn.tell(words(&detail, "text"));
                turn.tell(words(&detail, "summary"));
            }
            self.detail(detail);
        }
        match delta.get("content") {
            Some(Value::String(text)) => turn.text(text),
            // Mistral's reasoning models.
            Some(Value::Array(chunks)) => {
                for chunk in chunks {
                    match chunk.get("thinking") {
                        Some(Value::String(text)) => turn.reasoning(text),
                        Some(Value::Array(parts)) => {
                            parts.iter().for_each(|part| turn.reasoning(words(part, "text")));
                        }
                        _ => turn.text(words(chunk, "text")),
                    }
                }
            }
            _ => {}
        }
        // In place of the content.
        let refusal = words(&delta, "refusal");
        self.is_refused |= !refusal.is_empty();
        turn.text(refusal);
        if let Some(extra) = delta.get("extra_content").filter(|extra| extra.is_object()) {
            turn.custom(serde_json::json!({"type": "extra_content", "extra_content": extra}));
        }
        let before = self.slots.len();
        for (place, piece) in (0..).zip(taken(&mut delta, "tool_calls")) {
            let mut fragment = Fragment::of(piece);
            if is_whole {
                fragment.index = Some(place);
            }
            self.take(fragment, before, turn);
        }
        // The older form, for one call.
        if let Some(function) = delta.get_mut("function_call").filter(|function| function.is_object()) {
            let function = function.take();
            self.take(
                Fragment::of(serde_json::json!({"index": 0, "function": function})),
                before,
                turn,
            );
        }
    }

    /// Takes a piece of `reasoning_details`. Pieces of one entry have one index and type; their texts are joined.
    fn detail(&mut self, detail: Value) {
        let key = |detail: &Value| (detail.get("index").cloned(), detail.get("type").cloned());
        let last = self.details.last_mut().filter(|last| {
            let is_text = last.get("type").is_some_and(|kind| kind != "reasoning.encrypted");
            key(last) == key(&detail) && (is_text || detail.get("index").is_some_and(Value::is_u64))
        });
        let (Some(Value::Object(entry)), Value::Object(fields)) = (last, &detail) else {
            self.details.extend(detail.is_object().then_some(detail));
            return;
        };
        for (name, value) in fields {
            let is_piece = matches!(name.as_str(), "text" | "summary" | "data");
            match (entry.get_mut(name), value) {
                (Some(Value::String(earlier)), Value::String(more)) if is_piece => earlier.push_str(more),
                (_, Value::Null) => {}
                _ => {
                    entry.insert(name.clone(), value.clone());
                }
            }
        }
    }

    fn take(&mut self, fragment: Fragment, before: usize, turn: &mut Assembly) {
        let Some(slot) = self.slot_of(&fragment, before, turn) else {
            self.begin(fragment, turn);
            return;
        };
        let place = self.slots[slot].place;
        let may_join = joins_name(turn, place, &fragment);
        let call = turn.call(place);
        if call.id.is_empty() {
            call.id = fragment.id;
        }
        if call.name.is_empty() || may_join {
            call.name.push_str(&fragment.name);
        }
        if fragment.extra.is_some() {
            call.extra = fragment.extra;
        }
        // Some servers write `{}` before the arguments.
        let is_bare = call.arguments.is_bare();
        if call.arguments.is_whole() && !is_bare {
            return;
        }
        match (&mut call.arguments, fragment.arguments) {
            (_, Written::Text(more)) if more.is_empty() => {}
            (Written::Text(text), Written::Text(more)) if !is_bare => text.push_str(&more),
            (arguments, more) => *arguments = more,
        }
    }

    /// The call that a piece goes on with; `None` if it begins another one.
    fn slot_of(&self, fragment: &Fragment, before: usize, turn: &Assembly) -> Option<usize> {
        let call = |slot: &Slot| &turn.calls()[slot.place];
        let has_id = !fragment.id.is_empty();
        let is_same = |slot: &Slot| call(slot).id == fragment.id;
        let at_index = |slot: &Slot| fragment.index.is_some() && slot.index == fragment.index;
        let known = self
            .slots
            .iter()
            .rposition(|slot| at_index(slot) && has_id && is_same(slot))
            .or_else(|| self.slots.iter().rposition(at_index));
        let slot = match known {
            Some(slot) => slot,
            None if has_id => {
                let last = self.slots.len().checked_sub(1);
                let goes_on = |last: &usize| fragment.index.is_none() && fragment.is_rest_of(call(&self.slots[*last]));
                let known = self.slots.iter().rposition(is_same);
                let slot = known.or_else(|| last.filter(goes_on))?;
                // Another index with a name is another call, even under the same id.
                if fragment.index.is_some() && !fragment.name.is_empty() {
                    return None;
                }
                slot
            }
            None => {
                let last = self.slots.len().checked_sub(1)?;
                // Another index with a name, and a second element of one list, are other calls.
                if !fragment.name.is_empty() && (fragment.index.is_some() || last >= before) {
                    return None;
                }
                last
            }
        };
        let call = call(&self.slots[slot]);
        if has_id && !call.id.is_empty() && call.id != fragment.id && !fragment.is_rest_of(call) {
            return None;
        }
        let is_other = !fragment.name.is_empty() && !call.name.is_empty() && fragment.name != call.name;
        if is_other && !has_id && !joins_name(turn, self.slots[slot].place, fragment) {
            return None;
        }
        // Two whole calls in one list are two, even if they are the same.
        let is_beside = slot >= before && !fragment.name.is_empty() && !fragment.arguments.is_empty();
        if is_beside && call.arguments.is_whole() {
            return None;
        }
        // No text can go on with a whole object. The same object again is a repetition. A piece that begins no object is
        // too much.
        let goes_on = fragment.arguments.is_empty()
            || fragment.name.is_empty() && !fragment.arguments.begins_object()
            || !call.arguments.is_whole()
            || call.arguments.is_bare()
            || call.arguments.is_same(&fragment.arguments);
        goes_on.then_some(slot)
    }

    fn begin(&mut self, fragment: Fragment, turn: &mut Assembly) {
        let mut name = fragment.name;
        if name.is_empty()
            && let Some(slot) = self.slots.iter().rfind(|slot| slot.index == fragment.index)
        {
            name.clone_from(&turn.calls()[slot.place].name);
        }
        for slot in &self.slots {
            let arguments = &turn.calls()[slot.place].arguments;
            if arguments.is_whole() && !arguments.is_bare() {
                turn.close(slot.place);
            }
        }
        let place = turn.open(&fragment.id, &name);
        let call = turn.call(place);
        call.arguments = fragment.arguments;
        call.extra = fragment.extra;
        self.slots.push(Slot {
            index: fragment.index,
            place,
        });
    }
}

impl Fragment {
    fn of(mut piece: Value) -> Self {
        let index = piece.get("index").and_then(Value::as_u64);
        let id = words(&piece, "id").to_owned();
        let extra = piece.get("extra_content").filter(|extra| !extra.is_null()).cloned();
        let mut function = piece.get_mut("function").map(Value::take).unwrap_or_default();
        // Some servers write the fields of the function beside the id.
        if !function.is_object() {
            function = piece;
        }
        Self {
            index,
            id,
            name: words(&function, "name").to_owned(),
            arguments: Written::of(function.get_mut("arguments").map(Value::take).unwrap_or_default()),
            extra,
        }
    }
}

impl Fragment {
    /// True if this is a piece of arguments that are not whole, whatever its id says.
    fn is_rest_of(&self, call: &Call) -> bool {
        self.name.is_empty() && !call.name.is_empty() && !self.arguments.is_empty() && !call.arguments.is_whole()
    }
}

/// True if the fragment's name is the next piece of the call's name.
fn joins_name(turn: &Assembly, place: usize, fragment: &Fragment) -> bool {
    let call: &Call = &turn.calls()[place];
    !fragment.name.is_empty()
        && call.arguments.is_empty()
        && !turn.has_tool(&call.name)
        && !turn.has_tool(&fragment.name)
        && turn.has_tool(&format!("{}{}", call.name, fragment.name))
}

/// The elements of a list, or a single object in its place.
fn taken(value: &mut Value, key: &str) -> Vec<Value> {
    match value.get_mut(key).map(Value::take) {
        Some(Value::Array(items)) => items,
        Some(item @ Value::Object(_)) => vec![item],
        _ => Vec::new(),
    }
}

fn usage(provider: Provider, spent: &Value) -> Usage {
    let cached = count(spent, "/prompt_tokens_details/cached_tokens").max(count(spent, "/prompt_cache_hit_tokens"));
    let reasoning = count(spent, "/completion_tokens_details/reasoning_tokens");
    let mut output = count(spent, "/completion_tokens");
    if provider == Provider::Xai {
        // xAI counts reasoning apart from the output.
        output += reasoning;
    }
    Usage::new(count(spent, "/prompt_tokens"), cached, output.max(reasoning)).with_reasoning(reasoning)
}
