//! Arguments that are read and checked straight from their text, without a `Value`.

use std::borrow::Cow;

use serde_json::Number;

/// Text of an object, read field by field and checked on the way.
///
/// It gives up wherever the full check is needed: text that isn't JSON, an unknown or repeated field, a value of another type or beyond a
/// limit. Text that it reads to the [end](Self::is_read) gives the same values as serde_json, and violates no constraint.
pub(super) struct PlainText<'a> {
    flat: &'a [(Box<str>, Flat)],
    text: &'a str,
    at: usize,
    place: Place,
    /// Fields that have come, one bit each.
    seen: u64,
}

#[derive(Clone, Copy)]
enum Place {
    Begin,
    /// After the name of this field.
    Named(usize),
    /// After the value of a field.
    Between,
    End,
}

/// Signal that the full check is needed. Never reaches the model.
#[derive(Debug)]
pub(super) struct GivesUp;

impl std::fmt::Display for GivesUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the text needs a second look")
    }
}

impl<'a> PlainText<'a> {
    /// Text of an object with these properties, at most 64.
    pub(super) fn new(flat: &'a [(Box<str>, Flat)], text: &'a str) -> Option<Self> {
        let mut text = Self {
            flat,
            text,
            at: 0,
            place: Place::Begin,
            seen: 0,
        };
        let is_object = text.peek() == Some(b'{');
        text.at += 1;
        (is_object && flat.len() <= 64).then_some(text)
    }

    /// Name of the next field.
    pub(super) fn next_name(&mut self) -> Result<Option<&'a str>, GivesUp> {
        let first = match (self.peek(), self.place) {
            (Some(b'}'), Place::Begin | Place::Between) => {
                self.at += 1;
                self.place = Place::End;
                return Ok(None);
            }
            (Some(b','), Place::Between) => {
                self.at += 1;
                self.peek()
            }
            (first, Place::Begin) => first,
            _ => None,
        };
        if first != Some(b'"') {
            return Err(GivesUp);
        }
        let (name, _) = self.string().ok_or(GivesUp)?;
        let index = self.flat.iter().position(|(known, _)| **known == *name);
        let index = index.ok_or(GivesUp)?;
        let bit = 1 << index;
        if self.seen & bit != 0 || self.peek() != Some(b':') {
            return Err(GivesUp);
        }
        self.at += 1;
        self.seen |= bit;
        self.place = Place::Named(index);
        Ok(Some(name))
    }

    /// Value of the field whose name was read last, with the name.
    pub(super) fn next_leaf(&mut self) -> Result<(&'a str, Leaf<'a>), GivesUp> {
        let Place::Named(index) = self.place else {
            return Err(GivesUp);
        };
        let (name, flat) = &self.flat[index];
        let leaf = self.leaf(flat).ok_or(GivesUp)?;
        self.place = Place::Between;
        Ok((name, leaf))
    }

    /// True if the whole text has been read.
    pub(super) fn is_read(&mut self) -> bool {
        matches!(self.place, Place::End) && self.peek().is_none()
    }

    fn leaf(&mut self, flat: &Flat) -> Option<Leaf<'a>> {
        let first = self.peek()?;
        match flat {
            Flat::Text if first == b'"' => {
                let start = self.at;
                let (inside, is_plain) = self.string()?;
                Some(Leaf::Text(if is_plain {
                    Cow::Borrowed(inside)
                } else {
                    Cow::Owned(serde_json::from_str(&self.text[start..self.at]).ok()?)
                }))
            }
            Flat::Boolean => {
                let flag = first == b't';
                let word = if flag { "true" } else { "false" };
                let is_said = self.text[self.at..].starts_with(word);
                self.at += word.len();
                is_said.then_some(Leaf::Boolean(flag))
            }
            Flat::Number => serde_json::from_str(self.number()).ok().map(Leaf::Number),
            Flat::Integer { min, max } => {
                let number = self.integer()?;
                (min..=max).contains(&&number).then(|| Leaf::Number(number.into()))
            }
            Flat::Text => None,
        }
    }

    /// Next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    /// Inside of the string that begins here, as it is written; the flag is true if it has no escapes.
    fn string(&mut self) -> Option<(&'a str, bool)> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        let mut is_plain = true;
        loop {
            while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
                let ordinary = ordinary(u64::from_le_bytes(*word));
                at += ordinary;
                if ordinary < 8 {
                    break;
                }
            }
            match bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    is_plain = false;
                    at += 2;
                }
                0..b' ' => return None,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Some((self.text.get(start..at)?, is_plain))
    }

    /// Integer that begins here, if it has at most 18 digits and so fits. Not `-0`, which serde_json reads as a fraction.
    fn integer(&mut self) -> Option<i64> {
        const MOST: usize = 18;
        let left = self.text.as_bytes().get(self.at..)?;
        let (is_negative, digits) = match left {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let mut number = 0;
        let mut count = 0;
        while let Some(digit @ b'0'..=b'9') = digits.get(count)
            && count < MOST
        {
            number = number * 10 + i64::from(digit - b'0');
            count += 1;
        }
        let is_plain = match digits.first()? {
            b'0' => count == 1 && !is_negative,
            _ => count > 0,
        };
        let goes_on = matches!(digits.get(count), Some(b'0'..=b'9' | b'.' | b'e' | b'E'));
        self.at += usize::from(is_negative) + count;
        (is_plain && !goes_on).then_some(if is_negative { -number } else { number })
    }

    /// Number that begins here, as it is written.
    fn number(&mut self) -> &'a str {
        let left = &self.text[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = left.bytes().take_while(is_part).count();
        self.at += length;
        &left[..length]
    }
}

/// Property whose values hold no other values.
#[derive(Debug)]
pub(super) enum Flat {
    Text,
    Boolean,
    Integer { min: i64, max: i64 },
    Number,
}

/// Value that holds no other values.
pub(super) enum Leaf<'de> {
    Text(Cow<'de, str>),
    Boolean(bool),
    Number(Number),
}

/// Number of bytes, of eight, before the first quote, backslash or control character.
const fn ordinary(word: u64) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    // A borrow reaches only higher bytes, so the lowest byte that is found is a true match.
    let found = (word.wrapping_sub(ONES * 0x20) & !word)
        | (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash);
    (found & HIGH).trailing_zeros() as usize / 8
}
