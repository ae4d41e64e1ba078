//! Selection of sessions.

/// Selection of the sessions of a journal.
///
/// ```
/// use async_tool_runtime::journal::{Claim, Entry, Format, Journal, MemoryJournal, Seq, SessionFilter};
/// use async_tool_runtime::{SessionId, task::Timestamp};
/// # use futures_core::Stream as _;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let at = Timestamp::from_millis(0);
/// # let opened = Entry::Opened { format: Format::CURRENT, nonce: "n".into(), works_for: None, at };
/// # let end = [opened.clone(), Entry::Closing { at }, Entry::Closed { at }];
/// let journal = MemoryJournal::new();
/// journal.append(&SessionId::new("goes on"), &Claim::new(), Seq::START, &[opened]).await?;
/// journal.append(&SessionId::new("is over"), &Claim::new(), Seq::START, &end).await?;
///
/// let mut open = journal.sessions(SessionFilter::Open);
/// let first = std::future::poll_fn(|cx| open.as_mut().poll_next(cx)).await.expect("one is open")?;
/// assert_eq!(first.as_str(), "goes on");
/// # assert!(std::future::poll_fn(|cx| open.as_mut().poll_next(cx)).await.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionFilter {
    /// Sessions whose last entry is not [`Entry::Closed`](crate::journal::Entry::Closed).
    Open,
    /// All sessions. The default.
    #[default]
    All,
}
