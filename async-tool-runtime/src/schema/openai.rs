//! OpenAI's function calling, without and with strict mode.
//!
//! Without: JSON Schema in [plain](super::plain) form. The API refuses `anyOf`, `oneOf`, `allOf`, `enum` and `not` at the root, and a list
//! without `items`. One such tool fails the whole request.
//!
//! Strict: rules of <https://platform.openai.com/docs/guides/structured-outputs#supported-schemas>:
//!
//! - The root is an object without `anyOf`.
//! - Every property is required; an optional one accepts null instead.
//! - Every object has `additionalProperties: false`.
//! - `oneOf`, `allOf`, `not`, conditions, maps and tuples are not supported.
//! - `$ref` and recursion are supported, but a `$ref` allows no sibling keywords.
//! - A schema has limits on its size and nesting, see [`LIMITS`].

use serde_json::{Map, Value, json};

use super::{
    array::uniform_tuple,
    document::{Document, Inline},
    object::{check_root_without_alternatives, is_object, order},
    plain::{self, clean},
    refusal::Refusal,
    size::{Limits, check_size},
    union::{
        constants_to_enum, flatten_any_of, join_null, make_nullable, merge_compositions, name_type, one_of_to_any_of,
    },
    vocabulary::{Fate, refuse, refuse_any, restrict},
};

/// Formats that the guide lists; other formats are described.
const FORMATS: [&str; 9] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "uuid",
];

/// The schema for `strict: false`.
pub(super) fn render(source: &Value) -> Result<Value, Refusal> {
    plain::render_with(source, |document| {
        check_root_without_alternatives(document)?;
        match ["enum", "not"]
            .into_iter()
            .find(|keyword| document.root.get(keyword).is_some())
        {
            Some(keyword) => Err(Refusal::new(
                "#",
                keyword,
                "takes nothing but an object with properties as the arguments",
                "say it in the description, and check it in the tool",
            )),
            None => Ok(()),
        }
    })
}

/// The schema for `strict: true`.
pub(super) fn render_strict(source: &Value) -> Result<Value, Refusal> {
    let mut document = Document::new(source)?;
    document.change(clean);
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
    restrict(&mut document, fate)?;
    document.walk(&mut shape)?;
    check_size(&mut document, &LIMITS)?;
    Ok(document.into_value())
}

/// Limits that the guide states. It doesn't say how levels are counted: here, each object is one, and references are not followed,
/// as in OpenAI's own client for Java.
const LIMITS: Limits = Limits {
    properties: 5_000,
    levels: 10,
    characters: 120_000,
    values: 1_000,
    characters_of_one: 15_000,
};

/// Keywords that the guide lists, and `const`, which is an `enum` of one value.
const KEYWORDS: [&str; 17] = [
    "type",
    "description",
    "properties",
    "required",
    "items",
    "anyOf",
    "enum",
    "const",
    "$ref",
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "multipleOf",
    "pattern",
    "minItems",
    "maxItems",
];

fn fate(keyword: &str, value: &Value) -> Fate {
    match keyword {
        _ if KEYWORDS.contains(&keyword) => Fate::Keep,
        "additionalProperties" if *value == Value::Bool(false) => Fate::Keep,
        "format" if value.as_str().is_some_and(|format| FORMATS.contains(&format)) => Fate::Keep,
        _ => Fate::of_missing(keyword),
    }
}

fn shape(object: &mut Map<String, Value>, path: &str) -> Result<(), Refusal> {
    if object.contains_key("anyOf")
        && ["type", "properties", "$ref"]
            .iter()
            .any(|own| object.contains_key(*own))
    {
        return Err(refuse(path, "anyOf"));
    }
    wrap_reference(object);
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
        require_all(object);
    }
    Ok(())
}

/// Wraps a recursive reference, which can't be inlined, so that its sibling keywords stand around it.
pub(super) fn wrap_reference(object: &mut Map<String, Value>) {
    if object.len() > 1
        && let Some(reference) = object.remove("$ref")
    {
        object.insert("anyOf".to_owned(), json!([{"$ref": reference}]));
    }
}

/// Input: `{properties: {a: {type: "string"}, b: {type: "string"}}, required: ["a"]}`
///
/// Output: `{properties: {a: {type: "string"}, b: {type: ["string", "null"]}}, required: ["a", "b"], additionalProperties: false}`
fn require_all(object: &mut Map<String, Value>) {
    let names = order(object);
    let required = object
        .insert("required".to_owned(), Value::Array(names))
        .unwrap_or_default();
    let is_required = |name: &str| {
        required
            .as_array()
            .is_some_and(|names| names.iter().any(|known| known == name))
    };
    if let Value::Object(properties) = object.entry("properties").or_insert_with(|| json!({})) {
        for (name, property) in properties {
            if let Value::Object(property) = property
                && !is_required(name)
            {
                make_nullable(property);
            }
        }
    }
    object.insert("additionalProperties".to_owned(), Value::Bool(false));
}
