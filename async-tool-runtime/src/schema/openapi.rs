//! Conversion of JSON Schema to the `Schema` object of OpenAPI 3.0, in Gemini's version.

use serde_json::{Map, Value, json};

use super::{
    description::describe_as,
    limit::describe,
    object::{has_no_properties, write_order},
    refusal::Refusal,
    union::{kind_of, merge, types_of},
    vocabulary::{refuse, refuse_any},
};

/// Converts one schema; its inner schemas must be converted already.
pub(super) fn shape(object: &mut Map<String, Value>, path: &str) -> Result<(), Refusal> {
    split_types(object);
    name_constants(object);
    lift_null(object);
    if object.contains_key("anyOf") {
        if ["type", "properties"].iter().any(|own| object.contains_key(*own)) {
            return Err(refuse(path, "anyOf"));
        }
        spread_over_alternatives(object);
        return Ok(());
    }
    match object.get("type").and_then(Value::as_str) {
        None => Err(refuse_any(path)),
        Some("array") if !object.contains_key("items") => Err(refuse_any(&format!("{path}/items"))),
        Some("object") if has_no_properties(object) => Err(Refusal::new(
            path,
            "properties",
            "has no objects without properties",
            "give it a field, or leave it out",
        )),
        Some(_) => {
            write_order(object);
            Ok(())
        }
    }
}

/// Input: `{type: ["string", "integer", "null"], maxLength: 3}`
///
/// Output: `{anyOf: [{type: "string", maxLength: 3}, {type: "integer"}], nullable: true}`
fn split_types(object: &mut Map<String, Value>) {
    let Some(kind @ Value::Array(_)) = object.get("type").cloned() else {
        return;
    };
    let kinds = types_of(&kind);
    let values: Vec<&str> = kinds.iter().copied().filter(|kind| *kind != "null").collect();
    if values.len() < kinds.len() && !values.is_empty() {
        object.insert("nullable".to_owned(), Value::Bool(true));
    }
    match values.as_slice() {
        [] => {
            object.insert("type".to_owned(), json!("null"));
        }
        [value] => {
            object.insert("type".to_owned(), json!(value));
        }
        _ => {
            object.remove("type");
            let variants = values.iter().map(|kind| {
                let mut variant = object.clone();
                variant.retain(|keyword, _| belongs_to(keyword, kind));
                if let Some(Value::Array(constants)) = object.get("enum") {
                    let own = constants.iter().filter(|constant| is_of(constant, kind)).cloned();
                    variant.insert("enum".to_owned(), own.collect());
                }
                variant.insert("type".to_owned(), json!(kind));
                name_constants(&mut variant);
                Value::Object(variant)
            });
            let variants: Vec<Value> = variants.collect();
            object.retain(|keyword, _| matches!(keyword.as_str(), "description" | "nullable"));
            object.insert("anyOf".to_owned(), Value::Array(variants));
        }
    }
}

fn belongs_to(keyword: &str, kind: &str) -> bool {
    match keyword {
        "minimum" | "maximum" => matches!(kind, "integer" | "number"),
        "minLength" | "maxLength" | "pattern" | "format" => kind == "string",
        "items" | "minItems" | "maxItems" => kind == "array",
        "properties" | "required" | "minProperties" | "maxProperties" => kind == "object",
        _ => false,
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    let own = kind_of(value);
    own == kind || own == "integer" && kind == "number"
}

/// Reduces `enum` to strings without null; other constants are described.
fn name_constants(object: &mut Map<String, Value>) {
    let Some(Value::Array(constants)) = object.get_mut("enum") else {
        return;
    };
    let before = constants.len();
    constants.retain(|constant| !constant.is_null());
    let is_nullable = constants.len() < before;
    let is_empty = constants.is_empty();
    let are_strings = constants.iter().all(Value::is_string);
    if is_empty {
        object.remove("enum");
        object.insert("type".to_owned(), json!("null"));
    } else if are_strings {
        object.insert("format".to_owned(), json!("enum"));
    } else {
        describe(object, |keyword, _| keyword == "enum");
    }
    if is_nullable && !is_empty {
        object.insert("nullable".to_owned(), Value::Bool(true));
    }
}

/// Input: `{anyOf: [{type: "string"}, {type: "null"}]}`
///
/// Output: `{type: "string", nullable: true}`
fn lift_null(object: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get_mut("anyOf") else {
        return;
    };
    let before = variants.len();
    variants.retain(|variant| variant.get("type") != Some(&json!("null")));
    let had_null = variants.len() < before;
    if variants.is_empty() {
        object.remove("anyOf");
        object.insert("type".to_owned(), json!("null"));
        return;
    }
    if let [Value::Object(only)] = variants.as_slice() {
        let only = only.clone();
        let mut outside = object.clone();
        outside.remove("anyOf");
        if let Some(merged) = merge(&outside, &only) {
            *object = merged;
        }
    }
    if had_null {
        object.insert("nullable".to_owned(), Value::Bool(true));
    }
}

/// Copies sibling keywords of `anyOf` into each alternative, because `anyOf` must stand alone.
fn spread_over_alternatives(object: &mut Map<String, Value>) {
    let description = object.remove("description");
    let nullable = object.remove("nullable");
    let Some(Value::Array(variants)) = object.get_mut("anyOf") else {
        return;
    };
    for variant in variants {
        let Value::Object(variant) = variant else {
            continue;
        };
        if let Some(Value::String(text)) = &description {
            let own = variant.insert("description".to_owned(), json!(text));
            if let Some(Value::String(own)) = own {
                describe_as(variant, &own);
            }
        }
        if let Some(nullable) = &nullable {
            variant.insert("nullable".to_owned(), nullable.clone());
        }
        if variant.contains_key("anyOf") {
            spread_over_alternatives(variant);
        }
    }
}
