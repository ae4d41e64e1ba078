//! JSON Schema of arguments and results.
//!
//! # Invariants
//!
//! 1. A schema never says less than the type: what can't be said is an error or goes into the description, and is never
//!    left out in silence.
//! 2. Properties keep the order in which serde reads them wherever JSON allows it; the bytes are the same on every run,
//!    because providers cache prompts by them.

mod plain;

pub(crate) use plain::join_paragraphs;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

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
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    plain::normalize(&mut schema);
    schema
}
