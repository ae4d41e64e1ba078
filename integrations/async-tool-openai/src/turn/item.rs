//! Fields of events and items, and the comparison of items.

use std::borrow::Cow;

use serde_json::Value;

/// A text that is not empty.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// Position in the output, as an event claims it.
pub(super) fn place(event: &Value) -> Option<u64> {
    event.get("output_index").and_then(Value::as_u64)
}

pub(super) fn kind(item: &Value) -> &str {
    item.get("type").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn is_call(item: &Value) -> bool {
    kind(item) == "function_call"
}

/// Name of the called function. A model may call one with an empty name.
pub(super) fn name(item: &Value) -> &str {
    item.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Arguments of a call as text; empty if there are none.
pub(super) fn arguments(item: &Value) -> Cow<'_, str> {
    match item.get("arguments") {
        None | Some(Value::Null) => Cow::Borrowed(""),
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(value) => Cow::Owned(value.to_string()),
    }
}

/// Text and refusal of a message; true if it is a refusal.
pub(super) fn said(item: &Value) -> (String, bool) {
    let mut said = String::new();
    let mut is_refusal = false;
    let content = item.get("content");
    if let Some(text) = content.and_then(Value::as_str) {
        said.push_str(text);
    }
    for part in content.and_then(Value::as_array).into_iter().flatten() {
        let refusal = part.get("refusal").and_then(Value::as_str);
        is_refusal |= refusal.is_some();
        said.push_str(part.get("text").and_then(Value::as_str).or(refusal).unwrap_or_default());
    }
    (said, is_refusal)
}

/// True if two items of one type say the same: name and arguments of a call, the text of a message.
pub(super) fn has_same_content(one: &Value, other: &Value) -> bool {
    if kind(one) != kind(other) {
        return false;
    }
    match kind(one) {
        "function_call" => name(one) == name(other) && is_same_json(&arguments(one), &arguments(other)),
        "message" => said(one) == said(other),
        _ => {
            let is_equal = |name: &str| one.get(name) == other.get(name);
            ["summary", "content", "encrypted_content"]
                .iter()
                .all(|name| is_equal(name))
                && (text(one, "id").is_some() || one == other)
        }
    }
}

fn is_same_json(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    one == other || read(one).is_some_and(|one| read(other) == Some(one))
}
