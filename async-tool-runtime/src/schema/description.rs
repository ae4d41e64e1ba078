//! Description texts.

use serde_json::{Map, Value};

/// Adds a paragraph to the description.
pub(super) fn describe_as(object: &mut Map<String, Value>, paragraph: &str) {
    let text = match object.get("description") {
        // A field and its type may have the same description; one is enough.
        Some(Value::String(text)) if text == paragraph => return,
        Some(Value::String(text)) if !text.is_empty() => format!("{text}\n\n{paragraph}"),
        _ => paragraph.to_owned(),
    };
    object.insert("description".to_owned(), Value::String(text));
}

/// A value in backticks, a string without its quotes.
pub(super) fn code(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

/// Removes the line breaks that wrap a doc comment in the source. Paragraphs, list items and code blocks stay.
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
            // The line after a fence must not be joined to it.
            if fence {
                out.push('\n');
            }
        }
        in_code ^= fence;
    }
    out.trim().to_owned()
}
