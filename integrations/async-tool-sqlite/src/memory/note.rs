//! A note, and what names it.

use std::{error::Error, fmt, str::FromStr, sync::Arc};

use async_tool_runtime::task::Timestamp;

/// What is after each tag where they are stored; tags are in one line.
pub(crate) const TAG_END: char = '\n';

/// The number of a note in its scope, written `n1`, `n2`, …. It is never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoteId(u32);

impl NoteId {
    pub(crate) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number alone.
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

/// A text is no id of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseNoteIdError(());

impl fmt::Display for ParseNoteIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a note is `n` and its number, such as n12")
    }
}

impl Error for ParseNoteIdError {}

/// A note that is to be kept. A text alone is one: `memory.remember("likes tea")`.
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
    /// A note of this text. Space around it is taken off.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            tags: Vec::new(),
            key: None,
        }
    }

    /// Words by which it is found beside those of its text. Default: none.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// What makes it the same if it is written again: one key is one note of its scope, whatever its text, also if it was forgotten in the meantime. The last
    /// 65,536 keys of a file are known. Default: none.
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Without space around text and tags, each tag in one line and once.
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

    /// What its text and its tags are, with an end for each tag.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.tags.iter().map(|tag| tag.len() + 1).sum::<usize>()
    }
}

impl<T: Into<String>> From<T> for NewNote {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// A note that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Note {
    /// What names it in its scope.
    pub id: NoteId,
    /// What it says.
    pub text: String,
    /// Words by which it is found beside those of its text.
    pub tags: Vec<String>,
    /// When it was first written, by the clock of the machine.
    pub written: Timestamp,
    /// When it was last written: the same text again is the same note.
    pub touched: Timestamp,
}

/// A note that was found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recalled {
    /// The note.
    pub note: Note,
    /// How well it fits (BM25, more is better), to be compared within one answer only. Zero where nothing was asked for by its words.
    pub score: f64,
}
