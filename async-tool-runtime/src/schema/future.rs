//! Futures in arguments: references to results of other tasks.

use serde_json::{Map, Value, json};

use super::{document::Document, reference::reference, walk::each_child};

/// Name of the definition of a future, unless the schema already has that name.
const NAME: &str = "TaskFuture";

/// Adds a future as an alternative to every value inside the arguments.
///
/// Constants are left alone: they tell variants apart, and need no task.
///
/// Input: `{properties: {id: {type: "integer", description: "Which."}}}`
///
/// Output: `{properties: {id: {description: "Which.", anyOf: [{type: "integer"}, {$ref: "#/$defs/TaskFuture"}]}}, $defs: {TaskFuture: …}}`
pub(super) fn with_futures(schema: &Value) -> Value {
    // Adding alternatives would break references into the middle of a schema.
    let mut schema = match Document::new(schema) {
        Ok(document) => document.into_value(),
        Err(_) => schema.clone(),
    };
    let Value::Object(root) = &mut schema else {
        return schema;
    };
    let taken = root.get("$defs").and_then(Value::as_object);
    let names = std::iter::once(NAME.to_owned()).chain((2..).map(|number| format!("{NAME}{number}")));
    let mut free = names.filter(|name| taken.is_none_or(|taken| !taken.contains_key(name)));
    let name = free.next().unwrap_or_default();
    if open(root, &json!({"$ref": reference(&name)}))
        && let Value::Object(definitions) = root.entry("$defs").or_insert_with(|| json!({}))
    {
        definitions.insert(name, definition());
    }
    schema
}

/// Shape of a future, without descriptions: dialects without references repeat it for every argument. The tool's description explains it.
fn definition() -> Value {
    json!({
        "type": "object",
        "properties": {
            "$task": {"type": "string", "pattern": "^[t#][1-9][0-9]*$"},
            "pointer": {"type": "string"},
        },
        "required": ["$task"],
        "additionalProperties": false,
    })
}

/// Adds a future as an alternative to all values inside this schema. True if there are any.
fn open(object: &mut Map<String, Value>, future: &Value) -> bool {
    /// These keywords describe conditions, not places for values.
    const CONDITIONS: [&str; 5] = ["/not", "/if", "/contains", "/propertyNames", "/contentSchema"];
    const PLACES: [&str; 4] = [
        "/items",
        "/additionalProperties",
        "/unevaluatedItems",
        "/unevaluatedProperties",
    ];
    const PLACES_BY_NAME: [&str; 4] = ["/properties/", "/patternProperties/", "/prefixItems/", "/items/"];
    let mut has_places = false;
    let Ok(()) = each_child::<std::convert::Infallible>(object, &mut String::new(), &mut |child, path| {
        let Value::Object(child) = child else { return Ok(()) };
        if CONDITIONS.contains(&&**path) {
            return Ok(());
        }
        has_places |= open(child, future);
        let is_place = PLACES.contains(&&**path) || PLACES_BY_NAME.iter().any(|of| path.starts_with(of));
        if is_place && !is_constant(child) {
            has_places = true;
            offer(child, future);
        }
        Ok(())
    });
    has_places
}

fn is_constant(object: &Map<String, Value>) -> bool {
    let is_one = |values: &Value| values.as_array().is_some_and(|values| values.len() == 1);
    object.contains_key("const") || object.get("enum").is_some_and(is_one)
}

/// Makes a schema accept a future too. Annotations of the place stay outside the alternatives.
fn offer(object: &mut Map<String, Value>, future: &Value) {
    let mut outside = Map::new();
    for annotation in ["description", "default", "examples", "deprecated"] {
        if let Some(value) = object.remove(annotation) {
            outside.insert(annotation.to_owned(), value);
        }
    }
    let value = std::mem::take(object);
    let mut variants = match value.get("anyOf") {
        Some(Value::Array(variants)) if value.len() == 1 => variants.clone(),
        _ => vec![Value::Object(value)],
    };
    variants.push(future.clone());
    outside.insert("anyOf".to_owned(), Value::Array(variants));
    *object = outside;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_that_has_the_name_of_a_future_keeps_it() {
        let schema = with_futures(&json!({
            "type": "object",
            "properties": {"it": {"$ref": "#/$defs/TaskFuture"}},
            "$defs": {"TaskFuture": {"type": "object", "properties": {"next": {"$ref": "#/$defs/TaskFuture"}}}},
        }));
        let either = json!({"anyOf": [{"$ref": "#/$defs/TaskFuture"}, {"$ref": "#/$defs/TaskFuture2"}]});
        assert_eq!(schema["properties"]["it"], either);
        assert_eq!(schema["$defs"]["TaskFuture"]["properties"]["next"], either);
        assert_eq!(schema["$defs"]["TaskFuture2"]["required"], json!(["$task"]));
    }

    #[test]
    fn conditions_and_constants_are_no_places_for_futures() {
        let condition = json!({"properties": {"a": {"const": 1}, "b": {"type": "integer"}}});
        let schema = json!({
            "type": "object",
            "properties": {"a": {"const": 1}, "b": {"enum": ["only"]}, "c": true},
            "additionalProperties": false,
            "not": condition,
            "if": condition,
        });
        assert_eq!(with_futures(&schema), with_futures(&schema));
        let open = with_futures(&schema);
        assert_eq!(
            (&open["not"], &open["if"], open.get("$defs")),
            (&schema["not"], &schema["if"], None)
        );
        assert_eq!(open["properties"]["a"], json!({"const": 1}));
        assert_eq!(with_futures(&json!({"type": "object"})), json!({"type": "object"}));
    }
}
