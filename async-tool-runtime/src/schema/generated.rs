//! Schemas of Rust types, from schemars.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::{document::Document, plain::normalize};

/// The schema of a tool's arguments: an object.
pub(crate) fn of_input<A: JsonSchema>() -> Value {
    of::<A>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The schema of a tool's result.
pub(crate) fn of_output<T: JsonSchema>() -> Value {
    of::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn of<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    // A root that refers to itself is given a name, `#/$defs/Name` instead of `#`.
    let mut schema = Document::new(&schema).map_or(schema, Document::into_value);
    normalize(&mut schema);
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    fn a_schema_has_bounds_instead_of_formats_and_no_type_names() {
        assert_eq!(
            of_input::<Sample>(),
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
