//! Description texts.

use std::borrow::Cow;

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

/// Removes the frame of a block comment, which schemars leaves in: the stars and the common margin of the lines. schemars has trimmed the
/// text, so only the lines after the first one tell a block from a list or from code.
///
/// Input: `"* Where to\n     * look."`
///
/// Output: `"Where to\nlook."`
pub(super) fn without_frame(text: &str) -> Cow<'_, str> {
    // A comment of one line, as `/// * One.` or as a block.
    let Some((first, rest)) = text.split_once('\n') else {
        return text.into();
    };
    let filled = |line: &&str| !line.trim().is_empty();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut indents = rest.lines().filter(filled).map(indent);
    let Some(margin) = indents.clone().min().filter(|margin| *margin > 0) else {
        return text.into();
    };
    // The stars stand below the second letter of `/**`, which has an even indentation. Lists inside of lists have an even one.
    let is_starred = |line: &str| line.trim_start().starts_with('*');
    let is_framed = rest.lines().filter(filled).all(is_starred) && indents.all(|indent| indent % 2 == 1);
    // Lines of code in a line comment.
    let is_code = margin == 4 && rest.starts_with('\n');
    if is_code && !is_framed {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    plain.push_str(
        first
            .strip_prefix('*')
            .filter(|_| is_framed)
            .unwrap_or(first)
            .trim_start(),
    );
    for line in rest.lines() {
        plain.push('\n');
        let line = line.get(margin..).unwrap_or_default();
        match line.strip_prefix('*').filter(|_| is_framed) {
            Some(line) => plain.push_str(line.strip_prefix(' ').unwrap_or(line)),
            None => plain.push_str(line),
        }
    }
    plain.into()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_loses_its_frame_and_a_list_keeps_its_stars() {
        for (text, expected) in [
            ("* Where to\n     * look.", "Where to\nlook."),
            ("* A kind.\n *\n *   - or none", "A kind.\n\n  - or none"),
            ("Which door.\n\n        Or none.", "Which door.\n\nOr none."),
            ("Adds.\n     * Slowly.", "Adds.\nSlowly."),
            ("One line.", "One line."),
            ("* one", "* one"),
            ("Either\n* this\n* or that", "Either\n* this\n* or that"),
            ("* one\n  * inside\n* two", "* one\n  * inside\n* two"),
            ("* one\n  * inside", "* one\n* inside"),
            (
                "Code:\n\n    let x = 5;\n    let y = 6;",
                "Code:\n\n    let x = 5;\n    let y = 6;",
            ),
        ] {
            assert_eq!(without_frame(text), expected, "{text:?}");
        }
    }
}
