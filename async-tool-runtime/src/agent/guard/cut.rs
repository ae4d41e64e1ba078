//! Text to be cut.

/// Kind of text that a [`FrameGuard`](crate::agent::FrameGuard) has cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameCut {
    /// A frame, to its end or to the end of the turn.
    Frame,
    /// The end of a frame, without a beginning.
    FrameEnd,
    /// The session's nonce.
    Nonce,
}

/// A frame, its end or a nonce; places in bytes, counted backwards from the last character read.
pub(super) struct Found {
    pub(super) kind: FrameCut,
    pub(super) start: usize,
    pub(super) end: usize,
}
