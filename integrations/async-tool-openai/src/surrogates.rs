//! JSON with escapes of lone surrogates, such as `\ud83d`.
//!
//! A server that cuts its text between two UTF-16 units sends half of a character in one event and the other half in
//! the next. `serde_json` refuses each half. Here, a half becomes a private *mark*, marks that meet become the
//! character, and a mark that stays alone becomes U+FFFD (Unicode 16, section 3.9).

use serde_json::Value;

/// First of the 2,048 private characters that stand for surrogates.
const FIRST_MARK: u32 = 0x10_f800;
const FIRST_SURROGATE: u32 = 0xd800;
const FIRST_LOW: u32 = 0xdc00;
const LAST_SURROGATE: u32 = 0xdfff;
/// Length of an escape, such as `\ud83d`.
const ESCAPE: usize = 6;

/// A parsed text.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) value: Value,
    /// True if strings of the value may hold marks.
    pub(crate) has_marks: bool,
}

/// Parses JSON, and marks lone surrogates.
pub(crate) fn parse(text: &str) -> serde_json::Result<Parsed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_json::from_str(text) {
        Ok(value) => Ok(Parsed {
            value,
            has_marks: false,
        }),
        Err(error) => match marked(text) {
            Some(text) => serde_json::from_str(&text).map(|value| Parsed { value, has_marks: true }),
            None => Err(error),
        },
    }
}

/// The text with a mark in place of each lone surrogate; `None` if there is none.
fn marked(text: &str) -> Option<String> {
    let mut marked = String::with_capacity(text.len());
    let mut rest = text;
    let mut has_marks = false;
    while let Some(place) = rest.find('\\') {
        marked.push_str(&rest[..place]);
        rest = &rest[place..];
        let (length, mark) = match escaped(rest) {
            Some(FIRST_SURROGATE..FIRST_LOW) if rest.get(ESCAPE..).and_then(escaped).is_some_and(is_low) => {
                (2 * ESCAPE, None)
            }
            Some(unit @ FIRST_SURROGATE..=LAST_SURROGATE) => {
                (ESCAPE, char::from_u32(FIRST_MARK + unit - FIRST_SURROGATE))
            }
            Some(_) => (ESCAPE, None),
            // The backslash and the character that it escapes.
            None => (rest.chars().take(2).map(char::len_utf8).sum(), None),
        };
        match mark {
            Some(mark) => marked.push(mark),
            None => marked.push_str(&rest[..length]),
        }
        has_marks |= mark.is_some();
        rest = &rest[length..];
    }
    marked.push_str(rest);
    has_marks.then_some(marked)
}

/// The UTF-16 unit of the escape at the beginning of this text.
fn escaped(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

const fn is_low(unit: u32) -> bool {
    FIRST_LOW <= unit && unit <= LAST_SURROGATE
}

/// Replaces all marks in the strings of a value.
pub(crate) fn resolve(value: &mut Value) {
    match value {
        Value::String(text) => *text = whole(text),
        Value::Array(values) => values.iter_mut().for_each(resolve),
        Value::Object(fields) => fields.values_mut().for_each(resolve),
        _ => {}
    }
}

/// The text without marks.
pub(crate) fn whole(text: &str) -> String {
    let mut joiner = Joiner::default();
    let mut joined = joiner.push(text);
    joined.push_str(joiner.finish());
    joined
}

/// Joins the halves of characters that come in different pieces of a text.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    high: Option<u32>,
}

impl Joiner {
    /// The piece without marks. A half at its end is kept until the next piece.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let mut joined = String::with_capacity(piece.len());
        for char in piece.chars() {
            let unit = u32::from(char)
                .checked_sub(FIRST_MARK)
                .map(|mark| FIRST_SURROGATE + mark);
            match (self.high.take(), unit) {
                (Some(high), Some(low)) if is_low(low) => {
                    let code = 0x1_0000 + ((high - FIRST_SURROGATE) << 10) + (low - FIRST_LOW);
                    joined.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                (high, unit) => {
                    if high.is_some() {
                        joined.push(char::REPLACEMENT_CHARACTER);
                    }
                    match unit {
                        Some(unit) if is_low(unit) => joined.push(char::REPLACEMENT_CHARACTER),
                        Some(unit) => self.high = Some(unit),
                        None => joined.push(char),
                    }
                }
            }
        }
        joined
    }

    /// The rest of the text, which is U+FFFD if a half was left.
    pub(crate) fn finish(&mut self) -> &'static str {
        self.high.take().map_or("", |_| "\u{fffd}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        let mut parsed = parse(text).unwrap();
        if parsed.has_marks {
            resolve(&mut parsed.value);
        }
        parsed.value
    }

    #[test]
    fn lone_surrogates_become_the_replacement_character_and_all_else_stays() {
        for (text, expected) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00 and \ud83d""#, "\u{fffd} and \u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
            (r#""\\ud83d\ud83d\n\u00e9""#, "\\ud83d\u{fffd}\né"),
            (r#""é\ud83d\"""#, "é\u{fffd}\""),
        ] {
            assert_eq!(read(text), json!(expected), "{text}");
        }
        assert_eq!(read("\u{feff}{\"a\": 1}"), json!({"a": 1}));
        for text in [r#""\ud83"#, r#""\"#, r#""\ud83d"#, r#""\uzzzz""#, "\"\\é\""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn halves_in_two_pieces_are_joined() {
        let piece = |text: &str| match parse(text).unwrap().value {
            Value::String(text) => text,
            other => panic!("{other}"),
        };
        let mut joiner = Joiner::default();
        let joined = [r#""so \ud83d""#, r#""\ude00 it""#, r#"" is \ud83d""#].map(|text| joiner.push(&piece(text)));
        assert_eq!(joined, ["so ", "😀 it", " is "]);
        assert_eq!((joiner.finish(), joiner.finish()), ("\u{fffd}", ""));
    }
}
