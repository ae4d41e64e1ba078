//! Objects: the root, and the properties that each object may and must have.

use std::convert::Infallible;

use serde_json::{Map, Value, json};

use super::{document::Document, refusal::Refusal, union::types_of, walk::each_child};

const COMPOSITIONS: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// Requires that the root is an object.
pub(super) fn check_root(document: &mut Document) -> Result<(), Refusal> {
    let refuse = |keyword: &'static str| {
        Refusal::new(
            "#",
            keyword,
            "needs arguments that are an object",
            "take a struct with named fields",
        )
    };
    let Value::Object(root) = &mut document.root else {
        return Err(refuse("type"));
    };
    let is_object = match root.get("type") {
        Some(kind) => types_of(kind).contains(&"object"),
        None => match COMPOSITIONS.into_iter().find(|keyword| root.contains_key(*keyword)) {
            Some(keyword) if !only_objects(root) => return Err(refuse(keyword)),
            _ => ["const", "enum", "not", "items"]
                .iter()
                .all(|keyword| !root.contains_key(*keyword)),
        },
    };
    if !is_object {
        return Err(refuse("type"));
    }
    // This applies even if null is allowed, because absent arguments are an empty object.
    root.insert("type".to_owned(), json!("object"));
    if COMPOSITIONS.iter().all(|keyword| !root.contains_key(*keyword)) {
        // OpenAI answers 400 to an object without `properties`, even without strict mode.
        root.entry("properties").or_insert_with(|| json!({}));
    }
    Ok(())
}

/// Like [`check_root`]; also requires that the root has no alternatives.
pub(super) fn check_root_without_alternatives(document: &mut Document) -> Result<(), Refusal> {
    check_root(document)?;
    match COMPOSITIONS
        .into_iter()
        .find(|keyword| document.root.get(keyword).is_some())
    {
        Some(keyword) => Err(Refusal::new(
            "#",
            keyword,
            "takes no alternatives as the arguments themselves",
            "take a struct, and put the enum into one of its fields",
        )),
        None => Ok(()),
    }
}

fn only_objects(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(kind) => kind == "object",
        None => COMPOSITIONS.iter().any(|keyword| {
            let parts = schema.get(*keyword).and_then(Value::as_array);
            parts.is_some_and(|parts| {
                let mut parts = parts.iter().map(|part| part.as_object().is_some_and(only_objects));
                if *keyword == "allOf" {
                    parts.any(|is| is)
                } else {
                    parts.all(|is| is)
                }
            })
        }),
    }
}

/// True for a schema of an object, or of an object and null.
pub(super) fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(kind) => types_of(kind).contains(&"object"),
        None => schema.contains_key("properties"),
    }
}

/// Adds `additionalProperties: false` to every object without a rule for other properties. Objects in a composition
/// whose other parts name properties are left alone.
pub(super) fn close(document: &mut Document) {
    document.change_each(|schema, path| close_in(schema, path, false));
}

fn close_in(schema: &mut Value, path: &mut String, is_part: bool) {
    let Value::Object(object) = schema else {
        return;
    };
    let here = path.len();
    let names_properties = object.contains_key("properties");
    let Ok(()) = each_child::<Infallible>(object, path, &mut |child, path| {
        let keyword = path[here + 1..].split('/').next().unwrap_or_default();
        let is_part = match keyword {
            "anyOf" | "oneOf" => is_part || names_properties,
            "allOf" | "not" | "if" | "then" | "else" | "dependentSchemas" => true,
            _ => false,
        };
        close_in(child, path, is_part);
        Ok(())
    });
    let says_itself = [
        "additionalProperties",
        "unevaluatedProperties",
        "patternProperties",
        "propertyNames",
        "$ref",
    ];
    let is_composed = COMPOSITIONS
        .iter()
        .chain(&says_itself)
        .any(|keyword| object.contains_key(*keyword));
    if !is_part && !is_composed && is_object(object) && unknown_requirement(object).is_none() {
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

/// A required property that is not declared, if there is one.
pub(super) fn unknown_requirement(object: &Map<String, Value>) -> Option<&str> {
    let properties = object.get("properties").and_then(Value::as_object);
    let required = object.get("required").and_then(Value::as_array).into_iter().flatten();
    required
        .filter_map(Value::as_str)
        .find(|name| properties.is_none_or(|properties| !properties.contains_key(*name)))
}

/// The names of the properties, in the order in which the model writes them.
///
/// The order must not depend on serde_json, which sorts keys unless the build enables its `preserve_order`. `required`
/// is a list and keeps the order of the source, so required properties come first.
pub(super) fn order(object: &Map<String, Value>) -> Vec<Value> {
    let mut names: Vec<&String> = object
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().collect())
        .unwrap_or_default();
    names.sort_unstable();
    let required = object
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut ordered: Vec<Value> = Vec::with_capacity(names.len());
    for name in required {
        if names.iter().any(|known| name == known.as_str()) && !ordered.contains(&name) {
            ordered.push(name);
        }
    }
    for name in names {
        let name = json!(name);
        if !ordered.contains(&name) {
            ordered.push(name);
        }
    }
    ordered
}

/// Adds `propertyOrdering`, Gemini's own keyword for the order in which the model writes the properties.
pub(super) fn write_order(object: &mut Map<String, Value>) {
    let names = order(object);
    if names.len() > 1 {
        object.insert("propertyOrdering".to_owned(), Value::Array(names));
    }
}

/// True if an object declares no properties.
pub(super) fn has_no_properties(object: &Map<String, Value>) -> bool {
    let properties = object.get("properties").and_then(Value::as_object);
    properties.is_none_or(Map::is_empty)
}
