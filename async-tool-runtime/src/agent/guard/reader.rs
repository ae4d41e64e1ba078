//! Text as it is read once its escapes are taken off.

use super::{
    likeness::{Sign, sign_of},
    tag::{Digits, Nonce, Tag},
};

/// So many kinds of escapes may be written in one another.
const LAYERS: usize = 3;

/// What stands in the text, and where: from the first to behind the last byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) what: What,
    pub(super) start: u64,
    pub(super) end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Opening,
    /// `true` if it ends further on.
    Closing(bool),
    Nonce,
}

/// Reads one text: the model's as it is, or one that stands encoded in it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reader {
    escapes: [Escape; LAYERS],
    bytes: Utf8,
    byte_start: u64,
    tag: Tag,
    /// The nonce in the text as it stands, and in what each layer makes of it: what looks like an escape may take its first digits.
    digits: [Digits; LAYERS + 1],
}

impl Reader {
    pub(super) fn is_idle(&self) -> bool {
        self.bytes.missing == 0
            && !self.tag.is_live()
            && self.digits.iter().all(|digits| digits.read == 0)
            && self.escapes.iter().all(Escape::is_idle)
    }

    /// Where the earliest thing that isn't decided begins.
    pub(super) fn hold(&self) -> Option<u64> {
        let escapes = self.escapes.iter().filter_map(|escape| escape.start);
        let byte = (self.bytes.missing > 0).then_some(self.byte_start);
        let tag = self.tag.is_live().then_some(self.tag.start);
        let digits = self
            .digits
            .iter()
            .filter(|digits| digits.read > 0)
            .map(|digits| digits.start);
        escapes.chain(byte).chain(tag).chain(digits).min()
    }

    /// A tag whose end is farther than a tag is long, or not there.
    pub(super) fn endless(&self, next: u64) -> Option<Found> {
        let start = self.cut_short()?;
        let what = if self.tag.is_closing() {
            What::Closing(true)
        } else {
            What::Opening
        };
        Some(Found { what, start, end: next })
    }

    /// A nonce of which enough has been read.
    pub(super) fn telling(&self) -> Option<(u64, u64)> {
        let telling = self.digits.iter().find(|digits| digits.is_telling());
        telling.map(|digits| (digits.start, digits.end))
    }

    /// The start of a tag that lacks no more than its end.
    pub(super) fn cut_short(&self) -> Option<u64> {
        self.tag.is_cut_short().then_some(self.tag.start)
    }

    /// Reads the next byte of a text that stands encoded.
    pub(super) fn read_byte(&mut self, byte: u8, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        if byte.is_ascii() && self.bytes.missing == 0 {
            return self.read(char::from(byte), nonce, at, next);
        }
        if self.bytes.missing == 0 {
            // Held from the first byte on.
            self.byte_start = at;
        }
        match self.bytes.push(byte) {
            Bytes::More => None,
            Bytes::Char(c) => self.read(c, nonce, self.byte_start, next),
            Bytes::Broken => self.read(char::REPLACEMENT_CHARACTER, nonce, self.byte_start, next),
        }
    }

    pub(super) fn read(&mut self, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        let sign = match sign_of(c) {
            // Read as a letter once the escapes are off, and as nothing here.
            Sign::Perhaps(_) => Sign::Invisible,
            sign => sign,
        };
        let bare = self.count(0, sign, nonce, at, next);
        self.decode(0, c, nonce, at, next).or(bare)
    }

    fn count(&mut self, layer: usize, sign: Sign, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        let (start, end) = self.digits[layer].step(sign, nonce, at, next)?;
        Some(Found {
            what: What::Nonce,
            start,
            end,
        })
    }

    fn decode(&mut self, layer: usize, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        match self.escapes[layer].state {
            State::None if c == ';' && self.escapes[layer].semicolon => {
                self.escapes[layer].semicolon = false;
                None
            }
            State::None => self.begin(layer, c, nonce, at, next),
            State::Entity => self.entity(layer, c, nonce, at, next),
            State::Number(base) => self.number(layer, c, base, nonce, at, next),
            State::Backslash => self.backslash(layer, c, nonce, at, next),
            State::Braces | State::Digits(_) | State::Octal(_) => self.code(layer, c, nonce, at, next),
            State::Percent => self.percent(layer, c, nonce, at, next),
        }
    }

    /// What the end of an encoded text makes of it.
    pub(super) fn end(&mut self, nonce: &Nonce, at: u64) -> Option<Found> {
        let tag = || self.endless(at);
        let digits = |(start, end)| Found {
            what: What::Nonce,
            start,
            end,
        };
        let found = tag().or_else(|| self.telling().map(digits));
        found.or_else(|| self.flush(nonce, at))
    }

    /// At the end of the text: what is left open is closed.
    pub(super) fn flush(&mut self, nonce: &Nonce, next: u64) -> Option<Found> {
        let mut found = None;
        for layer in 0..LAYERS {
            if matches!(self.escapes[layer].state, State::Number(10 | 16) | State::Octal(2)) {
                found = found.or(self.decoded(layer, nonce, next, next));
            }
        }
        found
    }

    fn begin(&mut self, layer: usize, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        let state = match c {
            '&' => State::Entity,
            '\\' => State::Backslash,
            '%' => State::Percent,
            _ => return self.give(layer, c, nonce, at, next),
        };
        if !self.escapes[layer].has_unread_half() {
            self.escapes[layer].start = Some(at);
        }
        self.escapes[layer].enter(state);
        None
    }

    /// `&lt;`, `&lt` and what else may stand behind an ampersand.
    fn entity(&mut self, layer: usize, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        if c == '#' && self.escapes[layer].len == 0 {
            self.escapes[layer].push(b'#');
            self.escapes[layer].value = 0;
            self.escapes[layer].state = State::Number(0);
            return None;
        }
        if c == ';' {
            let name = self.escapes[layer].raw();
            if name.is_empty() && self.escapes[layer].semicolon {
                self.escapes[layer].semicolon = false;
                return None;
            }
            let meant = match name {
                b"tab" | b"nbsp" | b"ensp" | b"emsp" | b"thinsp" => Some(' '),
                b"newline" => Some('\n'),
                b"shy" | b"zwj" | b"zwnj" | b"lrm" | b"rlm" | b"nobreak" => Some('\u{200b}'),
                b"lowbar" | b"underbar" => Some('_'),
                b"hyphen" | b"dash" | b"minus" => Some('-'),
                b"lang" | b"langle" => Some('<'),
                b"rang" | b"rangle" => Some('>'),
                b"sol" => Some('/'),
                b"quot" => Some('"'),
                b"apos" => Some('\''),
                b"equals" => Some('='),
                _ => None,
            };
            if name == b"bsol" {
                self.escapes[layer].enter(State::Backslash);
                return None;
            }
            if name == b"percnt" {
                self.escapes[layer].enter(State::Percent);
                return None;
            }
            if let Some(c) = meant {
                self.escapes[layer].state = State::None;
                return self.give(layer, c, nonce, at, next);
            }
        }
        if c.is_ascii_alphanumeric() && self.escapes[layer].push(c.to_ascii_lowercase() as u8) {
            match self.escapes[layer].raw() {
                b"lt" => return self.entity_done(layer, b'<', nonce, at, next),
                b"gt" => return self.entity_done(layer, b'>', nonce, at, next),
                b"amp" => {
                    self.escapes[layer].enter(State::Entity);
                    // A semicolon may follow, and is no part of the next name.
                    self.escapes[layer].semicolon = true;
                }
                _ => {}
            }
            return None;
        }
        self.literally(layer, Some(b'&'), c, nonce, at, next)
    }

    fn entity_done(&mut self, layer: usize, letter: u8, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        self.escapes[layer].state = State::None;
        let found = self.give(layer, char::from(letter), nonce, at, next);
        self.escapes[layer].semicolon = true;
        found
    }

    /// `&#60;` and `&#x3c;`.
    fn number(&mut self, layer: usize, c: char, base: u32, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        if base == 0 {
            if matches!(c, 'x' | 'X') && self.escapes[layer].len == 1 {
                self.escapes[layer].push(b'x');
                return None;
            }
            let base = if self.escapes[layer].len == 2 { 16 } else { 10 };
            if c.is_digit(base) {
                self.escapes[layer].state = State::Number(base);
                return self.number(layer, c, base, nonce, at, next);
            }
            return self.literally(layer, Some(b'&'), c, nonce, at, next);
        }
        if let Some(digit) = c.to_digit(base) {
            let value = self.escapes[layer].value * base + digit;
            let is_padding = value == 0 || self.escapes[layer].push(c.to_ascii_lowercase() as u8);
            if value > 0x10_ffff || !is_padding {
                return self.literally(layer, Some(b'&'), c, nonce, at, next);
            }
            self.escapes[layer].value = value;
            return None;
        }
        let found = self.decoded(layer, nonce, at, next);
        // The semicolon may be missing; then the character is one of its own.
        let found_next = (c != ';').then(|| self.decode(layer, c, nonce, at, next)).flatten();
        found.or(found_next)
    }

    fn backslash(&mut self, layer: usize, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        let state = match c {
            // Escaped twice is escaped.
            '\\' => return None,
            'u' => State::Digits(4),
            'U' => State::Digits(8),
            'x' | 'X' => State::Digits(2),
            '0'..='7' => {
                self.escapes[layer].push(c as u8);
                self.escapes[layer].value = c as u32 - u32::from(b'0');
                self.escapes[layer].state = State::Octal(1);
                return None;
            }
            'n' => return self.leave(layer, '\n', nonce, at, next),
            // White space, or a letter behind a backslash.
            't' | 'r' => return self.leave(layer, perhaps(c), nonce, at, next),
            '&' | '%' => {
                self.escapes[layer].state = State::None;
                let start = self.escapes[layer].start;
                let found = self.begin(layer, c, nonce, at, next);
                self.escapes[layer].start = start;
                return found;
            }
            _ => return self.leave(layer, c, nonce, at, next),
        };
        self.escapes[layer].push(c.to_ascii_lowercase() as u8);
        self.escapes[layer].state = state;
        None
    }

    /// The digits of `\u003c`, `\u{3c}`, `\x3c` and `\074`.
    fn code(&mut self, layer: usize, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        match (self.escapes[layer].state, c) {
            (State::Digits(4 | 2), '{') if self.escapes[layer].len == 1 => {
                self.escapes[layer].push(b'{');
                self.escapes[layer].state = State::Braces;
                None
            }
            (State::Braces, '}') => self.decoded(layer, nonce, at, next),
            (State::Octal(read), '0'..='7') if read < 3 => {
                self.escapes[layer].push(c as u8);
                self.escapes[layer].value = self.escapes[layer].value * 8 + (c as u32 - u32::from(b'0'));
                self.escapes[layer].state = State::Octal(read + 1);
                if read + 1 == 3 {
                    self.decoded(layer, nonce, at, next)
                } else {
                    None
                }
            }
            (State::Octal(2), _) if self.escapes[layer].value >= 0o40 => {
                let found = self.decoded(layer, nonce, at, next);
                let found_next = self.decode(layer, c, nonce, at, next);
                found.or(found_next)
            }
            (State::Braces, _) if c.is_ascii_hexdigit() => {
                let value = self.escapes[layer].value * 16 + c.to_digit(16).unwrap_or(0);
                let is_padding = value == 0 || self.escapes[layer].push(c.to_ascii_lowercase() as u8);
                if value > 0x10_ffff || !is_padding {
                    return self.literally(layer, None, c, nonce, at, next);
                }
                self.escapes[layer].value = value;
                None
            }
            (State::Digits(left), _) if c.is_ascii_hexdigit() => {
                self.escapes[layer].push(c.to_ascii_lowercase() as u8);
                self.escapes[layer].value = (self.escapes[layer].value << 4) | c.to_digit(16).unwrap_or(0);
                self.escapes[layer].state = State::Digits(left - 1);
                if left > 1 {
                    return None;
                }
                if self.escapes[layer].raw().first() == Some(&b'x') {
                    return self.byte(layer, nonce, at, next);
                }
                self.decoded(layer, nonce, at, next)
            }
            _ => self.literally(layer, None, c, nonce, at, next),
        }
    }

    /// `%3C`, and `%u003C`.
    fn percent(&mut self, layer: usize, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        if matches!(c, 'u' | 'U') && self.escapes[layer].len == 0 {
            self.escapes[layer].push(b'u');
            self.escapes[layer].state = State::Digits(4);
            return None;
        }
        if c.is_ascii_hexdigit() {
            self.escapes[layer].push(c.to_ascii_lowercase() as u8);
            self.escapes[layer].value = self.escapes[layer].value * 16 + c.to_digit(16).unwrap_or(0);
            return if self.escapes[layer].len == 2 {
                self.byte(layer, nonce, at, next)
            } else {
                None
            };
        }
        self.literally(layer, Some(b'%'), c, nonce, at, next)
    }

    /// An escape that stands for a byte, alone or with those beside it.
    fn byte(&mut self, layer: usize, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        let byte = self.escapes[layer].value as u8;
        if byte.is_ascii() && self.escapes[layer].bytes.missing == 0 {
            return self.decoded(layer, nonce, at, next);
        }
        self.escapes[layer].state = State::None;
        match self.escapes[layer].bytes.push(byte) {
            Bytes::More => None,
            Bytes::Char(c) => {
                self.escapes[layer].value = c as u32;
                self.decoded(layer, nonce, at, next)
            }
            Bytes::Broken => self.give(layer, char::REPLACEMENT_CHARACTER, nonce, at, next),
        }
    }

    /// An escape that stands for a character, which may begin another escape.
    fn decoded(&mut self, layer: usize, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        self.escapes[layer].state = State::None;
        let value = self.escapes[layer].value;
        let c = match (value, self.escapes[layer].high) {
            (0xd800..=0xdbff, _) => {
                self.escapes[layer].high = value as u16;
                return None;
            }
            (0xdc00..=0xdfff, high) if high != 0 => {
                self.escapes[layer].high = 0;
                char::from_u32(0x1_0000 + ((u32::from(high) - 0xd800) << 10) + (value - 0xdc00))
            }
            _ => char::from_u32(value),
        };
        match c {
            Some('&') => self.escapes[layer].enter(State::Entity),
            Some('\\') => self.escapes[layer].enter(State::Backslash),
            Some('%') => self.escapes[layer].enter(State::Percent),
            Some(';') if self.escapes[layer].semicolon => {
                self.escapes[layer].semicolon = false;
                self.escapes[layer].start = None;
            }
            Some(c) => return self.give(layer, c, nonce, at, next),
            None => return self.give(layer, char::REPLACEMENT_CHARACTER, nonce, at, next),
        }
        None
    }

    fn leave(&mut self, layer: usize, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        self.escapes[layer].state = State::None;
        self.give(layer, c, nonce, at, next)
    }

    /// It was no escape: what has been read of it stands for itself.
    fn literally(
        &mut self,
        layer: usize,
        first: Option<u8>,
        c: char,
        nonce: &Nonce,
        at: u64,
        next: u64,
    ) -> Option<Found> {
        let escape = self.escapes[layer];
        self.escapes[layer].state = State::None;
        let start = escape.start.unwrap_or(at);
        let mut found = None;
        for byte in first.iter().chain(escape.raw()) {
            found = found.or(self.give(layer, char::from(*byte), nonce, start, at));
        }
        // `&amp` whose semicolon is still to come, in an escape of its own.
        self.escapes[layer].semicolon = escape.semicolon && escape.len == 0;
        let found_next = self.begin(layer, c, nonce, at, next);
        found.or(found_next)
    }

    /// A character of this layer: to the next one, and from the last to what is looked for.
    fn give(&mut self, layer: usize, c: char, nonce: &Nonce, at: u64, next: u64) -> Option<Found> {
        let escape = &mut self.escapes[layer];
        let start = escape.start.take().unwrap_or(at);
        escape.high = 0;
        escape.bytes.missing = 0;
        escape.semicolon = false;
        let sign = sign_of(c);
        let digits = self.count(layer + 1, sign, nonce, start, next);
        if layer + 1 < LAYERS {
            return self.decode(layer + 1, c, nonce, start, next).or(digits);
        }
        let tag_start = if self.tag.is_live() { self.tag.start } else { start };
        let tag = self.tag.step(sign, start).map(|found| Found {
            what: if found.closing {
                What::Closing(found.unfinished)
            } else {
                What::Opening
            },
            start: tag_start,
            end: next,
        });
        tag.or(digits)
    }
}

/// White space, or a letter behind a backslash: as the character that is read so.
fn perhaps(letter: char) -> char {
    char::from_u32(0xe_0000 + letter as u32).unwrap_or(letter)
}

/// An escape that is being read.
#[derive(Clone, Copy, Debug, Default)]
struct Escape {
    start: Option<u64>,
    state: State,
    value: u32,
    /// The first half of a character that is written in two.
    high: u16,
    /// The first bytes of a character that is written in several.
    bytes: Utf8,
    /// A semicolon that follows belongs to what was read.
    semicolon: bool,
    raw: [u8; 10],
    len: u8,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    None,
    Entity,
    /// To this base; 0 before the first digit.
    Number(u32),
    Backslash,
    Braces,
    /// So many digits are missing.
    Digits(u8),
    /// So many digits are read.
    Octal(u8),
    Percent,
}

impl Escape {
    fn is_idle(&self) -> bool {
        matches!(self.state, State::None) && !self.has_unread_half() && !self.semicolon
    }

    fn has_unread_half(&self) -> bool {
        self.bytes.missing > 0 || self.high != 0
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.value = 0;
        self.len = 0;
    }

    /// Says whether there was room.
    fn push(&mut self, byte: u8) -> bool {
        let Some(slot) = self.raw.get_mut(usize::from(self.len)) else {
            return false;
        };
        *slot = byte;
        self.len += 1;
        true
    }

    fn raw(&self) -> &[u8] {
        &self.raw[..usize::from(self.len)]
    }
}

/// Bytes that become a character.
#[derive(Clone, Copy, Debug, Default)]
struct Utf8 {
    code: u32,
    missing: u8,
}

enum Bytes {
    More,
    Char(char),
    Broken,
}

impl Utf8 {
    fn push(&mut self, byte: u8) -> Bytes {
        if self.missing > 0 {
            if byte & 0xc0 == 0x80 {
                self.code = (self.code << 6) | u32::from(byte & 0x3f);
                self.missing -= 1;
                return match self.missing {
                    0 => char::from_u32(self.code).map_or(Bytes::Broken, Bytes::Char),
                    _ => Bytes::More,
                };
            }
            // What was there is broken; this byte begins anew.
            self.missing = 0;
        }
        (self.code, self.missing) = match byte {
            0..=0x7f => return Bytes::Char(char::from(byte)),
            0xc2..=0xdf => (u32::from(byte & 0x1f), 1),
            0xe0..=0xef => (u32::from(byte & 0x0f), 2),
            0xf0..=0xf4 => (u32::from(byte & 0x07), 3),
            _ => return Bytes::Broken,
        };
        Bytes::More
    }
}
