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
//! Lowest layer: imports nothing of the crate outside of this folder.
//!
//! Absent on purpose: validation of values (binding does it, with serde), and fetching what a `$ref` elsewhere refers to.

mod anthropic;
mod array;
mod bedrock;
mod description;
mod dialect;
mod document;
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
mod reference;
mod refusal;
mod rendering;
mod union;
mod vocabulary;
mod walk;

pub(crate) use description::join_paragraphs;
pub use dialect::Dialect;
pub use error::SchemaError;
pub(crate) use future::with_futures;
pub(crate) use generated::{of_input, of_output};
pub use null::strip_invented_nulls;
pub(crate) use rendering::Renderings;
