//! Escapes of half a character (surrogates), which some servers split over two frames.
//!
//! JSON writes a character outside of the basic plane as two escapes, such as `\ud83d\udc1d`. A server that cuts
//! its text after a count of units puts each into a frame of its own. Neither frame alone is text that Rust can
//! hold, so a lone half becomes a stand-in until its other half has come.

use serde_json::Value;

/// First of the 2,048 stand-ins, in a private plane. A text without halves never passes through this module.
const STAND_IN: u32 = 0x0010_F000;
const FIRST: u32 = 0xD800;
const LAST: u32 = 0xDFFF;

/// Parses JSON. A lone half in it becomes a stand-in, or U+FFFD where no other half can follow.
pub(crate) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match stand_in(text) {
        Some(text) => serde_json::from_str(&text),
        None => Err(error),
    }
}

/// Replaces each lone half by U+FFFD, in JSON text.
pub(crate) fn replace_halves(text: &str) -> Option<String> {
    stand_in(text).map(|text| join(&text))
}

/// Joins halves that stand beside each other; others become U+FFFD.
pub(crate) fn join(text: &str) -> String {
    if !text.chars().any(is_half) {
        return text.to_owned();
    }
    let mut joined = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let Some(high) = half(letter) else {
            joined.push(letter);
            continue;
        };
        let low = letters.peek().copied().and_then(half);
        match low.and_then(|low| pair(high, low)) {
            Some(whole) => {
                letters.next();
                joined.push(whole);
            }
            None => joined.push(char::REPLACEMENT_CHARACTER),
        }
    }
    joined
}

/// Joins the halves in all strings of a value.
pub(crate) fn join_all(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().any(is_half) => *text = join(text),
        Value::Array(items) => items.iter_mut().for_each(join_all),
        Value::Object(fields) => fields.values_mut().for_each(join_all),
        _ => {}
    }
}

/// Text that comes in pieces. Holds back the first half of a character at the end of a piece.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    held: Option<char>,
}

impl Pieces {
    /// The text that is complete with this piece.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let mut text: String = self.held.take().into_iter().collect();
        text.push_str(piece);
        if let Some(last) = text.chars().next_back().filter(|letter| is_half(*letter)) {
            text.truncate(text.len() - last.len_utf8());
            self.held = Some(last);
        }
        join(&text)
    }

    /// The rest at the end of the text.
    pub(crate) fn end(&mut self) -> Option<String> {
        self.held.take().map(|_| char::REPLACEMENT_CHARACTER.to_string())
    }
}

/// Replaces the escapes of lone halves by stand-ins; `None` if there are none.
fn stand_in(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_changed = false;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let Some(unit) = unit(escape) else {
            // Skips the escaped character, so that `\\ud83d` isn't taken for an escape.
            let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&escape[..length]);
            rest = &escape[length..];
            continue;
        };
        let follows = self::unit(&escape[6..]);
        if (FIRST..=LAST).contains(&unit) {
            if follows.and_then(|low| pair(unit, low)).is_some() {
                out.push_str(&escape[..12]);
                rest = &escape[12..];
                continue;
            }
            out.extend(char::from_u32(STAND_IN + unit - FIRST));
            is_changed = true;
        } else {
            out.push_str(&escape[..6]);
        }
        rest = &escape[6..];
    }
    out.push_str(rest);
    is_changed.then_some(out)
}

/// The unit of an escape `\uXXXX` at the beginning of the text.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

fn is_half(letter: char) -> bool {
    half(letter).is_some()
}

fn half(letter: char) -> Option<u32> {
    let place = u32::from(letter).checked_sub(STAND_IN)?;
    (place <= LAST - FIRST).then_some(place + FIRST)
}

fn pair(high: u32, low: u32) -> Option<char> {
    if !(0xD800..0xDC00).contains(&high) || !(0xDC00..0xE000).contains(&low) {
        return None;
    }
    char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn halves_of_two_frames_become_one_character_and_lone_ones_are_replaced() {
        let mut pieces = Pieces::default();
        let mut text = String::new();
        for frame in [r#"{"t":"a\ud83d"}"#, r#"{"t":"\udc1db\udc1d"}"#, r#"{"t":"c\ud83d"}"#] {
            text += &pieces.push(parse(frame).unwrap()["t"].as_str().unwrap());
        }
        text += &pieces.end().unwrap_or_default();
        assert_eq!(text, "a\u{1F41D}b\u{FFFD}c\u{FFFD}");
    }

    #[test]
    fn whole_characters_and_escaped_backslashes_stay() {
        for text in [r#""\ud83d\udc1d""#, r#""\\ud83d""#, r#""\u00e9\n\"""#] {
            assert_eq!(
                parse(text).unwrap(),
                serde_json::from_str::<Value>(text).unwrap(),
                "{text}"
            );
        }
        let mut mixed = parse(r#"{"a":["\ud83d\udc1d\udc1d","\\ud83d"]}"#).unwrap();
        join_all(&mut mixed);
        assert_eq!(mixed, json!({"a": ["\u{1F41D}\u{FFFD}", "\\ud83d"]}));
        assert_eq!(
            replace_halves(r#"{"a":"\ud83d"}"#).as_deref(),
            Some("{\"a\":\"\u{FFFD}\"}")
        );
        assert!(parse(r#"{"a":"\ud8"#).is_err());
    }
}
