//! Gemini's two forms for a function's arguments.
//!
//! `parameters` is the `Schema` object of <https://ai.google.dev/api/caching#Schema>, a subset of OpenAPI 3.0. It has
//! `nullable` instead of a null type, string enumerations only, no references and no maps. `anyOf` allows no sibling
//! keywords, and an object must have properties.
//!
//! `parametersJsonSchema` is JSON Schema, with the keywords that
//! <https://ai.google.dev/api/generate-content#FIELDS.response_json_schema> lists for its sibling,
//! `responseJsonSchema`.
//!
//! Both accept `propertyOrdering`: the order in which the model writes the properties.

use serde_json::{Map, Value};

use super::{
    array::uniform_tuple,
    description::describe_as,
    document::{Document, Inline},
    object::{check_root_without_alternatives, has_no_properties, write_order},
    openai::wrap_reference,
    openapi::shape,
    plain::clean,
    refusal::Refusal,
    union::{
        const_to_enum, constants_to_enum, flatten_any_of, join_null, merge_compositions, name_type, one_of_to_any_of,
    },
    vocabulary::{Fate, refuse_recursion, restrict},
};

/// The schema for `parameters`; null if there are no arguments.
pub(super) fn render(source: &Value) -> Result<Value, Refusal> {
    let mut document = Document::new(source)?;
    document.change(clean);
    if let Some(path) = document.find_recursion() {
        return Err(refuse_recursion(&path));
    }
    document.inline(Inline::All)?;
    document.change(|object| {
        one_of_to_any_of(object);
        flatten_any_of(object);
        merge_compositions(object);
        constants_to_enum(object);
        name_type(object);
        const_to_enum(object);
        uniform_tuple(object);
    });
    check_root_without_alternatives(&mut document)?;
    restrict(&mut document, parameters_fate)?;
    if document.root.as_object().is_none_or(has_no_properties) {
        return Ok(Value::Null);
    }
    document.walk(&mut shape)?;
    Ok(document.into_value())
}

/// The schema for `parametersJsonSchema`.
pub(super) fn render_json_schema(source: &Value) -> Result<Value, Refusal> {
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
        const_to_enum(object);
        patterns_to_map(object);
    });
    check_root_without_alternatives(&mut document)?;
    restrict(&mut document, json_schema_fate)?;
    document.change(|object| {
        wrap_reference(object);
        write_order(object);
    });
    Ok(document.into_value())
}

/// Fields of `Schema` that limit or describe a value.
const PARAMETERS_KEYWORDS: [&str; 16] = [
    "type",
    "description",
    "properties",
    "required",
    "items",
    "anyOf",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
];

fn parameters_fate(keyword: &str, value: &Value) -> Fate {
    match keyword {
        _ if PARAMETERS_KEYWORDS.contains(&keyword) => Fate::Keep,
        "format" if value == "date-time" => Fate::Keep,
        // Gemini has no such field. Dropping it is safe, because the model writes only declared properties.
        "additionalProperties" if *value == Value::Bool(false) => Fate::Drop,
        _ => Fate::of_missing(keyword),
    }
}

const JSON_SCHEMA_KEYWORDS: [&str; 14] = [
    "type",
    "description",
    "properties",
    "additionalProperties",
    "required",
    "items",
    "prefixItems",
    "anyOf",
    "enum",
    "$ref",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
];

fn json_schema_fate(keyword: &str, value: &Value) -> Fate {
    match keyword {
        _ if JSON_SCHEMA_KEYWORDS.contains(&keyword) => Fate::Keep,
        "format" if matches!(value.as_str(), Some("date-time" | "date" | "time")) => Fate::Keep,
        _ => Fate::of_missing(keyword),
    }
}

/// Turns a map whose keys follow one pattern into a map with that pattern in the description.
fn patterns_to_map(object: &mut Map<String, Value>) {
    let is_only_limit = matches!(object.get("additionalProperties"), None | Some(Value::Bool(false)))
        && !object.contains_key("properties");
    if let Some(Value::Object(patterns)) = object.get("patternProperties")
        && is_only_limit
        && patterns.len() == 1
        && let Some((pattern, value)) = patterns.clone().into_iter().next()
    {
        object.remove("patternProperties");
        object.insert("additionalProperties".to_owned(), value);
        describe_as(
            object,
            &format!("The names of the properties match the regular expression `{pattern}`."),
        );
    }
}
