//! JSON Schema of arguments and results.
//!
//! # Invariants
//!
//! 1. A schema never says less than the type: what can't be said is an error or goes into the description, and is never
//!    left out in silence.
//! 2. Properties keep the order in which serde reads them wherever JSON allows it; the bytes are the same on every run,
//!    because providers cache prompts by them.

//! 3. A dialect is a pipeline of steps that dialects share, and the list of keywords that it has. A keyword that isn't in the
//!    list is described or refused by one rule (`vocabulary.rs`), so that none is forgotten.
//! 4. Every step visits the whole document, definitions included.
//!
//! Absent on purpose: validation of values (binding does it, with serde), and fetching what a `$ref` elsewhere refers to.

mod anthropic;
mod array;
mod bedrock;
mod dialect;
mod document;
mod error;
mod future;
mod gemini;
mod limit;
mod null;
mod object;
mod openai;
mod openapi;
mod plain;
mod reference;
mod rendering;
mod union;
mod vocabulary;
mod walk;

pub use dialect::Dialect;
pub use error::SchemaError;
pub(crate) use future::with_futures;
pub use null::strip_invented_nulls;
pub(crate) use plain::join_paragraphs;
pub(crate) use rendering::Renderings;

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
    let schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    // A root that refers to itself is given a name, `#/$defs/Name` instead of `#`.
    let mut schema = document::Document::new(&schema).map_or(schema, document::Document::into_value);
    plain::normalize(&mut schema);
    schema
}
