//! Position of an entry.

use serde::{Deserialize, Serialize};

/// Position of an entry in its session: the first is 1, and 0 is "before the first".
///
/// ```
/// use async_tool_runtime::journal::{AppendError, Claim, Entry, Format, Journal, MemoryJournal, Seq};
/// use async_tool_runtime::{SessionId, task::Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), AppendError> {
/// # let (journal, session) = (MemoryJournal::new(), SessionId::new("s"));
/// # let opened = Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at: Timestamp::from_millis(0) };
/// let first = journal.append(&session, &Claim::new(), Seq::START, &[opened]).await?;
/// assert_eq!(first, Seq::new(1));
/// assert!(Seq::START < first);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    /// Position before the first entry.
    pub const START: Self = Self(0);

    /// Creates a position from its number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The position as an integer.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    pub(crate) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
