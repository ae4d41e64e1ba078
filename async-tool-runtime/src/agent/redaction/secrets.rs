//! Search for the secrets of a session in texts.
//!
//! Texts are compared by their outlines: without backslashes, and with escapes decoded. So a secret is found in plain
//! text, in JSON, in JSON within JSON, in a frame, and in Rust's `{:?}` output. No list of such forms is needed.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use serde_json::{Map, Value};

use super::REDACTED;

/// Shortest secret that is searched for, in characters. A shorter one occurs by chance.
const SHORTEST: usize = 6;
/// Number of outline units that index the secrets.
const HEAD: usize = 4;
/// Marks of truncated text.
const CUTS: [&str; 3] = ["…", " […]", "[…]"];

/// Secrets of a session that are searched for in texts.
#[derive(Default)]
pub(super) struct Secrets {
    known: HashSet<String>,
    /// Outlines of the secrets by their first units, so that one pass over a text finds any number of secrets.
    outlines: HashMap<[u16; HEAD], Vec<Box<[u16]>>>,
}

impl Secrets {
    /// Remembers all texts and numbers in a value, and in JSON within its texts. Names of fields are not secrets.
    pub(super) fn remember(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.add(&number.to_string()),
            Value::String(text) => {
                self.add(text);
                if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                    self.remember(&inner);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.remember(item)),
            // A future is a reference to the secret, and not the secret.
            Value::Object(fields) if fields.contains_key("$task") => {}
            Value::Object(fields) => fields.values().for_each(|field| self.remember(field)),
        }
    }

    fn add(&mut self, text: &str) {
        let text = text.trim();
        if text.chars().count() < SHORTEST || text == REDACTED || !self.known.insert(text.to_owned()) {
            return;
        }
        let Outline { units, .. } = Outline::of(text);
        if let Some(head) = units.first_chunk() {
            self.outlines.entry(*head).or_default().push(units.into());
        }
    }

    pub(super) fn are_none(&self) -> bool {
        self.known.is_empty()
    }

    /// Text without the secrets; `None` if it holds none.
    pub(super) fn cleaned(&self, text: &str) -> Option<String> {
        if self.are_none() {
            return None;
        }
        let mut cleaned = String::new();
        let mut end = 0;
        for found in self.find(text) {
            cleaned.push_str(&text[end..found.start]);
            cleaned.push_str(REDACTED);
            end = found.end;
        }
        if end == 0 {
            return None;
        }
        cleaned.push_str(&text[end..]);
        Some(cleaned)
    }

    /// Ranges of secrets, from left to right; overlapping ones are merged.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let Outline { units, places } = Outline::of(text);
        let mut found: Vec<Range<usize>> = Vec::new();
        for (start, window) in units.windows(HEAD).enumerate() {
            let candidates = window.first_chunk().and_then(|head| self.outlines.get(head));
            let lengths = candidates.into_iter().flatten().filter_map(|secret| {
                let same = units[start..]
                    .iter()
                    .zip(secret)
                    .take_while(|(one, other)| one == other);
                let same = same.count();
                let end = places[start + same - 1].end;
                let is_cut = || text[end..].is_empty() || CUTS.iter().any(|cut| text[end..].starts_with(cut));
                (same == secret.len() || (same >= SHORTEST && is_cut())).then_some(same)
            });
            let Some(length) = lengths.max() else { continue };
            let place = places[start].start..places[start + length - 1].end;
            match found.last_mut().filter(|last| last.end >= place.start) {
                Some(last) => last.end = last.end.max(place.end),
                None => found.push(place),
            }
        }
        found
    }

    /// Value without the secrets; `None` if it holds none.
    pub(super) fn cleaned_value(&self, value: &Value) -> Option<Value> {
        if self.are_none() {
            return None;
        }
        match value {
            Value::Null | Value::Bool(_) => None,
            Value::Number(number) => {
                let is_known = self.known.contains(&number.to_string());
                is_known.then(|| REDACTED.into())
            }
            Value::String(text) => self.cleaned(text).map(Value::String),
            Value::Array(items) => {
                let cleaned: Vec<Option<Value>> = items.iter().map(|item| self.cleaned_value(item)).collect();
                if cleaned.iter().all(Option::is_none) {
                    return None;
                }
                let items = items.iter().zip(cleaned);
                Some(
                    items
                        .map(|(item, cleaned)| cleaned.unwrap_or_else(|| item.clone()))
                        .collect(),
                )
            }
            Value::Object(fields) => {
                let mut is_changed = false;
                let mut cleaned = Map::new();
                for (name, field) in fields {
                    let (new_name, new_field) = (self.cleaned(name), self.cleaned_value(field));
                    is_changed |= new_name.is_some() || new_field.is_some();
                    cleaned.insert(
                        new_name.unwrap_or_else(|| name.clone()),
                        new_field.unwrap_or_else(|| field.clone()),
                    );
                }
                is_changed.then_some(Value::Object(cleaned))
            }
        }
    }
}

/// Text without backslashes and with escapes decoded. A line break and the letter of its escape are equal, because the
/// number of escapings is unknown.
struct Outline {
    /// UTF-16, the unit of `\u` escapes.
    units: Vec<u16>,
    /// Position of each unit in the text.
    places: Vec<Range<usize>>,
}

impl Outline {
    fn of(text: &str) -> Self {
        let mut outline = Self {
            units: Vec::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
        };
        let mut buffer = [0; 2];
        let mut rest = text;
        while !rest.is_empty() {
            let start = text.len() - rest.len();
            let letters = rest.trim_start_matches('\\');
            let is_escaped = letters.len() < rest.len();
            let escape = if is_escaped {
                unicode_escape(letters, &mut buffer)
            } else {
                None
            };
            let (units, length) = match (escape, letters.chars().next()) {
                (Some(escape), _) => escape,
                (None, Some(letter)) => {
                    let units: &[u16] = short_escape(letter).encode_utf16(&mut buffer);
                    (units.len(), letter.len_utf8())
                }
                (None, None) => break,
            };
            rest = &letters[length..];
            let place = start..text.len() - rest.len();
            for unit in &buffer[..units] {
                outline.units.push(*unit);
                outline.places.push(place.clone());
            }
        }
        outline
    }
}

/// Letter of the short escape of a character; other characters stand for themselves.
const fn short_escape(letter: char) -> char {
    match letter {
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\0' => '0',
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        other => other,
    }
}

/// Decodes `u202e` (JSON) or `u{202e}` (Rust) into `buffer`. Returns the number of units, and the number of bytes read.
fn unicode_escape(text: &str, buffer: &mut [u16; 2]) -> Option<(usize, usize)> {
    let rest = text.strip_prefix('u')?;
    if let Some(rest) = rest.strip_prefix('{') {
        let (digits, _) = rest.split_once('}')?;
        let letter = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
        let units: &[u16] = short_escape(letter).encode_utf16(buffer);
        return Some((units.len(), "u{}".len() + digits.len()));
    }
    let digits = rest
        .get(..4)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    buffer[0] = char::from_u32(unit.into()).map_or(unit, |letter| short_escape(letter) as u16);
    Some((1, "u".len() + digits.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::context::frames;

    fn secrets(values: &[Value]) -> Secrets {
        let mut secrets = Secrets::default();
        values.iter().for_each(|value| secrets.remember(value));
        secrets
    }

    #[test]
    fn a_secret_is_found_in_every_form_that_it_is_written_in() {
        let hostile = "a\"b\\c<d>\u{202e}é🦀\n\t\u{1}\\new\\u0041";
        let secrets =
            secrets(&[json!({"deep": [hostile, " padded secret\n", 12_345_678, r#"{"inner": "json text"}"#]})]);
        let once = json!({"x": hostile}).to_string();
        let twice = json!({"x": once}).to_string();
        for text in [
            format!("it is {hostile}."),
            once.clone(),
            twice.clone(),
            frames::escape(once.clone()),
            frames::escape(twice),
            format!("{hostile:?}"),
            format!("{once:?}"),
            format!("{:?}", format!("{hostile:?}")),
            json!(format!("{hostile:?}")).to_string(),
            "padded secret".to_owned(),
            "12345678".to_owned(),
            "the json text".to_owned(),
        ] {
            let cleaned = secrets.cleaned(&text).unwrap();
            assert!(cleaned.contains(REDACTED), "{text} became {cleaned}");
            assert!(!cleaned.contains("c<d") && !cleaned.contains("c\\u003cd"), "{cleaned}");
        }
        assert_eq!(secrets.cleaned("12345 and padded json"), None);
    }

    #[test]
    fn what_is_short_or_no_value_is_not_remembered() {
        let secrets = secrets(&[
            json!({"a_long_name": ["short", 12_345, true, null, REDACTED, {"$task": "t1", "pointer": "/a/long/one"}]}),
        ]);
        assert_eq!(
            secrets.cleaned("a_long_name short 12345 true null [redacted] /a/long/one"),
            None
        );
    }

    #[test]
    fn a_beginning_counts_where_a_text_was_cut() {
        let secrets = secrets(&[json!("correct horse battery")]);
        for (text, cleaned) in [
            ("got \"correct hor…\", and", Some("got \"[redacted]…\", and")),
            ("failed: correct […]", Some("failed: [redacted][…]")),
            ("correct ho", Some("[redacted]")),
            ("corre…", None),
            ("correct hour", None),
            ("correct horses eat…", None),
        ] {
            assert_eq!(secrets.cleaned(text).as_deref(), cleaned, "{text}");
        }
    }

    #[test]
    fn values_are_cleaned_with_their_names_and_numbers() {
        let secrets = secrets(&[json!("hunter22"), json!(987_654_321)]);
        let value = json!({"by hunter22": [987_654_321, {"x": "hunter22!"}], "y": 5});
        let cleaned = json!({"by [redacted]": [REDACTED, {"x": "[redacted]!"}], "y": 5});
        assert_eq!(secrets.cleaned_value(&value), Some(cleaned.clone()));
        assert_eq!(secrets.cleaned_value(&cleaned), None);
    }

    #[test]
    fn the_longer_of_two_secrets_is_taken_out_whole() {
        let secrets = secrets(&[json!("secret"), json!("secret of secrets")]);
        assert_eq!(secrets.cleaned("a secret of secrets").as_deref(), Some("a [redacted]"));
    }

    #[test]
    fn secrets_that_overlap_are_taken_out_whole() {
        let secrets = secrets(&[json!("abcdefgh"), json!("fghijklmn")]);
        assert_eq!(secrets.cleaned("xabcdefghijklmn!").as_deref(), Some("x[redacted]!"));
        assert_eq!(secrets.cleaned("abcdefghabcdefgh.").as_deref(), Some("[redacted]."));
    }
}
