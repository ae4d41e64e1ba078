//! Traces of sessions, made of their journals, and the formats in which other programs read them.
//!
//! The spans have the names and attributes of the live ones (see the page `logs` of `async-tool-runtime`), as far as the journal knows
//! them. It knows no model's name and no single attempt.

mod id;
mod lanes;
mod otlp;
mod perfetto;
mod phases;
mod reader;
mod span;

pub(crate) use otlp::otlp;
pub(crate) use perfetto::perfetto;
pub(crate) use reader::read;
pub(crate) use span::{SessionTrace, join};
