//! Items of one turn.

use async_tool_runtime::{ToolCall, tool::CallId};
use serde_json::{Map, Value, json};

/// The agent's tool for managing tasks. The runtime answers it within the turn, so it is an ordinary function.
pub(crate) const TASK_TOOL: &str = "task";

const API: &str = "openai-responses";

/// Content that is kept of a turn, in `TurnEnd::provider`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    /// True if the turn's tools were declared asynchronous.
    pub(crate) native: bool,
    /// The items, unchanged.
    pub(crate) items: Vec<Value>,
}

impl Kept {
    pub(crate) fn into_value(self) -> Value {
        json!({"api": API, "native_async": self.native, "output": self.items})
    }
}

/// Reads the parts of a [`Kept`], without a copy.
fn read(provider: &Value) -> Option<(bool, &[Value])> {
    let is_ours = provider.get("api")?.as_str()? == API;
    let native = provider.get("native_async")?.as_bool()?;
    let items = provider.get("output")?.as_array()?;
    is_ours.then_some((native, items))
}

/// The items of a turn: the kept ones, if their calls equal the conversation's. They differ if the turn was broken off,
/// corrected, or another provider's; then the items are made from the calls and the text.
pub(super) fn of_turn(text: &str, calls: &[ToolCall], provider: Option<&Value>, native: bool) -> Vec<Value> {
    match provider.and_then(|provider| verbatim(calls, provider)) {
        Some((_, items)) => items
            .iter()
            .map(|item| if native { item.clone() } else { without_async(item) })
            .collect(),
        None => {
            let text = (!text.is_empty()).then(|| json!({"type": "message", "role": "assistant", "content": text}));
            text.into_iter()
                .chain(calls.iter().map(|call| made_up(call, native)))
                .collect()
        }
    }
}

/// True if the call may stay open, provided that native calls are on: its item was, or is, declared asynchronous.
pub(super) fn may_be_open(call: &CallId, calls: &[ToolCall], provider: Option<&Value>) -> bool {
    let is_task = calls.iter().any(|known| known.id == *call && &*known.name == TASK_TOOL);
    if is_task {
        return false;
    }
    let Some((native, items)) = provider.and_then(|provider| verbatim(calls, provider)) else {
        return true;
    };
    let item = items.iter().find(|item| call_id(item) == Some(call.as_str()));
    // A server may omit the flag. If the flag is false, the model waits for the answer.
    native && item.and_then(|item| item.get("async")) != Some(&Value::Bool(false))
}

/// The kept items, if their calls are the calls of the turn.
fn verbatim<'a>(calls: &[ToolCall], provider: &'a Value) -> Option<(bool, &'a [Value])> {
    let (native, items) = read(provider)?;
    let made = items.iter().filter_map(call_id);
    made.eq(calls.iter().map(|call| call.id.as_str()))
        .then_some((native, items))
}

/// The id by which a call is answered. An item's own `id` differs.
fn call_id(item: &Value) -> Option<&str> {
    let is_call = item.get("type")?.as_str()? == "function_call";
    item.get("call_id")?.as_str().filter(|_| is_call)
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
    item.insert("call_id".into(), json!(call.id));
    item.insert("name".into(), json!(call.name));
    item.insert("arguments".into(), json!(arguments));
    if native && &*call.name != TASK_TOOL {
        item.insert("async".into(), json!(true));
    }
    Value::Object(item)
}

/// The item without the flag `async`, for a model that lacks native calls.
fn without_async(item: &Value) -> Value {
    let mut item = item.clone();
    if call_id(&item).is_some()
        && let Some(fields) = item.as_object_mut()
    {
        fields.remove("async");
    }
    item
}
