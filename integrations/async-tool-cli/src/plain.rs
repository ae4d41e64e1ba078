//! Foreign text, made safe for a terminal.

use std::fmt::{self, Write as _};

/// Text with escaped control and direction characters, because tools and models may write any text. A line break becomes `\n`.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                letter if is_unsafe(letter) => write!(f, "{}", letter.escape_unicode())?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// JSON with escaped control and direction characters, which JSON itself escapes only in part. The values stay the same.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            // Characters below the space are between the tokens of JSON, where an escape has no meaning.
            if letter < ' ' {
                f.write_char(' ')?;
            } else if is_unsafe(letter) {
                // Above U+FFFF, JSON takes a surrogate pair.
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            } else {
                f.write_char(letter)?;
            }
        }
        Ok(())
    }
}

/// True for controls (C0, C1 and delete), and for invisible characters that change the display: marks and overrides of
/// direction, line separators, and tags.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The beginning of a text, made safe.
pub(crate) struct Short<'a> {
    text: &'a str,
    limit: usize,
}

impl<'a> Short<'a> {
    /// Shows at most `limit` characters.
    pub(crate) const fn new(text: &'a str, limit: usize) -> Self {
        Self { text, limit }
    }
}

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.char_indices().nth(self.limit) {
            None => Plain(self.text).fmt(f),
            Some((end, _)) => {
                let rest = self.text[end..].chars().count();
                write!(f, "{}… ({rest} more characters, see --all)", Plain(&self.text[..end]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        let all: String = (0..=0x2_ffff)
            .chain(0xe_0000..=0xe_007f)
            .filter_map(char::from_u32)
            .collect();
        let plain = Plain(&all).to_string();
        assert!(!plain.contains(is_unsafe));
        assert_eq!(Plain("a\u{1b}[31m\n\u{202e}é").to_string(), "a\\u{1b}[31m\\n\\u{202e}é");
    }

    #[test]
    fn escaped_json_has_the_same_value_and_drives_no_terminal() {
        let all: String = (0..=0x2_ffff)
            .chain(0xe_0000..=0xe_007f)
            .filter_map(char::from_u32)
            .collect();
        let json = format!("{{\t\"all\":\r\n{}}}", serde_json::to_string(&all).unwrap());
        let escaped = Escaped(&json).to_string();
        assert!(!escaped.contains(is_unsafe));
        let value: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(value["all"], all);
        assert_eq!(
            Escaped("\"\u{9b}\u{e0001}é\"").to_string(),
            "\"\\u009b\\udb40\\udc01é\""
        );
    }

    #[test]
    fn a_long_text_says_how_much_is_left() {
        assert_eq!(Short::new("äbc", 3).to_string(), "äbc");
        assert_eq!(Short::new("äbcd", 3).to_string(), "äbc… (1 more characters, see --all)");
    }
}
