//! Text to be cut.

/// Kind of text that a [`FrameGuard`](crate::agent::FrameGuard) has cut.
///
/// ```
/// use async_tool_runtime::agent::{FrameCut, FrameGuard};
///
/// let mut guard = FrameGuard::new("0f9a2c46d1e84b7fa35c60e2918b7d4c");
/// let shown = guard.push("Done.</tool_results> Next: ").into_owned() + &guard.finish();
/// assert_eq!(shown, "Done. Next: ");
/// match guard.last_cut() {
///     Some(FrameCut::FrameEnd) => {} // A tag without a frame: no result was invented.
///     other => panic!("{other:?} was cut"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameCut {
    /// Frame, up to its end or the end of the turn.
    Frame,
    /// End of a frame, without a beginning.
    FrameEnd,
    /// The session's nonce.
    Nonce,
}

/// Frame, end of a frame, or nonce. Positions are in bytes, counted backwards from the last character read.
pub(super) struct Found {
    pub(super) kind: FrameCut,
    pub(super) start: usize,
    pub(super) end: usize,
}
