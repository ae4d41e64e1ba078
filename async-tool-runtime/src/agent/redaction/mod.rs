//! Redaction: secrets stay out of the journal.
//!
//! Tools say which of their arguments and results are secrets ([`marks`]), and the host may have a hook that looks at every entry
//! ([`Redact`]). Both work on copies, in the shell, just before an append.
//!
//! # Invariants
//!
//! 1. What is marked never reaches a journal. Where that can't be brought about, nothing is written, and the session stops.
//! 2. Only what is written changes. The machine, the model, the tools, the user and the events have the true values: nothing here may
//!    touch the ledger of the machine.
//! 3. What is written folds. The [`Redactor`] keeps the fold of it beside the machine's, so an entry that would make the session one that nobody
//!    can take up again is found before it is written.
//! 4. What was replaced is marked ([`ToolCall::redacted`](crate::tool::ToolCall::redacted), [`AsyncTaskResult::redacted`](crate::task::AsyncTaskResult::redacted)),
//!    so that nothing is ever carried out with what stands in its place. A guess from the text would be the model's to make.
//! 5. The text of a delivery is made anew of what was written, never edited: it says what the journal's results say.
//!
//! Absent on purpose: hashes of what was replaced. A secret with few possible values is found by its hash.

mod graft;
mod hook;
mod marks;
mod redactor;
mod secrets;

pub use hook::{REDACTED, Redact};
pub(super) use redactor::{Redactor, without};
