//! Redaction: secrets stay out of the journal.
//!
//! Tools mark their secret arguments and results ([`marks`]), and the host may set a hook that sees every entry
//! ([`Redact`]). Both work on copies, in the shell, just before an append.
//!
//! # Invariants
//!
//! 1. Marked values never reach a journal. If that can't be guaranteed, nothing is written and the session stops.
//! 2. Only the written entries change. The machine, the model, the tools, the user and the events have the true values,
//!    so this module never touches the machine's ledger.
//! 3. The written entries fold. The [`Redactor`] keeps their fold beside the machine's ledger. So it finds an entry
//!    that would make the session impossible to resume before that entry is written.
//! 4. Replaced values are marked ([`ToolCall::redacted`](crate::tool::ToolCall::redacted),
//!    [`AsyncTaskResult::redacted`](crate::task::AsyncTaskResult::redacted)), so that no tool ever runs with a
//!    placeholder. Without the mark, the text alone would decide, and a model can write that text.
//! 5. The text of a delivery is rendered from the redacted results, never edited, so it agrees with the journal's
//!    results.
//!
//! Absent on purpose: hashes of secrets. A hash reveals a secret that has few possible values.

mod graft;
mod hook;
mod marks;
mod redactor;
mod secrets;

pub use hook::{REDACTED, Redact};
pub(super) use redactor::{Redactor, without};
