//! The beginning of a result that is too large for the model.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The beginning of a result that is larger than the model is to be given at once. The record keeps the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResultPreview {
    /// The beginning, cut between two characters: of the text if the value is a string or the task has failed, else of the value's
    /// compact JSON.
    pub text: String,
    /// Size of the whole, in bytes of JSON.
    pub bytes: usize,
    /// Name of the whole for the model: the task's number, such as `t3`, or its id if it has none.
    pub handle: String,
}

impl ResultPreview {
    /// The instruction that goes with every preview.
    pub const NOTE: &'static str = "This is only the beginning of the result, which is too large to be shown. The whole is kept under the handle. \
         Do not guess or invent the rest.";

    /// The beginning of `value`, if its JSON has more than `limit` bytes.
    pub(crate) fn of_value(value: &Value, limit: usize, handle: impl FnOnce() -> String) -> Option<Self> {
        if let Value::String(text) = value {
            return Self::of_text(text, limit, handle);
        }
        // Most results are small: they are counted and not copied.
        let mut size = Size(0);
        write_json(value, &mut size);
        let Size(bytes) = size;
        (bytes > limit).then(|| {
            let mut head = Head {
                bytes: Vec::new(),
                room: limit,
            };
            write_json(value, &mut head);
            let text = head.bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
            Self {
                text: text.to_owned(),
                bytes,
                handle: handle(),
            }
        })
    }

    /// The beginning of `text`, if it has more than `limit` bytes as a JSON string. What is shown fits in the limit as JSON, so it is
    /// never the whole.
    pub(super) fn of_text(text: &str, limit: usize, handle: impl FnOnce() -> String) -> Option<Self> {
        let quotes = 2;
        let (mut bytes, mut end) = (quotes, 0);
        for (at, letter) in text.char_indices() {
            bytes += width(letter);
            if bytes <= limit {
                end = at + letter.len_utf8();
            }
        }
        (bytes > limit).then(|| Self {
            text: text[..end].to_owned(),
            bytes,
            handle: handle(),
        })
    }

    /// The preview as the model reads it in place of a value: a JSON object with `preview`, `bytes`, `handle` and `note`.
    #[must_use]
    pub fn to_model_json(&self) -> Value {
        json!({
            "preview": self.text,
            "bytes": self.bytes,
            "handle": self.handle,
            "note": Self::NOTE,
        })
    }

    /// The preview as the model reads it in place of a message.
    pub(super) fn to_model_text(&self) -> String {
        format!("{}… (cut off here; the whole has {} bytes)", self.text, self.bytes)
    }
}

/// Bytes that a character takes in a JSON string, as `serde_json` writes it.
const fn width(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        _ => letter.len_utf8(),
    }
}

/// A value can always be written; only a writer that has enough of it fails, and is done then.
fn write_json(value: &Value, to: impl io::Write) {
    let _has_enough = serde_json::to_writer(to, value);
}

/// Counts what is written.
struct Size(usize);

impl io::Write for &mut Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps the beginning of what is written, and refuses the rest, so that it isn't written at all.
struct Head {
    bytes: Vec<u8>,
    room: usize,
}

impl io::Write for &mut Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        self.bytes.extend_from_slice(&bytes[..taken]);
        self.room -= taken;
        // None taken is an error to whoever writes.
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(value: &Value, limit: usize) -> Option<(String, usize)> {
        ResultPreview::of_value(value, limit, || "t1".to_owned()).map(|preview| (preview.text, preview.bytes))
    }

    #[test]
    fn a_value_is_shown_whole_up_to_the_limit_and_cut_between_characters_beyond() {
        let table = [
            // Strings: the text without its quotes, which count.
            (json!("abcd"), 6, None),
            (json!("abcd"), 5, Some(("abc", 6))),
            (json!("abcd"), 2, Some(("", 6))),
            (json!("abcd"), 0, Some(("", 6))),
            (json!(""), 2, None),
            (json!("aé"), 5, None),
            (json!("aé"), 4, Some(("a", 5))),
            (json!("a🦀b"), 7, Some(("a🦀", 8))),
            (json!("a🦀b"), 6, Some(("a", 8))),
            // An escape is never cut in two.
            (json!("a\nb"), 5, Some(("a\n", 6))),
            (json!("a\nb"), 4, Some(("a", 6))),
            (json!("\u{1}\u{1}"), 9, Some(("\u{1}", 14))),
            // Anything else: its compact JSON.
            (json!(null), 4, None),
            (json!(null), 3, Some(("nul", 4))),
            (json!([1, 2]), 5, None),
            (json!([1, 2]), 4, Some(("[1,2", 5))),
            (json!({"a": "é"}), 10, None),
            (json!({"a": "é"}), 9, Some((r#"{"a":"é""#, 10))),
            (json!({"a": "é"}), 8, Some((r#"{"a":"é"#, 10))),
            (json!({"a": "é"}), 7, Some((r#"{"a":""#, 10))),
            (json!({"a": "é"}), 0, Some(("", 10))),
        ];
        for (value, limit, expected) in table {
            let expected = expected.map(|(text, bytes)| (text.to_owned(), bytes));
            assert_eq!(preview(&value, limit), expected, "{value} with {limit}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_json() {
        let letters: String = (0..0x300)
            .filter_map(char::from_u32)
            .chain(['\u{2028}', '🦀'])
            .collect();
        for value in [
            json!(letters),
            json!([letters, {"b": letters}]),
            json!(1.5),
            json!({"a": [true, null]}),
        ] {
            let bytes = value.to_string().len();
            assert_eq!(preview(&value, bytes), None);
            let (text, counted) = preview(&value, bytes - 1).unwrap();
            assert_eq!(counted, bytes);
            assert!(text.len() < bytes);
        }
    }

    #[test]
    fn what_is_shown_of_a_text_fits_in_the_limit_and_is_never_the_whole() {
        let text = "\n\"é🦀\u{1}a".repeat(3);
        let bytes = json!(text).to_string().len();
        for limit in 2..bytes {
            let (shown, _) = preview(&json!(text), limit).unwrap();
            assert!(text.starts_with(&shown) && shown.len() < text.len());
            assert!(json!(shown).to_string().len() <= limit);
        }
    }
}
