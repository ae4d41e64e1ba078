//! Search for the session's nonce in plain text.

use super::cut::{Found, FrameCut};
use crate::context::likeness::{STRANGE, UNSEEN};

/// Number of digits of a nonce that is searched for. A shorter one also occurs in ordinary words.
const SHORTEST: usize = 16;

/// Number of digits that give the nonce away: the rest could be guessed.
const TELLING: usize = 12;

/// Most separators between two digits.
const GAP: u8 = 4;

/// Digits of the nonce, normalized for comparison.
#[derive(Clone)]
pub(super) struct Nonce(Box<[char]>);

impl Nonce {
    /// Nonce to search for. One that is too short also occurs in ordinary words, so it is not searched for.
    pub(super) fn new(nonce: &str) -> Self {
        let digits: Box<[char]> = nonce.chars().filter_map(digit).collect();
        Self(if digits.len() < SHORTEST {
            Box::default()
        } else {
            digits
        })
    }

    pub(super) fn begins_with(&self, c: char) -> bool {
        self.0.first().is_some_and(|first| digit(c) == Some(*first))
    }

    /// Number of matching digits after `next`, with `read` matching digits before. A failed match may contain the start
    /// of the next one.
    fn read_with(&self, read: usize, next: char) -> usize {
        let is_match = |len: &usize| self.0[len - 1] == next && self.0[..len - 1] == self.0[read + 1 - len..read];
        (1..=read + 1).rev().find(is_match).unwrap_or(0)
    }
}

/// Normalized digit: digits that look alike are equal.
fn digit(c: char) -> Option<char> {
    match c.to_ascii_lowercase() {
        'o' => Some('0'),
        'l' | 'i' => Some('1'),
        c => c.is_ascii_alphanumeric().then_some(c),
    }
}

/// Part of the nonce that has been read. Lengths are in bytes, up to the last character read.
#[derive(Clone, Copy, Default)]
pub(super) struct Digits {
    /// Length from the first digit.
    pub(super) len: usize,
    /// Length from the last digit.
    behind: usize,
    read: usize,
    gap: u8,
}

impl Digits {
    /// Digits, if they are enough to give the nonce away.
    pub(super) fn telling(&self) -> Option<Found> {
        let (kind, start, end) = (FrameCut::Nonce, self.len, self.behind);
        (self.read >= TELLING).then_some(Found { kind, start, end })
    }

    /// Reads the next character, which looks like `c` and has `size` bytes. Returns the digits once they have ended and
    /// give the nonce away.
    pub(super) fn read(&mut self, c: char, size: usize, nonce: &Nonce) -> Option<Found> {
        self.len += size;
        self.behind += size;
        let next = digit(c).filter(|_| !nonce.0.is_empty());
        let goes_on = match next {
            Some(digit) => self.read < TELLING || nonce.0[self.read] == digit,
            None => {
                self.gap += u8::from(c != UNSEEN);
                self.gap <= GAP && c != STRANGE
            }
        };
        let read = match next {
            Some(digit) if goes_on => nonce.read_with(self.read, digit),
            _ => self.read,
        };
        if read == 0 || !goes_on {
            return std::mem::take(self).telling();
        }
        if next.is_some() {
            let len = if read == 1 { size } else { self.len };
            (self.len, self.behind, self.read, self.gap) = (len, 0, read, 0);
        }
        if read == nonce.0.len() {
            return std::mem::take(self).telling();
        }
        None
    }
}
