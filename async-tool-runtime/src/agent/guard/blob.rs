//! Texts that stand in the text in Base64 or in hexadecimal digits.

use super::{
    reader::{Found, Reader},
    tag::Nonce,
};

/// How many texts may stand in the text: Base64 may begin at each of four places, hexadecimal digits at each of two.
const TEXTS: usize = 6;
const EVEN: usize = 4;
const ODD: usize = 5;

/// The characters that are being decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Runs {
    /// The last four characters of Base64, six bits each.
    bits: u32,
    /// How many there have been, as far as it matters.
    symbols: u8,
    /// Modulo 4.
    index: u8,
    nibble: u8,
    nibbles: u8,
}

/// What a character decodes to: bytes, each with the text that it belongs to.
#[derive(Clone, Copy, Debug, Default)]
struct Decoded {
    bytes: [(u8, u8); 5],
    len: usize,
    ends_base64: bool,
    ends_hex: bool,
}

impl Decoded {
    fn push(&mut self, text: usize, byte: u8) {
        self.bytes[self.len] = (text as u8, byte);
        self.len += 1;
    }
}

impl Runs {
    /// Takes in a character without noting it anywhere else, if nothing that matters comes of it.
    pub(super) fn pass(&mut self, byte: u8, matters: &[bool; 256]) -> bool {
        let mut runs = *self;
        let decoded = runs.take(char::from(byte));
        let passes = decoded.bytes[..decoded.len]
            .iter()
            .all(|(_, byte)| !matters[usize::from(*byte)]);
        if passes {
            *self = runs;
        }
        passes
    }

    fn take(&mut self, c: char) -> Decoded {
        let mut decoded = Decoded::default();
        match symbol(c) {
            Some(symbol) => {
                self.bits = (self.bits << 6) | symbol;
                self.index = (self.index + 1) & 3;
                self.symbols = self.symbols.saturating_add(1).min(2);
                if self.symbols == 2 {
                    // A text that begins at place n has read so many characters of its group of four.
                    let read = |place: u8| usize::from((self.index + 4 - place) & 3);
                    for place in 0..4_u8 {
                        match read(place) {
                            0 => decoded.push(usize::from(place), self.bits as u8),
                            2 => decoded.push(usize::from(place), (self.bits >> 4) as u8),
                            3 => decoded.push(usize::from(place), (self.bits >> 2) as u8),
                            _ => {}
                        }
                    }
                }
            }
            // Long texts are written in lines.
            None if c.is_ascii_whitespace() => {}
            None => {
                self.symbols = 0;
                decoded.ends_base64 = true;
            }
        }
        match c.to_digit(16) {
            Some(digit) => {
                if self.nibbles > 0 {
                    let text = if self.nibbles & 1 == 1 { EVEN } else { ODD };
                    decoded.push(text, (self.nibble << 4) | digit as u8);
                }
                self.nibble = digit as u8;
                self.nibbles = if self.nibbles == 2 { 1 } else { self.nibbles + 1 };
            }
            // `0x3c`, `\x3c`: the zero is none of the digits.
            None if matches!(c, 'x' | 'X') => self.nibbles = 0,
            // `3c 74`, `3c:74` and the like.
            None if c.is_ascii_whitespace() || matches!(c, ':' | ',' | '-' | ';' | '\\') => {}
            None => {
                self.nibbles = 0;
                decoded.ends_hex = true;
            }
        }
        decoded
    }
}

/// Readers of the texts that stand encoded in the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blobs {
    pub(super) runs: Runs,
    readers: [Reader; TEXTS],
    /// Which of them are reading something, bit by bit.
    active: u8,
}

impl Blobs {
    pub(super) fn of(runs: Runs) -> Self {
        Self {
            runs,
            ..Self::default()
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.active != 0
    }

    /// Those that are reading something.
    pub(super) fn readers(&self) -> impl Iterator<Item = &Reader> {
        let active = self.active;
        let readers = self.readers.iter().enumerate();
        readers.filter_map(move |(text, reader)| (active & (1 << text) != 0).then_some(reader))
    }

    /// What the end of the text makes of those that stand in it.
    pub(super) fn end(&mut self, nonce: &Nonce, at: u64) -> Option<Found> {
        let mut readers = self.readers.iter_mut();
        readers.find_map(|reader| reader.end(nonce, at))
    }

    pub(super) fn read(&mut self, c: char, nonce: &Nonce, matters: &[bool; 256], at: u64, next: u64) -> Option<Found> {
        let decoded = self.runs.take(c);
        let mut found = None;
        for (text, byte) in &decoded.bytes[..decoded.len] {
            let reader = &mut self.readers[usize::from(*text)];
            let bit = 1 << text;
            if matters[usize::from(*byte)] || self.active & bit != 0 {
                found = found.or(reader.read_byte(*byte, nonce, at, next));
                self.active = if reader.is_idle() {
                    self.active & !bit
                } else {
                    self.active | bit
                };
            }
        }
        let ended = match (decoded.ends_base64, decoded.ends_hex) {
            (true, true) => 0..TEXTS,
            (true, false) => 0..EVEN,
            (false, true) => EVEN..TEXTS,
            (false, false) => 0..0,
        };
        if self.active != 0 {
            for text in ended {
                if self.active & (1 << text) != 0 {
                    self.active &= !(1 << text);
                    found = found.or(self.readers[text].end(nonce, at));
                    self.readers[text] = Reader::default();
                }
            }
        }
        found
    }
}

/// Whether a text in Base64 or in hexadecimal digits can go on with the character.
pub(super) fn goes_on_with(c: char) -> bool {
    symbol(c).is_some() || c == '='
}

/// The six bits of a character of Base64, in its usual alphabet and in that for addresses.
fn symbol(c: char) -> Option<u32> {
    let code = u32::from(u8::try_from(c).ok()?);
    match c {
        'A'..='Z' => Some(code - 65),
        'a'..='z' => Some(code - 97 + 26),
        '0'..='9' => Some(code - 48 + 52),
        '+' | '-' => Some(62),
        '/' | '_' => Some(63),
        _ => None,
    }
}
