//! Preview of a result that is too large for the model.

use std::{borrow::Cow, io};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::json_size::json_bytes;

/// Beginning of a result that exceeds its size limit. The record keeps the whole result.
///
/// ```
/// use async_tool_runtime::task::{AsyncTaskResult, TaskNo, TaskOutcome, TaskSpec, Timestamp, Timing};
/// use async_tool_runtime::{SessionId, ToolCall};
/// use serde_json::json;
///
/// let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "read_log", json!({}))).with_number(TaskNo::new(3));
/// let now = Timestamp::from_millis(0);
/// let outcome = TaskOutcome::Completed(json!("0123456789"));
/// let result = AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 1).with_limit(6);
///
/// let preview = result.preview.expect("the value takes 12 bytes of JSON");
/// assert_eq!((&*preview.text, preview.bytes, &*preview.handle), ("0123", 12, "t3"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ResultPreview {
    /// The beginning, cut between two characters.
    ///
    /// A part of the text itself if the value is a string or the task has failed; otherwise a part of the value's compact JSON.
    pub text: String,
    /// Size of the whole result, in bytes of JSON.
    pub bytes: usize,
    /// Name by which the model can ask for the whole result: the task's number, such as `t3`, or its id if it has no number.
    pub handle: String,
}

impl ResultPreview {
    /// Instruction to the model in every preview.
    pub const NOTE: &'static str = "This is only the beginning of the result, which is too large to be shown. The whole is kept under the handle: \
         read more of it with the tool `task`, action `result`. Do not guess or invent the rest.";

    /// Bytes that a preview takes besides its text, at most: the note, the names and the numbers. A preview that replaces fewer bytes
    /// saves nothing.
    pub(crate) const AROUND: usize = Self::NOTE.len() + 128;

    /// Preview of `value`, if its JSON has more than `limit` bytes.
    pub(crate) fn of_value(value: &Value, limit: usize, handle: impl FnOnce() -> String) -> Option<Self> {
        if let Value::String(text) = value {
            return Self::of_text(text, limit, handle);
        }
        // Counted first without a copy, because most results are small.
        let bytes = json_bytes(value)?;
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

    /// Preview of `text`, if it has more than `limit` bytes as a JSON string. The preview's text as JSON fits in the limit, so it is
    /// never the whole text.
    pub(crate) fn of_text(text: &str, limit: usize, handle: impl FnOnce() -> String) -> Option<Self> {
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
    ///
    /// ```
    /// use async_tool_runtime::task::{AsyncTaskResult, ResultPreview, TaskOutcome, TaskSpec, Timestamp, Timing};
    /// use async_tool_runtime::{SessionId, ToolCall};
    /// use serde_json::json;
    ///
    /// let spec = TaskSpec::new(SessionId::new("s"), ToolCall::new("call_1", "list", json!({})));
    /// let now = Timestamp::from_millis(0);
    /// let outcome = TaskOutcome::Completed(json!([1, 2, 3]));
    /// let result = AsyncTaskResult::new(&spec, outcome, Timing::new(now, None, now), 1).with_limit(4);
    ///
    /// let shown = result.preview.expect("the value takes 7 bytes of JSON").to_model_json();
    /// assert_eq!(shown["preview"], "[1,2");
    /// assert_eq!(shown["note"], ResultPreview::NOTE);
    /// ```
    #[must_use]
    pub fn to_model_json(&self) -> Value {
        json!({
            "preview": self.text,
            "bytes": self.bytes,
            "handle": self.handle,
            "note": Self::NOTE,
        })
    }

    /// The preview as the model reads it in place of an error message.
    pub(super) fn to_model_text(&self) -> String {
        format!("{}… (cut off here; the whole has {} bytes)", self.text, self.bytes)
    }
}

/// Largest arguments that are repeated beside an acknowledgement or a late result, in bytes of JSON. The model wrote them itself.
const REPEATED: usize = 2 * 1024;

/// Arguments of a call as they are repeated to the model: whole if they are small, otherwise their beginning.
pub(crate) fn repeated_arguments(arguments: &Value) -> Cow<'_, Value> {
    cut_arguments(arguments, REPEATED).map_or(Cow::Borrowed(arguments), Cow::Owned)
}

/// Beginning of arguments with more than `limit` bytes of JSON, as an object.
pub(crate) fn cut_arguments(arguments: &Value, limit: usize) -> Option<Value> {
    let ResultPreview { text, bytes, .. } = ResultPreview::of_value(arguments, limit, String::new)?;
    Some(json!({
        "preview": text,
        "bytes": bytes,
        "note": "only the beginning of the arguments is repeated here; the tool got all of them",
    }))
}

/// Bytes of a character in a JSON string, as `serde_json` writes it.
const fn width(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' => 6,
        _ => letter.len_utf8(),
    }
}

/// Writes a value until the writer refuses more.
///
/// Writing a [`Value`] can't fail by itself, so an error only means that [`Head`] is full.
fn write_json(value: &Value, to: impl io::Write) {
    let _has_enough = serde_json::to_writer(to, value);
}

/// Keeps the first `room` bytes and refuses the rest, so that serde_json stops early.
struct Head {
    bytes: Vec<u8>,
    room: usize,
}

impl io::Write for &mut Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        self.bytes.extend_from_slice(&bytes[..taken]);
        self.room -= taken;
        // `write_all` turns 0 into an error, which ends the serialisation.
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
            // Strings: the text without its quotes; the quotes count.
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
