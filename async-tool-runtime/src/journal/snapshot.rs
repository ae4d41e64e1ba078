//! State of a session after an entry, so that a long session opens without reading its first entries.

use super::Seq;

/// State of a session after an entry. For a journal, it is a position and opaque bytes.
///
/// ```
/// use async_tool_runtime::agent::Ledger;
/// use async_tool_runtime::journal::{Entry, Format, Seq, Snapshot};
/// use async_tool_runtime::task::Timestamp;
///
/// # let at = Timestamp::from_millis(0);
/// let entries = [Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at }, Entry::UserMessage { text: "hi".into(), media: Vec::new(), traceparent: None, at }];
/// let ledger = Ledger::fold(&entries)?;
/// let snapshot = ledger.to_snapshot(Seq::new(2)).expect("it can be written as JSON");
///
/// // A journal stores position and bytes, and returns them later.
/// let kept = Snapshot::new(snapshot.seq, snapshot.state);
/// assert_eq!(Ledger::from_snapshot(&kept), Some(ledger));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The last entry that it covers.
    pub seq: Seq,
    /// The state, in a format that only the same version of the library is sure to read.
    pub state: Vec<u8>,
}

impl Snapshot {
    /// Creates a snapshot from the parts that a journal has kept.
    #[must_use]
    pub const fn new(seq: Seq, state: Vec<u8>) -> Self {
        Self { seq, state }
    }
}
