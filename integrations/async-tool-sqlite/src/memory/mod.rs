//! An agent's long-term notes, in the file of the journal.
//!
//! # Invariants
//!
//! 1. **A note is in one scope.** Its key in the table begins with the number of its scope, and so does every range that is searched. What another scope holds is
//!    never read for an answer.
//! 2. **A note and its words are one transaction.** So nothing is found that isn't there, and nothing is there that can't be found.
//! 3. **A note is a statement in the group of the appends** ([`writer`](crate::writer)): it costs no `fsync` of its own, and one that is refused or fails harms
//!    none of the others. What it adds is bounded by the size of a note.
//! 4. **What is searched for is never syntax.** The expression is put together from words ([`query`]); no character of the model's is an operator.
//! 5. **Nothing goes away by itself.** A full scope refuses notes, and says so.
//!
//! Absent on purpose: embeddings (words find what a model wrote itself, and need no other service), and ages at which notes expire (who wrote it knows better).

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
