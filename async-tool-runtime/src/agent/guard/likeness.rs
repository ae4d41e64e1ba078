//! What a reader takes a character for.

use std::sync::LazyLock;

/// What a reader, human or model, takes a character for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// An ASCII character, in lower case.
    Ascii(u8),
    /// This letter or nothing: characters that only models see, and escapes that can be read in two ways.
    Perhaps(u8),
    /// White space within a line.
    Space,
    /// The end of a line.
    Line,
    /// Something without width.
    Invisible,
    /// Anything else.
    Other,
}

/// The characters of `likeness.txt`, by code point: from, to, and what they are taken for.
static TABLE: LazyLock<Vec<(u32, u32, Sign)>> = LazyLock::new(|| {
    let mut table: Vec<_> = include_str!("likeness.txt").lines().flat_map(entries).collect();
    table.sort_unstable_by_key(|(from, ..)| *from);
    table
});

/// What the character is taken for.
pub(super) fn sign_of(c: char) -> Sign {
    match c {
        '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => Sign::Line,
        ' ' | '\t' | '\u{b}' | '\u{c}' => Sign::Space,
        _ if c.is_ascii_control() => Sign::Invisible,
        _ if c.is_ascii() => Sign::Ascii(c.to_ascii_lowercase() as u8),
        // Tag characters: ASCII that is drawn by nobody and read by models.
        '\u{e0020}'..='\u{e007e}' => Sign::Perhaps((c as u32 - 0xe0000) as u8).lower(),
        _ => look_up(c),
    }
}

fn look_up(c: char) -> Sign {
    let code = c as u32;
    let index = TABLE.partition_point(|(_, to, _)| *to < code);
    match TABLE.get(index) {
        Some((from, _, sign)) if *from <= code => *sign,
        _ if c.is_whitespace() => Sign::Space,
        _ => Sign::Other,
    }
}

/// `a 251 FF41` and `invisible AD 300-36F`.
fn entries(line: &str) -> impl Iterator<Item = (u32, u32, Sign)> {
    let (name, codes) = line.split_once(' ').unwrap_or_default();
    let sign = match name.as_bytes() {
        [b'#'] => None,
        [letter] => Some(Sign::Ascii(*letter)),
        _ => Some(Sign::Invisible),
    };
    let codes = sign.map(|sign| codes.split(' ').filter_map(move |range| entry(range, sign)));
    codes.into_iter().flatten()
}

fn entry(range: &str, sign: Sign) -> Option<(u32, u32, Sign)> {
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    Some((
        u32::from_str_radix(from, 16).ok()?,
        u32::from_str_radix(to, 16).ok()?,
        sign,
    ))
}

impl Sign {
    fn lower(self) -> Self {
        match self {
            Self::Perhaps(letter) => Self::Perhaps(letter.to_ascii_lowercase()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_table_is_read_and_none_is_there_twice() {
        let words = include_str!("likeness.txt")
            .lines()
            .filter(|line| !line.starts_with("# "))
            .map(|line| line.split(' ').count() - 1)
            .sum::<usize>();
        assert_eq!(TABLE.len(), words);
        for pair in TABLE.windows(2) {
            assert!(pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0, "{pair:x?}");
        }
    }

    #[test]
    fn a_likeness_is_taken_for_what_they_look_like() {
        for (text, letter) in [
            ("＜﹤‹⟨ᐸ", b'<'),
            ("ТτⓉ𝐭", b't'),
            ("оοｏ𝟎", b'o'),
            ("＿﹏", b'_'),
            ("ｅеé𝖾", b'e'),
        ] {
            for c in text.chars() {
                let sign = sign_of(c);
                let is_zero = letter == b'o' && sign == Sign::Ascii(b'0');
                assert!(sign == Sign::Ascii(letter) || is_zero, "{c}: {sign:?}");
            }
        }
        for c in "\u{200b}\u{200d}\u{202e}\u{301}\u{fe0f}\u{ad}".chars() {
            assert_eq!(sign_of(c), Sign::Invisible, "{c:?}");
        }
        for c in "日語жñ🎉→".chars().filter(|c| *c != 'ñ') {
            assert_eq!(sign_of(c), Sign::Other, "{c}");
        }
    }
}
