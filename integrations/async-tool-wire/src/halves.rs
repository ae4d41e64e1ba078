//! JSON with halves of characters, such as `\ud83d`.
//!
//! JSON writes a character outside of the basic plane as two escapes, such as `\ud83d\ude00`. A server that cuts its text after a count
//! of units sends half of a character in one event and the other half in the next. `serde_json` refuses each half.
//!
//! Here, a half becomes a *mark*, one of 2,048 private characters. Marks that meet become the character, and a mark that stays alone
//! becomes U+FFFD (Unicode 16, section 3.9). A real character from the range of the marks becomes the two marks of its halves. So no
//! text is changed that has no halves.
//!
//! ```
//! use async_tool_wire::halves;
//! use serde_json::json;
//!
//! let mut value = halves::parse(r#"{"whole": "\ud83d\ude00", "half": "\ud83d!"}"#)?;
//! halves::join_all(&mut value);
//! assert_eq!(value, json!({"whole": "😀", "half": "\u{fffd}!"}));
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde_json::{Map, Value};

/// First of the marks.
const FIRST_MARK: u32 = 0x0010_F800;
const FIRST: u32 = 0xD800;
const FIRST_LOW: u32 = 0xDC00;
const LAST: u32 = 0xDFFF;
/// First byte of each mark.
const MARK_BYTE: u8 = 0xF4;
/// Length of an escape, such as `\ud83d`.
const ESCAPE: usize = 6;

/// Parses JSON, and puts a mark in the place of each half of a character. A byte order mark before it is dropped.
///
/// Pass every text of the value through [`join`], [`join_all`] or [`Pieces`]: a mark is no text to show.
///
/// # Errors
///
/// The text is no JSON.
pub fn parse(text: &str) -> serde_json::Result<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_marked(text) {
        return serde_json::from_str(&marked(text).unwrap_or_default());
    }
    serde_json::from_str(text).or_else(|error| match marked(text) {
        Some(text) => serde_json::from_str(&text),
        None => Err(error),
    })
}

/// Replaces each lone half by U+FFFD, in JSON text; `None` if there is nothing to replace.
///
/// ```
/// use async_tool_wire::halves;
///
/// assert_eq!(halves::replace(r#"{"a": "\ud83d"}"#).as_deref(), Some("{\"a\": \"\u{fffd}\"}"));
/// assert_eq!(halves::replace(r#"{"a": "\ud83d\ude00"}"#), None);
/// ```
#[must_use]
pub fn replace(text: &str) -> Option<String> {
    marked(text).map(|text| join(&text))
}

/// Joins marks that stand beside each other; others become U+FFFD.
#[must_use]
pub fn join(text: &str) -> String {
    let mut pieces = Pieces::default();
    let mut joined = pieces.push(text);
    joined.push_str(pieces.end());
    joined
}

/// Joins the marks in all texts and keys of a value.
pub fn join_all(value: &mut Value) {
    match value {
        Value::String(text) if has_marks(text) => *text = join(text),
        Value::Array(items) => items.iter_mut().for_each(join_all),
        Value::Object(fields) => {
            if fields.keys().any(|key| has_marks(key)) {
                let joined: Map<String, Value> = std::mem::take(fields)
                    .into_iter()
                    .map(|(key, value)| (join(&key), value))
                    .collect();
                *fields = joined;
            }
            fields.values_mut().for_each(join_all);
        }
        _ => {}
    }
}

/// Text that comes in pieces. Keeps the first half of a character at the end of a piece until the next one.
#[derive(Debug, Default)]
pub struct Pieces {
    high: Option<u32>,
}

impl Pieces {
    /// The text that is complete with this piece.
    #[must_use]
    pub fn push(&mut self, piece: &str) -> String {
        if self.high.is_none() && !has_marks(piece) {
            return piece.to_owned();
        }
        let mut joined = String::with_capacity(piece.len());
        for letter in piece.chars() {
            match (self.high.take(), half(letter)) {
                (Some(high), Some(low)) if is_low(low) => joined.push(whole(high, low)),
                (high, unit) => {
                    joined.extend(high.map(|_| char::REPLACEMENT_CHARACTER));
                    match unit {
                        Some(unit) if is_low(unit) => joined.push(char::REPLACEMENT_CHARACTER),
                        Some(unit) => self.high = Some(unit),
                        None => joined.push(letter),
                    }
                }
            }
        }
        joined
    }

    /// The rest of the text: U+FFFD if a half was left.
    #[must_use]
    pub fn end(&mut self) -> &'static str {
        self.high.take().map_or("", |_| "\u{fffd}")
    }
}

/// True if the text holds a character from the range of the marks, as itself or in escapes.
fn is_marked(text: &str) -> bool {
    has_marks(text)
        || text.match_indices("\\u").any(|(at, _)| {
            let unit = escaped(&text[at..]);
            unit.is_some_and(|unit| (0xDBFE..FIRST_LOW).contains(&unit))
        })
}

/// JSON text with marks in place of lone halves, and of characters from the range of the marks; `None` if there are none.
fn marked(text: &str) -> Option<String> {
    let mut marked = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_changed = false;
    while let Some(letter) = rest.chars().next() {
        if letter != '\\' {
            let length = rest.find('\\').unwrap_or(rest.len());
            for letter in rest[..length].chars() {
                is_changed |= push(&mut marked, letter);
            }
            rest = &rest[length..];
            continue;
        }
        let second = rest.get(ESCAPE..).and_then(escaped);
        let length = match (escaped(rest), second) {
            (Some(high @ FIRST..FIRST_LOW), Some(low @ FIRST_LOW..=LAST)) => {
                let letter = whole(high, low);
                if half(letter).is_some() {
                    is_changed |= push(&mut marked, letter);
                } else {
                    marked.push_str(&rest[..2 * ESCAPE]);
                }
                2 * ESCAPE
            }
            (Some(unit @ FIRST..=LAST), _) => {
                marked.push(mark(unit));
                is_changed = true;
                ESCAPE
            }
            (unit, _) => {
                // Without a unit, the backslash and the letter that it escapes.
                let pair = || rest.chars().take(2).map(char::len_utf8).sum();
                let length = unit.map_or_else(pair, |_| ESCAPE);
                marked.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[length..];
    }
    is_changed.then_some(marked)
}

/// Adds a letter, or its two marks; true then.
fn push(marked: &mut String, letter: char) -> bool {
    if half(letter).is_none() {
        marked.push(letter);
        return false;
    }
    let mut units = [0; 2];
    let units = letter.encode_utf16(&mut units);
    marked.extend(units.iter().map(|unit| mark(u32::from(*unit))));
    true
}

/// The UTF-16 unit of the escape at the beginning of the text.
fn escaped(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

fn mark(unit: u32) -> char {
    char::from_u32(FIRST_MARK + unit - FIRST).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The half that a mark stands for.
fn half(letter: char) -> Option<u32> {
    Some(FIRST + u32::from(letter).checked_sub(FIRST_MARK)?)
}

fn has_marks(text: &str) -> bool {
    text.as_bytes().contains(&MARK_BYTE) && text.chars().any(|letter| half(letter).is_some())
}

const fn is_low(unit: u32) -> bool {
    unit >= FIRST_LOW
}

fn whole(high: u32, low: u32) -> char {
    let code = 0x1_0000 + ((high - FIRST) << 10) + (low - FIRST_LOW);
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        let mut value = parse(text).unwrap();
        join_all(&mut value);
        value
    }

    #[test]
    fn lone_halves_become_the_replacement_character_and_all_else_stays() {
        for (text, expected) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\ude00 and \ud83d""#, "\u{fffd} and \u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
            (r#""\\ud83d\ud83d\n\u00e9""#, "\\ud83d\u{fffd}\né"),
            (r#""\\\\ud83d""#, "\\\\ud83d"),
            (r#""é\ud83d\"""#, "é\u{fffd}\""),
            // Real characters from the range of the marks, alone and beside a half.
            ("\"\u{10F800}\u{10FFFF}\"", "\u{10F800}\u{10FFFF}"),
            (r#""\udbfe\udc00\uDBFF\uDFFF""#, "\u{10F800}\u{10FFFF}"),
            ("\"\u{10F8AA}\\ud83d\u{10FC00}\"", "\u{10F8AA}\u{fffd}\u{10FC00}"),
            (r#""\udbfe\ud83d\ude00""#, "\u{fffd}😀"),
        ] {
            assert_eq!(read(text), json!(expected), "{text}");
        }
        assert_eq!(read("\u{feff}{\"a\": 1}"), json!({"a": 1}));
        assert_eq!(read(r#"{"\ud83d": ["\ud83d"]}"#), json!({"\u{fffd}": ["\u{fffd}"]}));
        for text in [
            r#""\ud83"#,
            r#""\"#,
            r#""\ud83d"#,
            r#""\uzzzz""#,
            "\"\\é\"",
            "\"\u{10F800}",
            r#""\u"#,
            "",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn halves_in_two_pieces_are_joined() {
        let piece = |text: &str| match parse(text).unwrap() {
            Value::String(text) => text,
            other => panic!("{other}"),
        };
        let mut pieces = Pieces::default();
        let joined = [r#""so \ud83d""#, r#""\ude00 it""#, r#"" is \ud83d""#].map(|text| pieces.push(&piece(text)));
        assert_eq!(joined, ["so ", "😀 it", " is "]);
        assert_eq!((pieces.end(), pieces.end()), ("\u{fffd}", ""));
        // A half before a real character from the range of the marks.
        let mut pieces = Pieces::default();
        let joined = [r#""a\ud83d""#, "\"\u{10FFFF}b\"", r#""\udc00""#].map(|text| pieces.push(&piece(text)));
        assert_eq!(joined, ["a", "\u{fffd}\u{10FFFF}b", "\u{fffd}"]);
    }

    /// The text as JSON, with escapes for everything outside of ASCII.
    fn escape(units: &[u16]) -> String {
        let letters = units.iter().map(|unit| format!("\\u{unit:04x}"));
        format!("\"{}\"", letters.collect::<String>())
    }

    proptest! {
        #[test]
        fn texts_are_what_utf_16_says_however_they_are_cut(
            units in proptest::collection::vec(prop_oneof![0x20..0x7f_u16, 0xd83d..0xd83f_u16, 0xdbfe..0xdc02_u16, 0xdffe..=0xffff_u16], 0..12),
            cut in 0..12_usize,
        ) {
            let expected = json!(String::from_utf16_lossy(&units));
            prop_assert_eq!(&read(&escape(&units)), &expected);
            let (one, other) = units.split_at(cut.min(units.len()));
            let mut pieces = Pieces::default();
            let mut joined = String::new();
            for units in [one, other] {
                joined += &pieces.push(parse(&escape(units)).unwrap().as_str().unwrap());
            }
            joined += pieces.end();
            prop_assert_eq!(&json!(joined), &expected);
            // The text as it is, not in escapes.
            prop_assert_eq!(read(&expected.to_string()), expected);
        }
    }
}
