//! Removal of the nulls that a strict dialect makes a model write.

use serde_json::{Map, Value};

use super::union::{kind_of, types_of};

/// Removes every null from `arguments` that stands for an absent property.
///
/// [`Dialect::OpenAiStrict`](crate::schema::Dialect::OpenAiStrict) requires every property, so a model writes null for
/// a property that it would omit. Pass the tool's own [`input_schema`](crate::tool::ToolDefinition::input_schema) as
/// `schema`, not the rendered one. A null is removed if the property is optional in `schema` and doesn't accept null. A
/// null that the schema accepts stays. A null for a required property stays too, so that binding reports it.
///
/// ```
/// use async_tool_runtime::schema::strip_invented_nulls;
/// use serde_json::json;
///
/// let schema = json!({
///     "type": "object",
///     "properties": {"topic": {"type": "string"}, "sources": {"type": "integer", "default": 5}},
///     "required": ["topic"],
/// });
/// let mut arguments = json!({"topic": "rust", "sources": null});
/// strip_invented_nulls(&schema, &mut arguments);
/// assert_eq!(arguments, json!({"topic": "rust"}));
/// ```
pub fn strip_invented_nulls(schema: &Value, arguments: &mut Value) {
    strip(schema, schema, arguments);
}

fn strip(whole: &Value, schema: &Value, value: &mut Value) {
    let Some(schema) = resolve(whole, schema) else {
        return;
    };
    for part in list(schema, "allOf") {
        strip(whole, part, value);
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(variant) = list(schema, keyword).find(|variant| fits(whole, variant, value)) {
            strip(whole, variant, value);
        }
    }
    match value {
        Value::Object(object) => {
            for (name, property) in properties(schema) {
                if object.get(name).is_some_and(Value::is_null) && is_invented(whole, schema, name, property) {
                    object.remove(name);
                }
            }
            for (name, value) in object {
                if let Some(property) = properties(schema).find_map(|(known, schema)| (known == name).then_some(schema))
                {
                    strip(whole, property, value);
                } else if let Some(rest) = schema.get("additionalProperties") {
                    strip(whole, rest, value);
                }
            }
        }
        Value::Array(items) => {
            let places = schema.get("prefixItems").and_then(Value::as_array);
            for (index, value) in items.iter_mut().enumerate() {
                let place = places
                    .and_then(|places| places.get(index))
                    .or_else(|| schema.get("items"));
                if let Some(place) = place {
                    strip(whole, place, value);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// True if a null for this property can only mean that it is absent.
fn is_invented(whole: &Value, schema: &Map<String, Value>, name: &str, property: &Value) -> bool {
    !is_required(schema, name) && !fits(whole, property, &Value::Null)
}

fn is_required(schema: &Map<String, Value>, name: &str) -> bool {
    list(schema, "required").any(|required| required == name)
}

/// True if a value may match a schema, invented nulls included. Exact enough to tell the variants of an enum apart.
fn fits(whole: &Value, schema: &Value, value: &Value) -> bool {
    if let Value::Bool(any) = schema {
        return *any;
    }
    let Some(schema) = resolve(whole, schema) else {
        return true;
    };
    let kind = kind_of(value);
    let of_type = schema.get("type").is_none_or(|names| {
        let names = types_of(names);
        // In JSON Schema, 1.0 is an integer.
        names.contains(&kind)
            || kind == "integer" && names.contains(&"number")
            || kind == "number" && names.contains(&"integer")
    });
    of_type
        && schema.get("const").is_none_or(|constant| constant == value)
        && (!schema.contains_key("enum") || list(schema, "enum").any(|constant| constant == value))
        && list(schema, "allOf").all(|part| fits(whole, part, value))
        && ["anyOf", "oneOf"].iter().all(|keyword| {
            !schema.contains_key(*keyword) || list(schema, keyword).any(|variant| fits(whole, variant, value))
        })
        && match value {
            Value::Object(object) => object_fits(whole, schema, object),
            Value::Array(items) => schema
                .get("items")
                .is_none_or(|schema| items.iter().all(|item| fits(whole, schema, item))),
            _ => true,
        }
}

fn object_fits(whole: &Value, schema: &Map<String, Value>, object: &Map<String, Value>) -> bool {
    let has_required = list(schema, "required").all(|name| name.as_str().is_none_or(|name| object.contains_key(name)));
    let known: Vec<&String> = properties(schema).map(|(name, _)| name).collect();
    // A strict model writes exactly the properties of its variant. So a variant that doesn't declare a written property
    // is ruled out.
    let is_composed = ["anyOf", "oneOf", "allOf"]
        .iter()
        .any(|keyword| schema.contains_key(*keyword));
    let is_open = is_composed
        || schema.contains_key("patternProperties")
        || schema
            .get("additionalProperties")
            .is_some_and(|rest| *rest != Value::Bool(false));
    has_required
        && (is_open || object.keys().all(|name| known.contains(&name)))
        && properties(schema).all(|(name, property)| match object.get(name) {
            Some(Value::Null) if !is_required(schema, name) => true,
            Some(value) => fits(whole, property, value),
            None => true,
        })
}

/// The schema behind any references; `None` for a boolean and for a broken reference.
fn resolve<'a>(whole: &'a Value, schema: &'a Value) -> Option<&'a Map<String, Value>> {
    let mut schema = schema.as_object()?;
    // A chain of references is short, unless it is circular.
    for _ in 0..16 {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => schema = whole.pointer(reference.strip_prefix('#')?)?.as_object()?,
            None => return Some(schema),
        }
    }
    None
}

fn properties(schema: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'a Value> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}
