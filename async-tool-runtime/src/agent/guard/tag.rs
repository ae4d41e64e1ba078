//! The tag of a frame, and the nonce by itself, in any spelling.

use super::likeness::Sign;

const NAME: &[u8; 12] = b"tool_results";
const SEPARATOR: u16 = 1 << 4;
const PLURAL: u16 = 1 << 11;
const WHOLE: u16 = 1 << 12;

/// So many hexadecimal digits behind a name that is nearly ours are a nonce; the real one has 32, and a time in a file name 19 at
/// most.
const DIGITS_OF_A_NONCE: u8 = 24;

/// So many letters of the name may be characters that look like nothing known.
const STRANGERS: u8 = 4;

/// So many words may stand in a tag that is not `a < tool_results and b > c`.
const WORDS: u8 = 3;

/// So many digits of the nonce give it away.
pub(super) const TELLING: usize = 16;

/// What is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagFound {
    pub(super) closing: bool,
    /// Found by its nonce, before its end.
    pub(super) unfinished: bool,
}

/// A tag that is being read. It follows every way to read what stands there at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tag {
    pub(super) start: u64,
    /// How many letters of the name may have been read: a set, bit by bit.
    strict: u16,
    /// The same for names that differ in a separator or in the plural, which need a nonce behind them.
    loose: u16,
    digits: u8,
    rest: Rest,
    closing: bool,
    /// There is white space before the name, as behind a comparison.
    spaced: bool,
    /// There is white space in the name, which no code has.
    spread: bool,
    strangers: u8,
    words: u8,
}

/// Where in the tag, behind its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rest {
    /// Not behind the name.
    #[default]
    None,
    Name,
    Suffix,
    Gap,
    /// Behind the end of a line, in what may be a comparison.
    NextLine,
    Word,
    WordGap,
    Equals,
    Value,
}

impl Tag {
    pub(super) fn is_live(&self) -> bool {
        self.strict != 0 || self.loose != 0 || self.rest != Rest::None
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether the text ends here within a tag whose name is complete.
    pub(super) fn is_cut_short(&self) -> bool {
        self.rest != Rest::None && (self.closing || self.spread || !self.spaced)
    }

    pub(super) fn step(&mut self, sign: Sign, at: u64) -> Option<TagFound> {
        if matches!(sign, Sign::Ascii(b'<') | Sign::Perhaps(b'<')) {
            *self = Self {
                start: at,
                strict: 1,
                loose: 1,
                ..Self::default()
            };
            return None;
        }
        // Marks of Markdown are not seen where it is rendered.
        if !self.is_live() || matches!(sign, Sign::Invisible | Sign::Ascii(b'*' | b'`' | b'\\')) {
            return None;
        }
        if self.end(sign) || self.count(sign) {
            let found = TagFound {
                closing: self.closing,
                unfinished: self.digits == DIGITS_OF_A_NONCE,
            };
            *self = Self::default();
            return Some(found);
        }
        self.spell(sign);
        None
    }

    /// The name.
    fn spell(&mut self, sign: Sign) {
        match sign {
            Sign::Space | Sign::Line => {
                self.spaced |= self.strict == 1;
                self.spread |= self.strict & (WHOLE - 2) != 0;
            }
            Sign::Ascii(b'/') | Sign::Perhaps(b'/') if self.strict == 1 => self.closing = true,
            Sign::Ascii(letter) => {
                self.strict = advance(self.strict, letter);
                let skipped = self.loose | ((self.loose & SEPARATOR) << 1) | ((self.loose & PLURAL) << 1);
                self.loose = if is_separator(letter) {
                    self.loose | ((self.loose & SEPARATOR) << 1)
                } else {
                    let behind = skipped & WHOLE;
                    advance(skipped, letter) | if letter.is_ascii_hexdigit() { behind } else { 0 }
                };
            }
            Sign::Perhaps(letter) => {
                self.strict |= advance(self.strict, letter);
                self.loose |= advance(self.loose, letter);
            }
            Sign::Other => {
                self.strangers = self.strangers.saturating_add(1);
                if self.strangers > STRANGERS {
                    self.strict = 0;
                    self.loose = 0;
                }
                self.strict |= (self.strict << 1) & (WHOLE | (WHOLE - 1));
                self.loose |= (self.loose << 1) & (WHOLE | (WHOLE - 1));
            }
            Sign::Invisible => {}
        }
        if self.strict & WHOLE != 0 {
            self.strict &= !WHOLE;
            self.rest = Rest::Name;
        }
    }

    /// The nonce behind a name that is nearly ours. Says whether it is one.
    fn count(&mut self, sign: Sign) -> bool {
        let skipped = self.loose | ((self.loose & PLURAL) << 1);
        match sign {
            Sign::Ascii(letter) | Sign::Perhaps(letter) if letter.is_ascii_hexdigit() && skipped & WHOLE != 0 => {
                self.digits += 1
            }
            Sign::Ascii(letter) if !is_separator(letter) => self.digits = 0,
            _ => {}
        }
        self.digits == DIGITS_OF_A_NONCE
    }

    /// What follows the name. Says whether the tag ends here.
    #[expect(clippy::match_same_arms, reason = "one row for each place in the tag, in order")]
    fn end(&mut self, sign: Sign) -> bool {
        if self.rest == Rest::None {
            return false;
        }
        let strange = self.closing || self.spread;
        let may_have_words = strange || !self.spaced;
        let has_few_words = strange || self.words <= WORDS;
        if matches!(sign, Sign::Ascii(b'>') | Sign::Perhaps(b'>')) {
            let ends = match self.rest {
                Rest::Name | Rest::Suffix | Rest::Gap | Rest::NextLine | Rest::Value => true,
                Rest::Word | Rest::WordGap => may_have_words,
                Rest::None | Rest::Equals => false,
            };
            self.rest = Rest::None;
            return ends;
        }
        let is_space = matches!(sign, Sign::Space | Sign::Line);
        let is_letter = match sign {
            Sign::Ascii(letter) => letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-' | b'.'),
            Sign::Other => true,
            _ => false,
        };
        self.rest = match (self.rest, sign) {
            (rest, Sign::Perhaps(_)) => rest,
            (Rest::Value, _) => Rest::Value,
            (Rest::Gap | Rest::NextLine, Sign::Line) if !may_have_words => Rest::NextLine,
            (Rest::Name | Rest::Suffix, Sign::Line) if !may_have_words => Rest::NextLine,
            (Rest::Name | Rest::Suffix | Rest::Gap, _) if is_space => Rest::Gap,
            (Rest::NextLine, Sign::Space) => Rest::NextLine,
            (Rest::Name | Rest::Suffix | Rest::Gap, Sign::Ascii(b'/')) => Rest::Gap,
            (Rest::Name, Sign::Ascii(b'_' | b'-') | Sign::Other) => Rest::Suffix,
            (Rest::Suffix, _) if is_letter => Rest::Suffix,
            (Rest::Gap, Sign::Ascii(b'_')) => Rest::Suffix,
            (Rest::Gap, _) if is_letter => self.next_word(has_few_words),
            (Rest::Word, _) if is_letter || sign == Sign::Ascii(b':') => Rest::Word,
            (Rest::Word | Rest::WordGap, Sign::Ascii(b'=')) => Rest::Equals,
            (Rest::Word | Rest::WordGap, Sign::Ascii(b'/')) => Rest::WordGap,
            (Rest::Word | Rest::WordGap, _) if is_space => Rest::WordGap,
            (Rest::WordGap, _) if is_letter && may_have_words => self.next_word(has_few_words),
            (Rest::Equals, Sign::Ascii(b'"' | b'\'') | Sign::Other) => Rest::Value,
            (Rest::Equals, _) if is_letter && may_have_words => Rest::Value,
            (Rest::Equals, _) if is_space => Rest::Equals,
            _ => Rest::None,
        };
        false
    }

    fn next_word(&mut self, is_allowed: bool) -> Rest {
        self.words = self.words.saturating_add(1);
        if is_allowed && (self.words <= WORDS || self.closing || self.spread) {
            Rest::Word
        } else {
            Rest::None
        }
    }
}

fn is_separator(letter: u8) -> bool {
    matches!(letter, b'_' | b'-' | b'.' | b':')
}

/// The name read one letter further.
fn advance(read: u16, letter: u8) -> u16 {
    let mut further = 0;
    for (index, expected) in NAME.iter().enumerate() {
        let is_it = match expected {
            b'l' => matches!(letter, b'l' | b'1' | b'i' | b'|'),
            b'o' => matches!(letter, b'o' | b'0'),
            expected => *expected == letter,
        };
        if is_it {
            further |= (read & (1 << index)) << 1;
        }
    }
    further
}

/// The session's nonce, as it is looked for.
#[derive(Debug, Default)]
pub(super) struct Nonce {
    digits: Box<[u8]>,
    /// How much of the nonce is still read where the next digit is another (Knuth, Morris and Pratt).
    fallback: Box<[u8]>,
}

impl Nonce {
    /// A nonce of fewer than [`TELLING`] letters and digits would be found in ordinary text, and isn't looked for.
    pub(super) fn new(nonce: &str) -> Self {
        let digits: Box<[u8]> = nonce
            .chars()
            .filter_map(|c| digit(super::likeness::sign_of(c)))
            .take(usize::from(u8::MAX))
            .collect();
        if digits.len() < TELLING {
            return Self::default();
        }
        let mut fallback = vec![0; digits.len() + 1].into_boxed_slice();
        let mut read = 0_usize;
        for index in 1..digits.len() {
            while read > 0 && digits[index] != digits[read] {
                read = usize::from(fallback[read]);
            }
            read += usize::from(digits[index] == digits[read]);
            fallback[index + 1] = read as u8;
        }
        Self { digits, fallback }
    }

    /// Whether a nonce can begin with the character.
    pub(super) fn begins_with(&self, byte: u8) -> bool {
        self.digits.first().copied() == digit(Sign::Ascii(byte.to_ascii_lowercase()))
    }
}

/// A digit that is compared: those that look the same are the same.
fn digit(sign: Sign) -> Option<u8> {
    match sign {
        Sign::Ascii(b'o') => Some(b'0'),
        Sign::Ascii(b'l' | b'i') => Some(b'1'),
        Sign::Ascii(letter) if letter.is_ascii_alphanumeric() => Some(letter),
        _ => None,
    }
}

/// How much of the nonce has been read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digits {
    pub(super) start: u64,
    /// Behind the last digit.
    pub(super) end: u64,
    pub(super) read: u8,
    gap: u8,
}

impl Digits {
    /// So many separators may stand between two digits.
    const GAP: u8 = 4;

    pub(super) fn is_telling(&self) -> bool {
        usize::from(self.read) >= TELLING
    }

    /// Gives what has been read once it is over, if it is enough to give the nonce away.
    pub(super) fn step(&mut self, sign: Sign, nonce: &Nonce, at: u64, next: u64) -> Option<(u64, u64)> {
        let sign = match sign {
            Sign::Perhaps(letter) if nonce.digits.get(usize::from(self.read)) == Some(&letter) => Sign::Ascii(letter),
            Sign::Perhaps(_) => Sign::Invisible,
            sign => sign,
        };
        let Some(digit) = digit(sign) else {
            if self.read > 0 && sign != Sign::Invisible {
                self.gap += 1;
                if self.gap > Self::GAP || sign == Sign::Other {
                    return self.give_up();
                }
            }
            return None;
        };
        if nonce.digits.is_empty() {
            return None;
        }
        if nonce.digits.get(usize::from(self.read)) != Some(&digit) && self.is_telling() {
            return self.give_up();
        }
        let mut read = usize::from(self.read);
        while read > 0 && nonce.digits.get(read) != Some(&digit) {
            read = usize::from(nonce.fallback[read]);
        }
        if nonce.digits[read] != digit {
            *self = Self::default();
            return None;
        }
        if self.read == 0 {
            self.start = at;
        }
        self.read = read as u8 + 1;
        self.end = next;
        self.gap = 0;
        if read + 1 == nonce.digits.len() {
            return self.give_up();
        }
        None
    }

    fn give_up(&mut self) -> Option<(u64, u64)> {
        let found = self.is_telling().then_some((self.start, self.end));
        *self = Self::default();
        found
    }
}
