//! Removes tool results that a model wrote itself.

use std::{borrow::Cow, fmt, sync::Arc};

mod cut;
mod nonce;
mod tag;

pub use self::cut::FrameCut;

use self::{
    cut::Found,
    nonce::{Digits, Nonce},
    tag::Tag,
};
use crate::context::likeness::seen;

/// Streaming filter for a model's text: cuts text that looks like a frame of tool results.
///
/// Tool results reach a model in frames whose tags carry a nonce of the session. A model that imitates frames invents
/// results, and the user, or the model itself, takes them for real. One guard serves one session;
/// [`finish`](Self::finish) ends a turn.
///
/// - The output is the input, byte for byte, without the cut text. It doesn't depend on the split of the text into
///   chunks.
/// - The output holds no frame, even if a cut has joined the text before and behind it.
/// - The guard holds back at most [`MAX_HELD`](Self::MAX_HELD) bytes, and only while they may still become part of a
///   frame. If they begin within a word, the whole word is held back, so that no reader sees half of it.
///
/// # What is cut
///
/// 1. **A frame**, from a tag `<tool_results…>` to the `</tool_results…>` that closes it; nested frames are counted. A
///    frame without an end extends to the end of the turn. The tag may carry any nonce, another word, or none.
/// 2. **An end of a frame** by itself: the tag.
/// 3. **The session's nonce** by itself, from twelve of its digits on.
///
/// Upper and lower case are equal. Attributes, white space, marks of Markdown and characters without width don't
/// matter. Letters that look alike are equal: full width, mathematical, circled, accented, Cyrillic, Greek. Up to four
/// letters of the name may be unknown characters.
///
/// # What is not
///
/// - **Encoded text**: entities (`&lt;`), escapes of JSON and of addresses (`\u003c`, `%3C`), Base64, hexadecimal
///   digits, tag characters, ciphers. A model that invents a result writes it plainly. A page that decodes a model's
///   text must escape it first.
/// - **Rare scripts**: digits and letters of scripts other than those above.
/// - **Other names**: `<ToolResults>`, `<tool-results>`, `<tool_result>`, `Vec<tool_results::Row>`. With 16 hexadecimal
///   digits behind it, a letter among them, such a name counts as a frame.
/// - **Comparisons**: `i < tool_results.len()`, and any `<` with white space behind it and more than attributes behind
///   the name.
///
/// An ordinary text that quotes a tag `<tool_results>` loses it.
///
/// # Example
///
/// ```
/// use async_tool_runtime::agent::FrameGuard;
///
/// let mut guard = FrameGuard::new("0f9a2c46d1e84b7f");
/// let mut shown = guard.push("The price: <tool_").into_owned();
/// assert_eq!(shown, "The price: ");
/// shown += &guard.push("results_1>{\"price\": 3}</tool_results_1> is low, so `a < b`.");
/// shown += &guard.finish();
/// assert_eq!(shown, "The price:  is low, so `a < b`.");
/// assert_eq!(guard.cuts(), 1);
/// ```
#[derive(Clone)]
pub struct FrameGuard {
    nonce: Arc<Nonce>,
    /// Text that was read and is neither passed on nor cut.
    held: String,
    /// Harmless beginning of the word that `held` continues; empty if `held` is.
    word: String,
    /// State before `held`.
    before: ReaderState,
    /// State at the end of `held`.
    now: ReaderState,
    /// Number of open frames; all text within them is cut.
    depth: u32,
    /// Tag that is being read within a frame.
    inside: Tag,
    cuts: u64,
    last_cut: Option<FrameCut>,
}

impl FrameGuard {
    /// Most bytes that are held back. Longer text is passed on and remembered, so a padded tag loses its end.
    pub const MAX_HELD: usize = 256;

    /// Note to a model whose text was cut.
    pub const NOTICE: &'static str =
        "Part of your last turn was cut: you wrote a tool result yourself. Results come only from tools.";

    /// Guard for the session with this nonce. A nonce of fewer than sixteen letters and digits is not cut by itself.
    #[must_use]
    pub fn new(nonce: &str) -> Self {
        Self {
            nonce: Arc::new(Nonce::new(nonce)),
            held: String::new(),
            word: String::new(),
            before: ReaderState::default(),
            now: ReaderState::default(),
            depth: 0,
            inside: Tag::default(),
            cuts: 0,
            last_cut: None,
        }
    }

    /// Reads the next chunk of the turn's text and returns the part that is safe to pass on.
    pub fn push<'a>(&mut self, chunk: &'a str) -> Cow<'a, str> {
        let begins = |c| c == '<' || self.nonce.begins_with(c);
        let is_between = self.held.is_empty() && self.now.len() == 0 && self.depth == 0;
        if is_between && !chunk.chars().map(seen).any(begins) {
            return Cow::Borrowed(chunk);
        }
        let mut out = std::mem::take(&mut self.word);
        for c in chunk.chars() {
            self.read(c, &mut out);
        }
        self.keep_word(&mut out);
        Cow::Owned(out)
    }

    /// Ends the turn and returns the text that was held back.
    pub fn finish(&mut self) -> String {
        let mut out = std::mem::take(&mut self.word);
        loop {
            self.depth = 0;
            // Text that was passed on can't be cut any more.
            match self.now.unfinished().filter(|found| found.end < self.held.len()) {
                Some(found) => self.cut(found, &mut out),
                None => break,
            }
        }
        out.push_str(&std::mem::take(&mut self.held));
        (self.before, self.now) = (ReaderState::default(), ReaderState::default());
        out
    }

    /// Number of cuts in all turns.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Kind of the last cut.
    #[must_use]
    pub fn last_cut(&self) -> Option<FrameCut> {
        self.last_cut
    }

    /// True while a frame is open, so that all text is cut.
    #[must_use]
    pub fn is_cutting(&self) -> bool {
        self.depth > 0
    }

    fn read(&mut self, c: char, out: &mut String) {
        if self.depth > 0 {
            match self.inside.read(seen(c), c.len_utf8()) {
                Some(tag) if tag.kind == FrameCut::FrameEnd => self.depth -= 1,
                Some(_) => self.depth = self.depth.saturating_add(1),
                None => {}
            }
            return;
        }
        self.held.push(c);
        let is_full = self.held.len() > Self::MAX_HELD;
        let found = self.now.read(c, &self.nonce);
        match found.or_else(|| self.now.unfinished().filter(|_| is_full)) {
            Some(found) => self.cut(found, out),
            None if is_full => self.give(self.held.len(), out),
            None => self.give(self.held.len().saturating_sub(self.now.len()), out),
        }
    }

    /// Takes back the beginning of a word whose rest is held.
    fn keep_word(&mut self, out: &mut String) {
        if !self.held.starts_with(char::is_alphanumeric) {
            return;
        }
        let is_outside = |c: char| !c.is_alphanumeric();
        let start = out
            .rfind(is_outside)
            .map_or(0, |at| at + out[at..].chars().next().map_or(0, char::len_utf8));
        if out.len() - start + self.held.len() <= Self::MAX_HELD {
            self.word = out.split_off(start);
        }
    }

    /// Passes on the beginning of the held text.
    fn give(&mut self, len: usize, out: &mut String) {
        if len == self.held.len() {
            self.before = self.now.clone();
        } else {
            self.before.read_all(&self.held[..len], &self.nonce);
        }
        out.extend(self.held.drain(..len));
    }

    /// Cuts the found text, and reads on as if it had not been there.
    fn cut(&mut self, found: Found, out: &mut String) {
        let rest = self.held.split_off(self.held.len() - found.end);
        self.held
            .truncate(self.held.len().saturating_sub(found.start - found.end));
        self.now = self.before.clone();
        self.now.read_all(&self.held, &self.nonce);
        self.depth = u32::from(found.kind == FrameCut::Frame);
        self.inside = Tag::default();
        self.cuts += 1;
        self.last_cut = Some(found.kind);
        for c in rest.chars() {
            self.read(c, out);
        }
    }
}

impl fmt::Debug for FrameGuard {
    /// Omits the text, and the nonce, which is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameGuard")
            .field("held", &self.held.len())
            .field("cuts", &self.cuts)
            .field("last_cut", &self.last_cut)
            .finish_non_exhaustive()
    }
}

/// Tag and nonce that the text so far may become.
#[derive(Clone, Default)]
struct ReaderState {
    tag: Tag,
    digits: Digits,
}

impl ReaderState {
    /// Number of bytes that may still become a tag or a nonce.
    fn len(&self) -> usize {
        self.tag.len.max(self.digits.len)
    }

    fn read(&mut self, c: char, nonce: &Nonce) -> Option<Found> {
        let (c, size) = (seen(c), c.len_utf8());
        let tag = self.tag.read(c, size);
        let digits = self.digits.read(c, size, nonce);
        // A nonce in a tag is cut with the tag.
        tag.or(digits.filter(|_| !self.tag.is_certain()))
    }

    fn read_all(&mut self, text: &str, nonce: &Nonce) {
        for c in text.chars() {
            // Ignored: `now` has read this text before, and reported all that it found.
            let _ = self.read(c, nonce);
        }
    }

    /// Tag or nonce whose end is missing.
    fn unfinished(&self) -> Option<Found> {
        self.tag.unfinished().or_else(|| self.digits.telling())
    }
}
