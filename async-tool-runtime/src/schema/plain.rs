//! The plain dialect: JSON Schema 2020-12 as MCP and most models take it.

use serde_json::Value;

/// Takes away what only costs tokens or is refused by providers, everywhere in the document: the title that schemars
/// derives from the name of a Rust type, formats that are no registered string formats (`uint32`, `double`), and the
/// line breaks that doc comments have for the width of the source.
///
/// An unsigned integer keeps its `minimum`, and gets the `maximum` that its format stood for.
pub(crate) fn normalize(schema: &mut Value) {
    walk(schema, true);
}

fn walk(schema: &mut Value, is_schema: bool) {
    match schema {
        Value::Object(object) => {
            if is_schema {
                object.remove("title");
                if let Some(Value::String(format)) = object.get("format")
                    && let Some(bounds) = numeric_format(format)
                {
                    object.remove("format");
                    if let Some((min, max)) = bounds {
                        object.entry("minimum").or_insert(min);
                        object.entry("maximum").or_insert(max);
                    }
                }
                if let Some(Value::String(text)) = object.get_mut("description") {
                    *text = join_paragraphs(text);
                }
            }
            for (key, value) in object.iter_mut() {
                match key.as_str() {
                    // Maps from names to schemas: a property may be called `title`.
                    "properties" | "$defs" | "patternProperties" | "dependentSchemas" if is_schema => {
                        walk(value, false)
                    }
                    // Values, not schemas.
                    "default" | "const" | "enum" | "examples" if is_schema => {}
                    _ => walk(value, true),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, true)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
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

/// Doc comments are broken for the width of the source: lines of a paragraph are joined, paragraphs and list items kept.
pub(crate) fn join_paragraphs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for line in text.lines() {
        let trimmed = line.trim_end();
        let fence = trimmed.trim_start().starts_with("```");
        let starts_item = trimmed.trim_start().starts_with(['-', '*', '#', '|', '>'])
            || trimmed
                .trim_start()
                .split_once(['.', ')'])
                .is_some_and(|(number, rest)| {
                    rest.starts_with(' ') && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
                });
        let joins =
            !in_code && !fence && !starts_item && !trimmed.is_empty() && !out.is_empty() && !out.ends_with('\n');
        if joins {
            out.push(' ');
            out.push_str(trimmed.trim_start());
        } else {
            if !out.is_empty() {
                if trimmed.is_empty() {
                    if !out.ends_with("\n\n") {
                        let missing = if out.ends_with('\n') { "\n" } else { "\n\n" };
                        out.push_str(missing);
                    }
                } else if !out.ends_with('\n') {
                    out.push('\n');
                }
            }
            out.push_str(trimmed);
            // The line after a fence stands alone.
            if fence {
                out.push('\n');
            }
        }
        in_code ^= fence;
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde_json::json;

    /// A first line
    /// that goes on.
    ///
    /// - an item
    /// - another
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only the schema is tested")]
    struct Sample {
        /// The width
        /// in points.
        title: u32,
        ratio: Option<f64>,
    }

    #[test]
    fn a_plain_schema_has_bounds_instead_of_formats_and_no_type_names() {
        assert_eq!(
            crate::schema::of_input::<Sample>(),
            json!({
                "type": "object",
                "description": "A first line that goes on.\n\n- an item\n- another",
                "properties": {
                    "title": {"type": "integer", "description": "The width in points.", "minimum": 0, "maximum": u32::MAX},
                    "ratio": {"type": ["number", "null"]},
                },
                "required": ["title"],
            })
        );
    }
}
