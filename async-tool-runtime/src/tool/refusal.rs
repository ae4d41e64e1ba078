//! Texts of refused arguments, which a model reads.

use serde_json::Value;

use super::error::{ToolError, ToolErrorKind};

/// Error for arguments that don't fit.
pub(crate) fn refuse(problem: String) -> ToolError {
    ToolError::new(ToolErrorKind::InvalidArguments, format!("invalid arguments {problem}"))
}

/// Description of a value that a model sent, cut to a length that fits into an error.
pub(crate) fn describe(value: &Value) -> String {
    const SHOWN: usize = 60;
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Bool(_) => "the boolean",
        Value::Number(_) => "the number",
        Value::String(_) => "the string",
        Value::Array(_) => "the array",
        Value::Object(_) => "the object",
    };
    format!("{kind} {}", shorten(&value.to_string(), SHOWN))
}

/// First characters of a text. A model may send any amount, and reads its error again in every turn.
pub(crate) fn shorten(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
