//! The plain dialect: JSON Schema 2020-12 in the form that MCP and most models accept.

use std::convert::Infallible;

use serde_json::{Map, Value, json};

use super::{
    array::{say_items, uniform_tuple},
    description::{join_paragraphs, without_frame},
    document::{Document, Inline},
    limit::describe,
    object::{check_root, close},
    refusal::Refusal,
    union::{flatten_any_of, make_nullable, merge_compositions, one_of_to_any_of},
    walk::{each_child, walk},
};

/// String formats that JSON Schema 2020-12 registers (validation, section 7.3).
const FORMATS: [&str; 19] = [
    "date-time",
    "date",
    "time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uuid",
    "uri-template",
    "json-pointer",
    "relative-json-pointer",
    "regex",
];

/// The schema in plain form: references inlined, alternatives as `anyOf`, lists with `items`, objects closed, defaults in the description.
pub(super) fn render(source: &Value) -> Result<Value, Refusal> {
    render_with(source, check_root)
}

/// Like [`render`], with another check of the root.
pub(super) fn render_with(
    source: &Value,
    check_root: fn(&mut Document) -> Result<(), Refusal>,
) -> Result<Value, Refusal> {
    let mut document = Document::new(source)?;
    document.change(clean);
    document.inline(Inline::All)?;
    document.change(|object| {
        one_of_to_any_of(object);
        flatten_any_of(object);
        merge_compositions(object);
        say_items(object);
        uniform_tuple(object);
    });
    check_root(&mut document)?;
    close(&mut document);
    document.change(|object| describe(object, |keyword, _| keyword == "default"));
    Ok(document.into_value())
}

/// Turns schemars's schema of a type into the schema that a tool shows: applies [`clean`] everywhere, and removes the
/// line breaks that wrap doc comments.
pub(super) fn normalize(schema: &mut Value) {
    let Ok(()) = walk::<Infallible>(schema, &mut String::new(), &mut |object, _| {
        if let Some(Value::String(text)) = object.get_mut("description") {
            *text = join_paragraphs(&without_frame(text));
        }
        let is_f32 = object.get("format").is_some_and(|format| format == "float");
        clean(object);
        if is_f32 {
            // For the check of arguments; the dialects leave it out. Bounds would only cost the model tokens.
            object.insert("format".to_owned(), json!("float"));
        }
        Ok(())
    });
}

/// Removes keywords that only cost tokens or that providers refuse: identifiers of the schema, the title that schemars
/// derives from a Rust type, and unregistered string formats.
///
/// An unsigned integer keeps its `minimum`, and gets the `maximum` of its format (`uint32`). Other formats are
/// described.
pub(super) fn clean(object: &mut Map<String, Value>) {
    for keyword in ["$schema", "$id", "$anchor", "$comment", "$vocabulary", "title"] {
        object.remove(keyword);
    }
    read_older_drafts(object);
    spell_out_booleans(object);
    if let Some(Value::String(format)) = object.get("format") {
        if let Some(bounds) = numeric_format(format) {
            object.remove("format");
            if let Some((min, max)) = bounds {
                object.entry("minimum").or_insert(min);
                object.entry("maximum").or_insert(max);
            }
        } else {
            describe(object, |keyword, format| {
                keyword == "format" && format.as_str().is_none_or(|format| !FORMATS.contains(&format))
            });
        }
    }
}

/// Converts OpenAPI 3.0's `nullable`, and the tuples of draft 7.
fn read_older_drafts(object: &mut Map<String, Value>) {
    if object.remove("nullable") == Some(Value::Bool(true)) {
        make_nullable(object);
    }
    if let Some(places @ Value::Array(_)) = object.get("items").cloned() {
        object.insert("prefixItems".to_owned(), places);
        object.remove("items");
        if let Some(rest) = object.remove("additionalItems") {
            object.insert("items".to_owned(), rest);
        }
    }
}

/// Replaces `true` by `{}` and `false` by `{not: {}}`, because many readers accept only objects as schemas. The rule
/// for further properties or items stays a boolean, as is usual.
fn spell_out_booleans(object: &mut Map<String, Value>) {
    const OPEN_OR_CLOSED: [&str; 4] = [
        "/additionalProperties",
        "/unevaluatedProperties",
        "/unevaluatedItems",
        "/items",
    ];
    if object.get("items") == Some(&Value::Bool(true)) {
        object.remove("items");
    }
    let Ok(()) = each_child::<Infallible>(object, &mut String::new(), &mut |child, path| {
        match child {
            Value::Bool(_) if OPEN_OR_CLOSED.contains(&path.as_str()) => {}
            Value::Bool(true) => *child = json!({}),
            Value::Bool(false) => *child = json!({"not": {}}),
            _ => {}
        }
        Ok(())
    });
}

/// The bounds of one of schemars's number formats; `None` for any other format.
#[expect(clippy::option_option, reason = "`Some(None)` is a number format without bounds")]
fn numeric_format(format: &str) -> Option<Option<(Value, Value)>> {
    let bounds = match format {
        "int8" => Some((i8::MIN.into(), i8::MAX.into())),
        "int16" => Some((i16::MIN.into(), i16::MAX.into())),
        "int32" => Some((i32::MIN.into(), i32::MAX.into())),
        "uint8" => Some((0.into(), u8::MAX.into())),
        "uint16" => Some((0.into(), u16::MAX.into())),
        "uint32" => Some((0.into(), u32::MAX.into())),
        // 64 bits and more have no bounds: models write no such numbers, and many JSON readers are inexact past 2^53.
        "int64" | "int" | "int128" | "uint64" | "uint" | "uint128" | "float" | "double" => None,
        _ => return None,
    };
    Some(bounds)
}
