//! Selection of sessions.

/// Selection of the sessions of a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionFilter {
    /// Sessions that are not closed: their last entry is not [`Entry::Closed`](crate::journal::Entry::Closed).
    Open,
    /// All sessions. The default.
    #[default]
    All,
}
