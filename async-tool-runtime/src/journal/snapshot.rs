//! State of a session after an entry, so that a long session is opened without its first entries.

use super::Seq;

/// State of a session after an entry: [`Ledger::to_snapshot`](crate::agent::Ledger::to_snapshot) makes one. For a journal it is a position and
/// bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The last entry that it covers.
    pub seq: Seq,
    /// The state, in a form that only the version that wrote it can be sure to read.
    pub state: Vec<u8>,
}

impl Snapshot {
    /// A snapshot that a journal has kept.
    #[must_use]
    pub const fn new(seq: Seq, state: Vec<u8>) -> Self {
        Self { seq, state }
    }
}
