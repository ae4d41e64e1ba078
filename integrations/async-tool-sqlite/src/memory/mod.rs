//! An agent's long-term notes, in the file of the journal.
//!
//! # Invariants
//!
//! 1. **A note is in one scope.** Its key in the table begins with the number of its scope, and so does every searched
//!    range. A search never reads another scope's notes.
//! 2. **A note and its words are one transaction.** So every note can be found, and every search result exists.
//! 3. **A note joins the group of the appends** ([`writer`](crate::writer)). It costs no `fsync` of its own, and a
//!    refused or failed note doesn't affect the rest of the group. A note's limit bounds the added size.
//! 4. **A query is never syntax.** The search expression is built from words ([`query`]); no character of the model's
//!    text is an operator.
//! 5. **Notes don't expire.** A full scope refuses further notes with an error.
//!
//! Deliberately absent: embeddings, because words find what a model wrote itself and need no other service; and ages at
//! which notes expire, because the writer knows better.

mod change;
mod error;
mod handle;
mod note;
mod query;
mod search;
mod tools;
mod words;

pub(crate) use change::Change;
pub use error::MemoryError;
pub use handle::Memory;
pub use note::{NewNote, Note, NoteId, ParseNoteIdError, Recalled};
pub use search::MemorySummary;
