//! Assembly of one turn from what its reader found. Pure: no I/O, no clock.
//!
//! # Invariants
//!
//! 1. Each call is emitted once, when it is complete, in the order in which the model made them.
//! 2. Each call's id is new in the conversation. A call with an id that another one has gets a new id, under
//!    which it is also sent back: no provider is sent an id twice.
//! 3. Arguments that are not a JSON object stay the text that arrived, so that binding refuses them.
//! 4. The blocks of a turn keep the order in which they came.

use std::{collections::BTreeSet, sync::Arc};

use async_tool_runtime::{
    Message, ToolCall, ToolDefinition,
    model::{ModelError, ModelEvent, ModelRequest, StopReason, TurnEnd, Usage},
    schema::strip_invented_nulls,
    tool::{Arguments, CallId},
};
use async_tool_wire::{
    halves::{self, Pieces, join, join_all},
    is_cut, is_end, is_failure, is_refusal,
};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    Provider,
    blocks::{Block, Blocks, is_plain},
    told::Told,
    wire::Wire,
};

pub(crate) struct Assembly {
    provider: Provider,
    wire: Wire,
    tools: Arc<[ToolDefinition]>,
    /// True if the strict dialect makes models write nulls for absent arguments.
    invents_nulls: bool,
    known: BTreeSet<String>,
    calls: Vec<Call>,
    items: Vec<Item>,
    text: Pieces,
    told: Told,
    events: Vec<ModelEvent>,
}

/// A call that is being received.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// The server's id; empty if it gave none.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: Written,
    /// Signatures of the thoughts before the call, for Gemini.
    pub(crate) signatures: Vec<String>,
    /// Fields that the server wants back with the call (`extra_content`).
    pub(crate) extra: Option<Value>,
    is_closed: bool,
    /// The id under which the call was emitted; `None` until then.
    emitted: Option<String>,
}

/// Arguments as far as they came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Written {
    Text(String),
    Value(Value),
}

/// A block of the turn.
#[derive(Debug)]
enum Item {
    Text(String),
    Thought(Thought),
    Call(usize),
    Custom(Value),
}

/// A thought of the model.
#[derive(Debug, Default)]
pub(crate) struct Thought {
    /// The provider's proof, or the encrypted thought; empty if there is none.
    pub(crate) signature: String,
    /// The readable thought; `None` if it is encrypted.
    pub(crate) text: Option<String>,
}

/// The end of a turn.
#[derive(Debug, Default)]
pub(crate) struct End {
    /// The provider's word for the reason; `None` if the answer stopped without one.
    pub(crate) stop: Option<String>,
    pub(crate) usage: Usage,
}

impl Assembly {
    pub(crate) fn new(provider: Provider, wire: Wire, request: &ModelRequest, invents_nulls: bool) -> Self {
        let calls = request.messages.iter().flat_map(|message| match &**message {
            Message::Assistant { calls, .. } => calls.as_slice(),
            _ => &[],
        });
        Self {
            provider,
            wire,
            tools: Arc::clone(&request.tools),
            invents_nulls,
            known: calls.map(|call| plain_id(call.id.as_str())).collect(),
            calls: Vec::new(),
            items: Vec::new(),
            text: Pieces::default(),
            told: Told::default(),
            events: Vec::new(),
        }
    }

    /// Takes the events that are complete.
    pub(crate) fn events(&mut self) -> Vec<ModelEvent> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn text(&mut self, piece: &str) {
        let text = self.text.push(piece);
        self.whole_text(text);
    }

    fn whole_text(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        match self.items.last_mut() {
            Some(Item::Text(earlier)) => earlier.push_str(&text),
            _ => self.items.push(Item::Text(text.clone())),
        }
        self.events.push(ModelEvent::Text(text));
    }

    /// Tells the host a piece of a thought, and keeps nothing of it.
    pub(crate) fn tell(&mut self, piece: &str) {
        self.events.extend(self.told.piece(piece).map(ModelEvent::Reasoning));
    }

    /// Puts a blank line between the thoughts told so far and the next one.
    pub(crate) fn end_thought(&mut self) {
        self.told.end();
    }

    /// Takes a piece of unsigned thoughts; it continues those directly before it.
    pub(crate) fn reasoning(&mut self, piece: &str) {
        self.tell(piece);
        match self.items.last_mut() {
            _ if piece.is_empty() => {}
            Some(Item::Thought(Thought {
                signature,
                text: Some(earlier),
            })) if signature.is_empty() => earlier.push_str(piece),
            _ => self.items.push(Item::Thought(Thought {
                signature: String::new(),
                text: Some(piece.to_owned()),
            })),
        }
    }

    /// Begins a thought; returns its place.
    pub(crate) fn think(&mut self, thought: Thought) -> usize {
        self.end_thought();
        self.tell(thought.text.as_deref().unwrap_or_default());
        self.items.push(Item::Thought(thought));
        self.items.len() - 1
    }

    /// The thought at this place.
    pub(crate) fn thought(&mut self, place: usize) -> Option<&mut Thought> {
        match self.items.get_mut(place) {
            Some(Item::Thought(thought)) => Some(thought),
            _ => None,
        }
    }

    /// Takes a block that goes back unchanged; returns its place.
    pub(crate) fn custom(&mut self, block: Value) -> usize {
        self.items.push(Item::Custom(block));
        self.items.len() - 1
    }

    /// The block at this place.
    pub(crate) fn custom_at(&mut self, place: usize) -> Option<&mut Value> {
        match self.items.get_mut(place) {
            Some(Item::Custom(block)) => Some(block),
            _ => None,
        }
    }

    /// Begins a call; returns its place.
    pub(crate) fn open(&mut self, id: &str, name: &str) -> usize {
        self.calls.push(Call {
            id: id.to_owned(),
            name: name.to_owned(),
            ..Call::default()
        });
        self.items.push(Item::Call(self.calls.len() - 1));
        self.calls.len() - 1
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub(crate) fn call(&mut self, place: usize) -> &mut Call {
        &mut self.calls[place]
    }

    pub(crate) fn has_tool(&self, name: &str) -> bool {
        self.tools.iter().any(|tool| &*tool.name == name)
    }

    /// Says that nothing more comes for the call. It is emitted, after the calls before it. Arguments that can't
    /// be complete wait for the end of the turn, which tells if they were cut off.
    pub(crate) fn close(&mut self, place: usize) {
        self.calls[place].is_closed = true;
        for place in 0..self.calls.len() {
            let call = &self.calls[place];
            if call.emitted.is_some() {
                continue;
            }
            if !call.is_closed || !call.arguments.is_complete() {
                break;
            }
            let event = self.emit(place);
            self.events.push(event);
        }
    }

    fn emit(&mut self, place: usize) -> ModelEvent {
        let (id, name) = (self.calls[place].id.clone(), join(&self.calls[place].name));
        let id = self.fresh_id(&id, &name);
        let call = &mut self.calls[place];
        call.emitted = Some(id.clone());
        let arguments = call.arguments.clone().into_arguments();
        let name: Arc<str> = name.into();
        ModelEvent::ToolCall(ToolCall::new(
            CallId::new(id),
            Arc::clone(&name),
            self.without_nulls(&name, arguments),
        ))
    }

    fn without_nulls(&self, name: &str, arguments: Arguments) -> Arguments {
        let tool = self.tools.iter().find(|tool| &*tool.name == name);
        let Some(tool) = tool.filter(|_| self.invents_nulls && arguments.value().is_object()) else {
            return arguments;
        };
        let mut value = arguments.value().clone();
        strip_invented_nulls(&tool.input_schema, &mut value);
        if value == *arguments.value() {
            arguments
        } else {
            value.into()
        }
    }

    /// Returns the server's id, or a new one if that is missing, a stand-in, or already used in this
    /// conversation.
    fn fresh_id(&mut self, id: &str, name: &str) -> String {
        let is_stand_in = id.trim().is_empty()
            || id.starts_with("call#")
            || id
                .strip_prefix("call_")
                .is_some_and(|number| number.len() < 4 && number.bytes().all(|byte| byte.is_ascii_digit()));
        let mut fresh = id.to_owned();
        if is_stand_in || self.known.contains(&plain_id(&fresh)) {
            let number = Uuid::new_v4();
            fresh = match (self.wire, self.provider) {
                // Says "Gemini gave no id"; it isn't sent.
                (Wire::Gemini, _) => format!("call#{name}#{}", number.as_fields().0),
                // Mistral takes only nine letters and digits.
                (_, Provider::Mistral) => number.simple().to_string()[..9].to_owned(),
                _ => format!("call_{}", number.simple()),
            };
        }
        self.known.insert(plain_id(&fresh));
        fresh
    }

    /// Ends the turn: emits the rest of its events.
    ///
    /// # Errors
    ///
    /// The end has no reason, or a reason that says that the turn failed. It says that there are calls, and
    /// there is none.
    pub(crate) fn end(&mut self, end: End) -> Result<(), ModelError> {
        let stop = end.stop.ok_or_else(ModelError::truncated)?;
        if is_failure(&stop) {
            return Err(ModelError::transient(format!(
                "{}: the turn ended with `{stop}`",
                self.provider
            )));
        }
        if self.calls.is_empty() && is_call(&stop) {
            return Err(ModelError::transient(format!(
                "{}: the turn ended with `{stop}`, but has no call",
                self.provider
            )));
        }
        let rest = self.text.end();
        self.whole_text(rest.to_owned());
        let is_cut = is_cut(&stop);
        if is_cut && let Some(last) = self.calls.last_mut().filter(|call| call.emitted.is_none()) {
            last.arguments.cut();
        }
        let count = self.calls.len();
        for place in 0..count {
            let call = &mut self.calls[place];
            if call.emitted.is_some() {
                continue;
            }
            // Some models write no text at all for a call without arguments. The last call of a turn that the model didn't end
            // may have lost them.
            if let Written::Text(text) = &mut call.arguments
                && text.trim().is_empty()
                && (is_end(&stop) || place + 1 < count)
            {
                *text = "{}".to_owned();
            }
            let event = self.emit(place);
            self.events.push(event);
        }
        let reason = match &*stop {
            _ if is_cut => StopReason::MaxTokens,
            stop if is_refusal(stop) => StopReason::Refused,
            _ if count > 0 => StopReason::ToolCalls,
            _ => StopReason::EndTurn,
        };
        let mut done = TurnEnd::new(reason).with_usage(end.usage);
        if let Some(kept) = self.blocks().and_then(|blocks| blocks.to_value()) {
            done = done.with_provider(kept);
        }
        self.events.push(ModelEvent::Done(done));
        Ok(())
    }

    fn blocks(&mut self) -> Option<Blocks> {
        let items = std::mem::take(&mut self.items);
        let mut blocks = Vec::new();
        for item in items {
            match item {
                Item::Text(text) => blocks.push(Block::Text(text)),
                Item::Thought(thought) => {
                    let is_signed = !thought.signature.is_empty();
                    blocks.extend(is_signed.then_some(Block::Signature(thought.signature)));
                    let text = thought.text.filter(|text| is_signed || !text.is_empty());
                    blocks.extend(text.map(|text| Block::Reasoning(join(&text))));
                }
                Item::Call(place) => {
                    let call = &mut self.calls[place];
                    blocks.extend(call.emitted.clone().map(|id| Block::Call {
                        id,
                        signatures: std::mem::take(&mut call.signatures),
                        extra: call.extra.take(),
                    }));
                }
                Item::Custom(mut block) => {
                    join_all(&mut block);
                    blocks.push(Block::Custom(block));
                }
            }
        }
        Blocks::of_turn(self.provider, blocks)
    }
}

impl Default for Written {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Written {
    /// Reads arguments from a server's JSON: text, or a value that some servers write in its place.
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Null => Self::default(),
            value => Self::Value(value),
        }
    }

    /// True if nothing has come yet.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim().is_empty())
    }

    /// True for `{}`, which some servers write before the arguments.
    pub(crate) fn is_bare(&self) -> bool {
        match self {
            Self::Text(text) => text.trim() == "{}" || text.trim() == "null",
            Self::Value(value) => value.as_object().is_some_and(Map::is_empty),
        }
    }

    /// True if the arguments are JSON.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Self::Text(text) => serde_json::from_str::<IgnoredAny>(text).is_ok(),
            Self::Value(_) => true,
        }
    }

    /// True if the arguments are a whole object, which no further text can go on with.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Text(text) => text.trim_end().ends_with('}') && self.is_complete(),
            Self::Value(_) => true,
        }
    }

    /// True for an object, or text that begins like one.
    pub(crate) fn begins_object(&self) -> bool {
        match self {
            Self::Text(text) => text.trim_start().starts_with('{'),
            Self::Value(_) => true,
        }
    }

    /// True if both say the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let value = |written: &Self| match written {
            Self::Text(text) => serde_json::from_str(text).ok(),
            Self::Value(value) => Some(value.clone()),
        };
        self == other || value(self).is_some_and(|one| value(other) == Some(one))
    }

    /// Clears empty arguments of the last call before the token limit: the limit may have cut them off.
    fn cut(&mut self) {
        let is_null = matches!(self, Self::Value(Value::Null));
        if is_null || self.is_bare() || self.is_empty() {
            *self = Self::default();
        }
    }

    fn into_arguments(self) -> Arguments {
        match self {
            Self::Text(text) => {
                let text = join(&text);
                // Half a character makes JSON that can't be read.
                let whole = halves::replace(&text);
                let whole = whole.filter(|whole| serde_json::from_str::<IgnoredAny>(whole).is_ok());
                Arguments::from_text(whole.unwrap_or(text))
            }
            Self::Value(mut value) => {
                join_all(&mut value);
                value.into()
            }
        }
    }
}

/// The id as most formats send it. Two ids that only differ in other letters would be one on the wire.
fn plain_id(id: &str) -> String {
    id.replace(|letter: char| !is_plain(letter), "_")
}

/// True for reasons that say that the turn has calls.
fn is_call(reason: &str) -> bool {
    matches!(reason, "tool_calls" | "tool_use" | "function_call")
}
