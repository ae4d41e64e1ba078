//! Anthropic's `input_schema`, with and without strict mode.
//!
//! Without: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools>. The schema is JSON Schema
//! 2020-12, and its root is an object. `anyOf`, `oneOf` and `allOf` are refused at the root, and only there. The same holds for property names
//! other than `^[a-zA-Z0-9_.-]{1,64}$`: one of them fails the whole request.
//!
//! Strict: <https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations>. Every
//! object has `additionalProperties: false`. Recursion is refused, and so are limits on numbers, strings and lists,
//! except a `minItems` of 0 or 1. Limits go into the description, as in Anthropic's own client libraries.

use serde_json::{Map, Value, json};

use super::{
    array::uniform_tuple,
    document::{Document, Inline},
    object::{check_root_without_alternatives, close, is_object},
    plain::clean,
    refusal::Refusal,
    size::check_names,
    union::{constants_to_enum, flatten_any_of, join_null, merge_compositions, name_type, one_of_to_any_of},
    vocabulary::{Fate, refuse, refuse_any, refuse_recursion, restrict},
};

/// Formats of strict mode; other formats are described.
const FORMATS: [&str; 8] = ["date-time", "time", "date", "email", "uri", "uuid", "ipv4", "ipv6"];

/// The schema without `strict`.
pub(super) fn render(source: &Value) -> Result<Value, Refusal> {
    let mut document = Document::new(source)?;
    document.change(clean);
    check_root_without_alternatives(&mut document)?;
    check_names(&document)?;
    Ok(document.into_value())
}

/// The schema for `strict: true`.
pub(super) fn render_strict(source: &Value) -> Result<Value, Refusal> {
    let mut document = Document::new(source)?;
    document.change(clean);
    if let Some(path) = document.find_recursion() {
        return Err(refuse_recursion(&path));
    }
    document.inline(Inline::WithSiblings)?;
    document.change(|object| {
        one_of_to_any_of(object);
        flatten_any_of(object);
        merge_compositions(object);
        constants_to_enum(object);
        name_type(object);
        join_null(object);
        uniform_tuple(object);
    });
    check_root_without_alternatives(&mut document)?;
    check_names(&document)?;
    restrict(&mut document, fate)?;
    document.walk(&mut check)?;
    close(&mut document);
    Ok(document.into_value())
}

const KEYWORDS: [&str; 9] = [
    "type",
    "description",
    "properties",
    "required",
    "items",
    "anyOf",
    "enum",
    "const",
    "$ref",
];

fn fate(keyword: &str, value: &Value) -> Fate {
    match keyword {
        _ if KEYWORDS.contains(&keyword) => Fate::Keep,
        "additionalProperties" if *value == Value::Bool(false) => Fate::Keep,
        "minItems" if matches!(value.as_u64(), Some(0 | 1)) => Fate::Keep,
        "format" if value.as_str().is_some_and(|format| FORMATS.contains(&format)) => Fate::Keep,
        _ => Fate::of_missing(keyword),
    }
}

fn check(object: &mut Map<String, Value>, path: &str) -> Result<(), Refusal> {
    if object.contains_key("anyOf")
        && ["type", "properties", "$ref"]
            .iter()
            .any(|own| object.contains_key(*own))
    {
        return Err(refuse(path, "anyOf"));
    }
    if !["type", "enum", "const", "anyOf", "$ref"]
        .iter()
        .any(|own| object.contains_key(*own))
    {
        return Err(refuse_any(path));
    }
    if object.get("type") == Some(&json!("array")) && !object.contains_key("items") {
        return Err(refuse_any(&format!("{path}/items")));
    }
    if is_object(object) {
        object.entry("properties").or_insert_with(|| json!({}));
    }
    Ok(())
}
