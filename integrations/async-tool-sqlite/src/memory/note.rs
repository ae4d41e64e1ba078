//! Notes and their ids.

use std::{error::Error, fmt, str::FromStr, sync::Arc};

use async_tool_runtime::task::Timestamp;

/// Separator after each stored tag. Tags are single lines, so they can't contain it.
pub(crate) const TAG_END: char = '\n';

/// The number of a note in its scope, written `n1`, `n2`, …. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoteId(u32);

impl NoteId {
    pub(crate) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The bare number.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for NoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl FromStr for NoteId {
    type Err = ParseNoteIdError;

    fn from_str(text: &str) -> Result<Self, ParseNoteIdError> {
        let digits = text.trim().strip_prefix(['n', 'N']);
        let number = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        number
            .and_then(|number| number.parse().ok())
            .map(Self)
            .ok_or(ParseNoteIdError(()))
    }
}

/// Error for a text that is not a note's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseNoteIdError(());

impl fmt::Display for ParseNoteIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a note is `n` and its number, such as n12")
    }
}

impl Error for ParseNoteIdError {}

/// A note to keep. A plain text converts to one: `memory.remember("likes tea")`.
///
/// ```
/// use async_tool_sqlite::NewNote;
///
/// let note = NewNote::new("The user drinks no coffee.").tags(["food", "health"]).key("import 17");
/// # drop(note);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct NewNote {
    pub(crate) text: String,
    pub(crate) tags: Vec<String>,
    pub(crate) key: Option<Arc<str>>,
}

impl NewNote {
    /// Makes a note with this text. Surrounding whitespace is removed.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            tags: Vec::new(),
            key: None,
        }
    }

    /// Sets words that find the note besides those of its text. Default: none.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the key that identifies a repeated write. A second note with this key in the scope is not written, whatever
    /// its text, even if the first was forgotten. A file keeps its last 65,536 keys. Default: none.
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Removes whitespace around text and tags, line breaks in tags, and repeated tags.
    pub(crate) fn tidy(mut self) -> Self {
        self.text = self.text.trim().to_owned();
        let mut tags = Vec::<String>::new();
        for tag in self.tags {
            let tag = tag.split_whitespace().collect::<Vec<_>>().join(" ");
            if !tag.is_empty() && !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        self.tags = tags;
        self
    }

    /// Size of its text and tags, in bytes, with one separator per tag.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.tags.iter().map(|tag| tag.len() + 1).sum::<usize>()
    }
}

impl<T: Into<String>> From<T> for NewNote {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// A kept note.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// The note's id in its scope.
    pub id: NoteId,
    /// The note's text.
    pub text: String,
    /// Words that find the note besides those of its text.
    pub tags: Vec<String>,
    /// Time of the first write, by the machine's clock.
    pub written: Timestamp,
    /// Time of the last write: writing the same text again updates the note.
    pub touched: Timestamp,
}

/// A found note.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recalled {
    /// The note.
    pub note: Note,
    /// Quality of the match (BM25, more is better). Compare it only within one result. Zero if the query had no words.
    pub score: f64,
}
