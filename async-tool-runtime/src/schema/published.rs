//! Schemas that are published for programs in other languages: with definitions by name, and short descriptions.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::{description::join_paragraphs, walk::walk};

/// The schema of a type as it is written: draft 2020-12, one definition for each named type.
pub(crate) fn of_document<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let Ok(()) = walk::<std::convert::Infallible>(&mut schema, &mut String::new(), &mut |object, _| {
        if let Some(Value::String(text)) = object.get_mut("description") {
            *text = without_links(&first_paragraph(text));
        }
        Ok(())
    });
    schema
}

/// The rest of a doc comment is about Rust: examples, and names of methods.
fn first_paragraph(text: &str) -> String {
    join_paragraphs(text.split("\n\n").next().unwrap_or_default())
}

/// Replaces links by their text: their targets are paths of Rust.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((name, after)) = link.split_once(']') else {
            plain.push('[');
            rest = link;
            continue;
        };
        plain.push_str(name);
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_the_first_paragraph_without_links() {
        for (text, expected) in [
            ("One line\nand more.\n\nRust.", "One line and more."),
            ("See [`Left`](Self::Left) or [`Closed`].", "See `Left` or `Closed`."),
            ("An [open", "An [open"),
        ] {
            assert_eq!(without_links(&first_paragraph(text)), expected);
        }
    }
}
