//! Refusal of an entry.

use std::fmt;

use crate::journal::Entry;

/// Refuses the entry unless the rule holds.
pub(super) fn require(entry: &Entry, holds: bool, rule: &'static str) -> Result<(), FoldError> {
    if holds {
        Ok(())
    } else {
        Err(FoldError::new(entry, rule))
    }
}

/// Entry that can't follow those before it, and the rule it breaks.
///
/// ```
/// use async_tool_runtime::{agent::Ledger, journal::Entry, task::Timestamp};
///
/// let mut ledger = Ledger::new();
/// let entry = Entry::UserMessage { text: "hello".to_owned(), media: Vec::new(), traceparent: None, at: Timestamp::from_millis(0) };
/// let error = ledger.apply(&entry).unwrap_err();
/// assert_eq!(error.rule(), "the session has not been opened");
/// assert_eq!(error.entry(), &entry);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FoldError {
    entry: Box<Entry>,
    rule: &'static str,
}

impl FoldError {
    pub(super) fn new(entry: &Entry, rule: &'static str) -> Self {
        Self {
            entry: Box::new(entry.clone()),
            rule,
        }
    }

    /// Refuses an entry that was handed to the wrong function of the fold.
    pub(super) fn of_another_family(entry: &Entry) -> Self {
        Self::new(entry, "the entry is of another family")
    }

    /// Entry that was refused.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Rule that the entry would break.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.rule
    }
}

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the kind of the entry: this goes to logs, and the content may be secret.
        write!(f, "{}: {}", self.rule, self.entry.kind())
    }
}

impl std::error::Error for FoldError {}
