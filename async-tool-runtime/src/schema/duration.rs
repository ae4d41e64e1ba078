//! Durations in schemas of arguments.
//!
//! serde reads std's `Duration` from an object of seconds and nanoseconds, and schemars says so. Models write `5s`, or a number of seconds.
//! Binding takes these forms (`tool/duration.rs`), and the schema shows them.

use std::{convert::Infallible, time::Duration};

use serde_json::{Map, Value, json};

use super::walk::walk;

/// Text of a duration: numbers with units. It also tells the schema of a duration from any other.
const PATTERN: &str = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d) ?)+$";

/// Replaces the schema of a duration wherever it occurs below the root, which must stay an object.
///
/// Input: `{type: "object", properties: {secs, nanos}, required: ["secs", "nanos"]}`
///
/// Output: `{anyOf: [{type: "string", pattern}, {type: "number"}]}`
pub(super) fn show_as_text(schema: &mut Value) {
    let Ok(()) = walk::<Infallible>(schema, &mut String::new(), &mut |object, path| {
        if !path.is_empty() && is_of_serde(object) {
            let mut forms = vec![
                json!({"type": "string", "description": "A duration, such as `5s`, `1m30s` or `250ms`.", "pattern": PATTERN}),
                json!({"type": "number", "description": "Seconds.", "minimum": 0}),
            ];
            if object["type"].is_array() {
                forms.push(json!({"type": "null"}));
            }
            for keyword in ["type", "properties", "required"] {
                object.remove(keyword);
            }
            object.insert("anyOf".to_owned(), Value::Array(forms));
            show_values_as_text(object);
        }
        Ok(())
    });
}

/// True for the schema of a duration, and of a duration or null.
pub(crate) fn is_duration(schema: &Value) -> bool {
    schema
        .pointer("/anyOf/0/pattern")
        .is_some_and(|pattern| pattern == PATTERN)
}

/// Writes default and examples of a duration as the model writes them: `90s`.
pub(crate) fn show_values_as_text(property: &mut Map<String, Value>) {
    for keyword in ["default", "examples"] {
        match property.get_mut(keyword) {
            Some(Value::Array(examples)) => examples.iter_mut().for_each(show_value_as_text),
            Some(value) => show_value_as_text(value),
            None => {}
        }
    }
}

fn show_value_as_text(value: &mut Value) {
    let part = |name: &str| value.get(name)?.as_u64();
    if let (Some(seconds), Some(nanos)) = (part("secs"), part("nanos"))
        && let Ok(nanos @ 0..1_000_000_000) = u32::try_from(nanos)
    {
        let text = format!("{:?}", Duration::new(seconds, nanos));
        *value = text.replace('µ', "u").into();
    }
}

fn is_of_serde(object: &Map<String, Value>) -> bool {
    let is_object = match object.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(kind) => *kind == json!(["object", "null"]),
        None => false,
    };
    is_object
        && object.get("required") == Some(&json!(["secs", "nanos"]))
        && object.get("properties")
            == Some(&json!({
                "secs": {"type": "integer", "minimum": 0},
                "nanos": {"type": "integer", "minimum": 0, "maximum": u32::MAX},
            }))
        && !object.contains_key("additionalProperties")
}
