//! JSON Schema of arguments and results.
//!
//! # Invariants
//!
//! 1. A rendered schema keeps every limit of the type: a keyword that the dialect lacks goes into the description or
//!    gives an error, and is never dropped in silence.
//! 2. Properties keep serde's order wherever JSON allows it. The bytes are equal on every run, because providers cache
//!    prompts by them.
//! 3. A dialect is a pipeline of shared steps, with a list of its keywords. One rule (`vocabulary.rs`) describes or
//!    refuses all other keywords, so that none is forgotten.
//! 4. Every step visits the whole document, definitions included.
//!
//! Lowest layer: imports nothing of the crate outside of this folder.
//!
//! Deliberately absent: validation of values, which serde does during binding, and fetching of remote `$ref` targets.

mod anthropic;
mod array;
mod bedrock;
mod description;
mod dialect;
mod document;
mod duration;
mod error;
mod future;
mod gemini;
mod generated;
mod limit;
mod null;
mod object;
mod openai;
mod openapi;
mod plain;
mod published;
mod reference;
mod refusal;
mod rendering;
mod size;
mod union;
mod vocabulary;
mod walk;

pub(crate) use description::join_paragraphs;
pub use dialect::Dialect;
pub(crate) use duration::{is_duration, show_values_as_text};
pub use error::SchemaError;
pub(crate) use generated::{of_input, of_output};
pub use null::strip_invented_nulls;
pub(crate) use published::of_document;
pub(crate) use rendering::Renderings;
