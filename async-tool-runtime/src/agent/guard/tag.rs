//! Search for the tag of a frame in plain text.

use super::cut::{Found, FrameCut};
use crate::context::likeness::{STRANGE, UNSEEN};

const NAME: &str = "tool_results";
const WHOLE: u16 = 1 << NAME.len();

/// Number of hexadecimal digits behind a similar name that count as a nonce, if a letter is among them. The real nonce has
/// 16, and no letter once in 1,800 sessions. A time in a file name has no letter.
const NONCE: usize = 16;

/// Number of decimal digits that count as a nonce. A time in a file name has at most 19.
const DECIMAL: usize = 24;

/// Most unknown characters in the name.
const STRANGERS: usize = 4;

/// Most words in a tag. It excludes comparisons such as `a<tool_results and b>c`.
const WORDS: usize = 3;

/// Most characters that are noted; no tag is longer.
const LONGEST: usize = 256;

/// Tag that is being read, from its `<` on.
#[derive(Clone, Default)]
pub(super) struct Tag {
    /// Normalized text: each white space is one blank or line break; marks of Markdown and characters without width are
    /// left out.
    text: String,
    /// Bytes from `<` to the last character read.
    pub(super) len: usize,
    is: Reading,
}

/// Meaning of the text from a `<` on.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    Other,
    /// May become a tag.
    Beginning,
    /// A tag if `>` comes next, otherwise the less-than sign of a comparison.
    Comparison,
    /// A tag, even if the text ends here. No tag if a character follows that can't be in one.
    Tag,
    /// A tag, with any continuation.
    Certain,
}

impl Tag {
    /// Tag, if it is one even without its `>`.
    pub(super) fn unfinished(&self) -> Option<Found> {
        matches!(self.is, Reading::Tag | Reading::Certain).then(|| self.found(0))
    }

    /// True if the text is a tag with any continuation.
    pub(super) fn is_certain(&self) -> bool {
        self.is == Reading::Certain
    }

    /// Reads the next character, which looks like `c` and has `size` bytes. Returns the tag that ends with it, or
    /// before it if it is a `<`.
    pub(super) fn read(&mut self, c: char, size: usize) -> Option<Found> {
        if c == '<' {
            let (text, len, is) = ("<".to_owned(), size, Reading::Beginning);
            let before = std::mem::replace(self, Self { text, len, is });
            return before.is_certain().then(|| before.found(size));
        }
        if self.is == Reading::Other {
            return None;
        }
        self.len += size;
        if c == '>' {
            let tag = std::mem::take(self);
            return (tag.is != Reading::Beginning).then(|| tag.found(0));
        }
        if c == '\n' && self.text.ends_with(' ') {
            self.text.pop();
        }
        let is_more_space = matches!(c, ' ' | '\n') && self.text.ends_with([' ', '\n']);
        if is_more_space || matches!(c, UNSEEN | '*' | '`' | '\\') {
            return None;
        }
        if self.text.len() < LONGEST {
            self.text.push(c);
            self.is = reading(&self.text);
        } else if self.unfinished().is_none() {
            self.is = Reading::Other;
        }
        if self.is == Reading::Other {
            *self = Self::default();
        }
        None
    }

    fn found(&self, behind: usize) -> Found {
        let is_closing = self.text.trim_start_matches(['<', ' ', '\n']).starts_with('/');
        let kind = if is_closing {
            FrameCut::FrameEnd
        } else {
            FrameCut::Frame
        };
        let (start, end) = (self.len + behind, behind);
        Found { kind, start, end }
    }
}

fn reading(text: &str) -> Reading {
    let text = text.trim_start_matches('<');
    let name = text.trim_start_matches([' ', '\n', '/']);
    let before = &text[..text.len() - name.len()];
    let near = near(name);
    if near == Reading::Certain {
        return near;
    }
    match exact(name, before.contains('/'), before.contains([' ', '\n'])) {
        Reading::Other => near,
        exact => exact,
    }
}

/// Reads a name that differs from ours in a separator or the plural. It counts only with a nonce behind it.
fn near(text: &str) -> Reading {
    let mut letters = text.chars().filter(|c| !" \n_-.:".contains(*c)).peekable();
    for expected in "toolresult".chars() {
        match letters.next() {
            None => return Reading::Beginning,
            Some(letter) if !is_alike(expected, letter) => return Reading::Other,
            Some(_) => {}
        }
    }
    letters.next_if_eq(&'s');
    let (mut digits, mut has_letter) = (0, false);
    while digits < DECIMAL
        && let Some(digit) = letters.next_if(char::is_ascii_hexdigit)
    {
        digits += 1;
        has_letter |= digit.is_ascii_alphabetic();
    }
    match letters.peek() {
        _ if digits == DECIMAL || (digits >= NONCE && has_letter) => Reading::Certain,
        None => Reading::Beginning,
        Some(_) => Reading::Other,
    }
}

/// Reads the exact name.
fn exact(text: &str, is_closing: bool, is_spaced: bool) -> Reading {
    // Bit set of the possible counts of letters so far: an unknown character is a letter of the name or none.
    let (mut read, mut strangers, mut is_spread) = (1_u16, 0, false);
    for (index, c) in text.char_indices() {
        if read & WHOLE != 0 {
            match behind(&text[index..], is_closing || is_spread, is_spaced) {
                Reading::Other => read &= !WHOLE,
                reading => return reading,
            }
        }
        match c {
            ' ' | '\n' => is_spread |= read > 1,
            STRANGE => {
                strangers += 1;
                read |= read << 1;
            }
            _ => {
                let is_next = |(index, letter)| u16::from(is_alike(letter, c)) << index;
                read = (read & NAME.chars().enumerate().map(is_next).sum::<u16>()) << 1;
            }
        }
        if strangers > STRANGERS {
            return Reading::Other;
        }
    }
    match read {
        0 => Reading::Other,
        _ if read & WHOLE != 0 => behind("", is_closing || is_spread, is_spaced),
        _ => Reading::Beginning,
    }
}

fn is_alike(letter: char, c: char) -> bool {
    match letter {
        'l' => matches!(c, 'l' | '1' | 'i' | '|'),
        'o' => matches!(c, 'o' | '0'),
        letter => letter == c,
    }
}

/// Reads the text behind the name: the rest of a word, words, and attributes. With white space before the name, it may
/// be a comparison.
fn behind(text: &str, is_strange: bool, is_spaced: bool) -> Reading {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | STRANGE);
    if text.starts_with(|c| !matches!(c, ' ' | '\n' | '/' | '_' | '-' | STRANGE)) {
        return Reading::Other;
    }
    if is_strange {
        // No code has white space in a name, or a slash before it.
        return Reading::Tag;
    }
    let (complete, unfinished, most_words) = match is_spaced {
        true => (Reading::Comparison, Reading::Beginning, 1),
        false => (Reading::Tag, Reading::Tag, WORDS),
    };
    let gap = text.trim_start_matches(is_word);
    let attributes = gap.trim_start_matches([' ', '\n', '/']);
    if attributes.is_empty() {
        return complete;
    }
    let is_next_line = is_spaced && gap[..gap.len() - attributes.len()].contains('\n');
    if gap.len() == attributes.len() || is_next_line {
        return Reading::Other;
    }
    let (names, value) = match attributes.split_once('=') {
        Some((names, value)) => (names, Some(value.trim_start())),
        None => (attributes, None),
    };
    let mut words = names.split([' ', '\n', '/']).filter(|word| !word.is_empty());
    let is_names =
        words.clone().count() <= most_words && words.all(|word| word.chars().all(|c| is_word(c) || c == ':'));
    match value.map(|value| value.chars().next()) {
        _ if !is_names => Reading::Other,
        None | Some(None) => unfinished,
        Some(Some('"' | '\'' | STRANGE)) => complete,
        Some(Some(c)) if is_word(c) && !is_spaced => complete,
        _ => Reading::Other,
    }
}
