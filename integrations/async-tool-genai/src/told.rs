//! Thoughts as the host is told them.

use async_tool_wire::halves::Pieces;

/// Thoughts told so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pieces: Pieces,
    has_text: bool,
    /// True if the next piece is of another thought than the last.
    begins: bool,
}

impl Told {
    /// Takes a piece of a thought; returns the text to tell. A blank line stands between two thoughts.
    pub(crate) fn piece(&mut self, piece: &str) -> Option<String> {
        let piece = self.pieces.push(piece);
        if piece.is_empty() {
            return None;
        }
        let begins = std::mem::take(&mut self.begins);
        let is_another = std::mem::replace(&mut self.has_text, true) && begins;
        let blank = if is_another { "\n\n" } else { "" };
        Some(format!("{blank}{piece}"))
    }

    /// Ends the thought.
    pub(crate) fn end(&mut self) {
        self.begins = true;
    }
}
