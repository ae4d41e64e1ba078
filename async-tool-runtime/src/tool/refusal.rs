//! Texts of refused arguments, which a model reads.

use serde_json::Value;

use super::error::{ToolError, ToolErrorKind};

/// The error of arguments that don't fit.
pub(crate) fn refuse(problem: String) -> ToolError {
    ToolError::new(ToolErrorKind::InvalidArguments, format!("invalid arguments {problem}"))
}

/// What a model sent, short enough to be read back to it.
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

/// The first letters of a text: a model may send any amount, and reads its error again in every turn.
pub(crate) fn shorten(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
