//! Text of a turn, told once: as its pieces come, or with its message.

use async_tool_wire::halves::Pieces;
use serde_json::Value;

use super::item;

/// Text told so far, by message.
#[derive(Debug, Default)]
pub(super) struct Texts {
    told: Vec<Told>,
}

/// Text of one message.
#[derive(Debug, Default)]
struct Told {
    id: Option<String>,
    place: Option<u64>,
    text: String,
    is_whole: bool,
    pieces: Pieces,
}

impl Texts {
    /// Takes a piece of a message, which may end with a half of a character.
    pub(super) fn piece(&mut self, event: &Value, piece: &str) -> String {
        let (id, place) = (item::text(event, "item_id"), item::place(event));
        let open = self.told.iter().rposition(|told| {
            let is_it = match (told.id.as_deref(), id) {
                (Some(told), Some(id)) => told == id,
                _ => told.place == place,
            };
            is_it && !told.is_whole
        });
        let index = open.unwrap_or_else(|| self.begin(id, place));
        let told = &mut self.told[index];
        let piece = told.pieces.push(piece);
        self.tell(index, piece)
    }

    /// Takes a complete message, and returns the text that its pieces did not tell.
    pub(super) fn message(&mut self, id: Option<&str>, place: Option<u64>, whole: &str) -> String {
        let open = |is_it: &dyn Fn(&Told) -> bool| self.told.iter().position(|told| !told.is_whole && is_it(told));
        let index = open(&|told| id.is_some() && told.id.as_deref() == id)
            .or_else(|| open(&|told| (told.id.is_none() || id.is_none()) && told.place == place))
            .or_else(|| open(&|told| told.text.trim() == whole.trim()))
            .or_else(|| open(&|told| (told.id.is_none() || id.is_none()) && (told.place.is_none() || place.is_none())));
        let index = index.unwrap_or_else(|| self.begin(id, place));
        let told = &mut self.told[index];
        told.is_whole = true;
        let end = told.pieces.end();
        let mut rest = self.tell(index, end.to_owned());
        let told = &self.told[index];
        if let Some(more) = whole.strip_prefix(&told.text) {
            let more = more.to_owned();
            rest.push_str(&self.tell(index, more));
        }
        rest
    }

    /// Ends all texts; returns what is left of them.
    pub(super) fn finish(&mut self) -> String {
        self.told.iter_mut().map(|told| told.pieces.end()).collect()
    }

    fn begin(&mut self, id: Option<&str>, place: Option<u64>) -> usize {
        self.told.push(Told {
            id: id.map(str::to_owned),
            place,
            ..Told::default()
        });
        self.told.len() - 1
    }

    /// Notes the text, and puts a blank line between it and an earlier message.
    fn tell(&mut self, index: usize, text: String) -> String {
        let is_first = self.told[index].text.is_empty();
        let is_another = is_first && self.told.iter().any(|told| !told.text.is_empty());
        self.told[index].text.push_str(&text);
        if is_another && !text.is_empty() {
            format!("\n\n{text}")
        } else {
            text
        }
    }
}
