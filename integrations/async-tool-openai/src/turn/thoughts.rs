//! Thoughts of a turn, told once: as their pieces come, or with their item.

use async_tool_wire::halves::Pieces;
use serde_json::Value;

use super::item;

/// Thoughts told so far.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// Ids of the items.
    told: Vec<String>,
    pieces: Pieces,
    has_text: bool,
    /// True if the next piece is of another part than the last.
    begins: bool,
}

impl Thoughts {
    /// Takes a piece of a thought.
    pub(super) fn piece(&mut self, id: &str, piece: &str) -> String {
        if !piece.is_empty() {
            self.begin(id);
        }
        self.tell(piece)
    }

    /// Takes a complete item, and returns its thoughts if none of their pieces came.
    pub(super) fn whole(&mut self, item: &Value) -> String {
        if !self.begin(item::text(item, "id").unwrap_or_default()) {
            return String::new();
        }
        let parts = ["summary", "content"]
            .iter()
            .filter_map(|name| item.get(name)?.as_array());
        let mut told = String::new();
        for part in parts.flatten() {
            self.end_part();
            told += &self.tell(item::text(part, "text").unwrap_or_default());
        }
        told
    }

    /// Puts a blank line before the next piece.
    pub(super) fn end_part(&mut self) {
        self.begins = true;
    }

    /// Notes that this thought is told; true if it was not before.
    fn begin(&mut self, id: &str) -> bool {
        let is_new = !self.told.iter().any(|told| told == id);
        if is_new {
            self.told.push(id.to_owned());
            self.end_part();
        }
        is_new
    }

    fn tell(&mut self, piece: &str) -> String {
        let piece = self.pieces.push(piece);
        if piece.is_empty() {
            return piece;
        }
        let begins = std::mem::take(&mut self.begins);
        let is_another = std::mem::replace(&mut self.has_text, true) && begins;
        if is_another { format!("\n\n{piece}") } else { piece }
    }
}
