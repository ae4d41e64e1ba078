//! The plain dialect: JSON Schema 2020-12 as MCP and most models take it.

use std::convert::Infallible;

use serde_json::{Map, Value, json};

use super::{
    description::join_paragraphs,
    document::{Document, Inline},
    limit::describe,
    object::{check_root, close},
    refusal::Refusal,
    union::{flatten_any_of, make_nullable, merge_compositions, one_of_to_any_of},
    walk::{each_child, walk},
};

/// The formats of strings that JSON Schema 2020-12 registers (validation, section 7.3).
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

/// The schema as MCP and most models take it: references written out, alternatives as `anyOf`, objects closed, defaults in
/// the description.
pub(super) fn render(source: &Value) -> Result<Value, Refusal> {
    let mut document = Document::new(source)?;
    document.change(clean);
    document.inline(Inline::All)?;
    document.change(|object| {
        one_of_to_any_of(object);
        flatten_any_of(object);
        merge_compositions(object);
    });
    check_root(&mut document)?;
    close(&mut document);
    document.change(|object| describe(object, |keyword, _| keyword == "default"));
    Ok(document.into_value())
}

/// What schemars made of a type, as the schema that a tool shows: [`clean`] everywhere, and the line breaks taken out that doc
/// comments have for the width of the source.
pub(super) fn normalize(schema: &mut Value) {
    let Ok(()) = walk::<Infallible>(schema, &mut String::new(), &mut |object, _| {
        if let Some(Value::String(text)) = object.get_mut("description") {
            *text = join_paragraphs(text);
        }
        clean(object);
        Ok(())
    });
}

/// Takes away what only costs tokens or is refused by providers: what identifies the schema itself, the title that schemars
/// derives from the name of a Rust type, and formats that are no registered string formats.
///
/// An unsigned integer keeps its `minimum`, and gets the `maximum` that its format (`uint32`) stood for; other formats are
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

/// OpenAPI 3.0's `nullable`, and the tuples of draft 7.
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

/// `true` and `false` → `{}` and `{not: {}}`: many readers take only objects as schemas. What may follow in an object or a
/// list stays a boolean, as everybody writes it.
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

/// The bounds that one of schemars's formats for numbers stands for; `None` if it isn't one of them.
#[expect(
    clippy::option_option,
    reason = "`Some(None)` is a format of a number without bounds that JSON can say"
)]
fn numeric_format(format: &str) -> Option<Option<(Value, Value)>> {
    let bounds = match format {
        "int8" => Some((i8::MIN.into(), i8::MAX.into())),
        "int16" => Some((i16::MIN.into(), i16::MAX.into())),
        "int32" => Some((i32::MIN.into(), i32::MAX.into())),
        "uint8" => Some((0.into(), u8::MAX.into())),
        "uint16" => Some((0.into(), u16::MAX.into())),
        "uint32" => Some((0.into(), u32::MAX.into())),
        // 64 bits and more: models write no such numbers, and bounds past 2^53 aren't exact in every JSON reader.
        "int64" | "int" | "int128" | "uint64" | "uint" | "uint128" | "float" | "double" => None,
        _ => return None,
    };
    Some(bounds)
}
