//! Arrays with a schema for each position.

use serde_json::{Map, Value, json};

use super::union::types_of;

/// Adds `items` to a list that doesn't have it. The meaning stays the same; OpenAI answers 400 to a list without `items`, also beside `prefixItems`.
pub(super) fn say_items(object: &mut Map<String, Value>) {
    if object.get("type").is_some_and(|kind| types_of(kind).contains(&"array")) {
        object.entry("items").or_insert_with(|| json!({}));
    }
}

/// Turns a tuple of equal types into a list of fixed length, for dialects without `prefixItems`.
///
/// Input: `{prefixItems: [{type: "number"}, {type: "number"}], minItems: 2, maxItems: 2}`
///
/// Output: `{items: {type: "number"}, minItems: 2, maxItems: 2}`
pub(super) fn uniform_tuple(object: &mut Map<String, Value>) {
    let Some(Value::Array(places)) = object.get("prefixItems") else {
        return;
    };
    let Some(first) = places
        .first()
        .filter(|first| places.iter().all(|place| place == *first))
        .cloned()
    else {
        return;
    };
    let length = json!(places.len());
    match object.get("items") {
        Some(Value::Bool(false)) => {
            object.entry("maxItems").or_insert(length);
        }
        Some(rest) if *rest == first => {}
        // Further items must have the same type, or `maxItems` must forbid them.
        _ if object.get("maxItems") == Some(&length) => {}
        _ => return,
    }
    object.remove("prefixItems");
    object.insert("items".to_owned(), first);
}
