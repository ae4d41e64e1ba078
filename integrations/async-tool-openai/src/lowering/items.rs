//! Items of one turn.
//!
//! A kept item goes back unchanged, with these exceptions, which a strict server would refuse:
//!
//! - a name that is none, or an empty `call_id` or `id`;
//! - arguments that are no text;
//! - a call without `async` that is left open. A server may omit the flag, so it is added.

use std::borrow::Cow;

use async_tool_runtime::{ToolCall, tool::CallId};
use serde_json::{Map, Value, json};

use crate::names::{sendable_id, sendable_name};

/// The agent's tool for managing tasks. The runtime answers it within the turn, so it is an ordinary function.
pub(crate) const TASK_TOOL: &str = "task";

const API: &str = "openai-responses";

/// Content that is kept of a turn, in `TurnEnd::provider`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    /// True if the turn's tools were declared asynchronous.
    native: bool,
    /// The items, unchanged.
    items: Vec<Value>,
    /// Ids of the calls on our side, in the order of their items.
    calls: Vec<String>,
}

impl Kept {
    /// Keeps items, each call with its id on our side.
    pub(crate) fn new(native: bool, items: Vec<(Value, Option<String>)>) -> Self {
        let (items, calls): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        Self {
            native,
            items,
            calls: calls.into_iter().flatten().collect(),
        }
    }

    pub(crate) fn into_value(self) -> Value {
        let is_as_sent = self.items.iter().filter(|item| is_call(item)).map(call_id);
        let is_as_sent = is_as_sent.eq(self.calls.iter().map(|call| Some(call.as_str())));
        let mut kept = json!({"api": API, "native_async": self.native, "output": self.items});
        // Only a server that repeats or omits ids needs a second list of them.
        if !is_as_sent {
            kept["calls"] = json!(self.calls);
        }
        kept
    }
}

/// A turn of the conversation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    text: &'a str,
    calls: &'a [ToolCall],
    /// The kept items, if their calls equal the conversation's. They differ if the turn was broken off, corrected, or
    /// another provider's; then the items are made from the calls and the text.
    kept: Option<(bool, &'a [Value], Option<&'a [Value]>)>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(text: &'a str, calls: &'a [ToolCall], provider: Option<&'a Value>) -> Self {
        let mut turn = Self {
            text,
            calls,
            kept: provider.and_then(read),
        };
        let mut made: Vec<&str> = turn.kept_calls().filter_map(|(own, _)| own).collect();
        let mut known: Vec<&str> = calls.iter().map(|call| call.id.as_str()).collect();
        let count = turn.kept_calls().count();
        // Calls are given as they are done, which need not be their order in the output.
        made.sort_unstable();
        known.sort_unstable();
        if made != known || count != known.len() {
            turn.kept = None;
        }
        turn
    }

    /// Kept calls, each with its id on our side.
    fn kept_calls(&self) -> impl Iterator<Item = (Option<&'a str>, &'a Value)> + use<'a> {
        let (items, own) = self.kept.map_or((&[][..], None), |(_, items, own)| (items, own));
        let items = items.iter().filter(|item| is_call(item)).enumerate();
        items.map(move |(place, item)| match own {
            Some(own) => (own.get(place).and_then(Value::as_str), item),
            None => (call_id(item), item),
        })
    }

    /// The items as they are sent. `is_open` tells of a call, by its id on our side, if it may be left open.
    pub(super) fn items(&self, native: bool, is_open: impl Fn(&str) -> bool) -> Vec<Value> {
        let Some((_, items, _)) = self.kept else {
            let text =
                (!self.text.is_empty()).then(|| json!({"type": "message", "role": "assistant", "content": self.text}));
            let calls = self.calls.iter().map(|call| made_up(call, native));
            return text.into_iter().chain(calls).collect();
        };
        let mut calls = self.kept_calls();
        let sent = items.iter().map(|item| match is_call(item) {
            true => {
                let own = calls.next().and_then(|(own, _)| own).unwrap_or_default();
                sendable(item, own, native, native && is_open(own))
            }
            false => without_empty_id(item),
        });
        sent.collect()
    }

    /// The `call_id` by which the server knows a call.
    pub(super) fn sent_id(&self, call: &CallId) -> Cow<'a, str> {
        let own = call.as_str();
        let kept = self.kept_calls().find(|(id, _)| *id == Some(own));
        match kept.and_then(|(_, item)| call_id(item)) {
            Some(id) => Cow::Borrowed(id),
            None => Cow::Owned(sendable_id(own).into_owned()),
        }
    }

    /// Ids of all calls, as the server knows them.
    pub(super) fn sent_ids(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.calls.iter().map(|call| self.sent_id(&call.id))
    }

    /// The call with this id.
    pub(super) fn call(&self, id: &CallId) -> Option<&'a ToolCall> {
        self.calls.iter().find(|call| call.id == *id)
    }

    /// True if the call may stay open, provided that native calls are on: its item was, or is, declared asynchronous.
    pub(super) fn may_be_open(&self, call: &CallId) -> bool {
        if self.call(call).is_some_and(|known| &*known.name == TASK_TOOL) {
            return false;
        }
        let Some((native, ..)) = self.kept else { return true };
        let item = self.kept_calls().find(|(id, _)| *id == Some(call.as_str()));
        // If the flag is false, the model waits for the answer.
        native && item.and_then(|(_, item)| item.get("async")) != Some(&Value::Bool(false))
    }
}

/// Reads the parts of a [`Kept`], without a copy.
fn read(provider: &Value) -> Option<(bool, &[Value], Option<&[Value]>)> {
    let is_ours = provider.get("api")?.as_str()? == API;
    let native = provider.get("native_async")?.as_bool()?;
    let items = provider.get("output")?.as_array()?;
    let own = provider.get("calls").and_then(Value::as_array).map(Vec::as_slice);
    is_ours.then_some((native, items.as_slice(), own))
}

fn is_call(item: &Value) -> bool {
    item.get("type").is_some_and(|kind| kind == "function_call")
}

/// The id by which a call is answered, unless it is empty. An item's own `id` differs.
fn call_id(item: &Value) -> Option<&str> {
    item.get("call_id")?.as_str().filter(|id| !id.is_empty())
}

/// Makes the item for a call. It has no `id`, because with one the provider would look for the reasoning before the
/// call.
fn made_up(call: &ToolCall, native: bool) -> Value {
    let arguments = call
        .arguments
        .text()
        .map_or_else(|| call.arguments.to_string(), str::to_owned);
    let mut item = Map::new();
    item.insert("type".into(), json!("function_call"));
    item.insert("call_id".into(), json!(sendable_id(call.id.as_str())));
    item.insert("name".into(), json!(sendable_name(&call.name)));
    item.insert("arguments".into(), json!(or_empty_object(arguments)));
    if native && &*call.name != TASK_TOOL {
        item.insert("async".into(), json!(true));
    }
    Value::Object(item)
}

/// The kept item of a call in a form that a strict server takes.
fn sendable(item: &Value, own: &str, native: bool, is_open: bool) -> Value {
    let mut item = without_empty_id(item);
    let name = item.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let has_call_id = call_id(&item).is_some();
    let arguments = match item.get("arguments") {
        Some(Value::String(text)) if !text.is_empty() => None,
        None | Some(Value::Null | Value::String(_)) => Some(or_empty_object(String::new())),
        Some(value) => Some(value.to_string()),
    };
    let is_marked = matches!(item.get("async"), Some(Value::Bool(_)));
    let Some(fields) = item.as_object_mut() else {
        return item;
    };
    let sent = sendable_name(&name);
    if sent != name {
        fields.insert("name".into(), json!(sent));
    }
    if !has_call_id {
        fields.insert("call_id".into(), json!(sendable_id(own)));
    }
    if let Some(arguments) = arguments {
        fields.insert("arguments".into(), json!(arguments));
    }
    if !native {
        fields.remove("async");
    } else if is_open && !is_marked {
        fields.insert("async".into(), json!(true));
    }
    item
}

/// Arguments of a call without any, as every server takes them.
fn or_empty_object(arguments: String) -> String {
    if arguments.is_empty() {
        "{}".to_owned()
    } else {
        arguments
    }
}

/// The item without an `id` that identifies nothing.
fn without_empty_id(item: &Value) -> Value {
    let mut item = item.clone();
    let is_empty = item.get("id").is_some_and(|id| id.is_null() || id == "");
    if let Some(fields) = item.as_object_mut().filter(|_| is_empty) {
        fields.remove("id");
    }
    item
}
