//! Limit on the nesting of JSON.

use serde_json::Value;

use super::error::{ToolError, ToolErrorKind};

/// Most levels of arrays and objects in a result, in arguments, and in a provider's blocks.
///
/// `serde_json` reads 127 levels. The deepest place of a value in a journal is a report of the `task` tool in a snapshot,
/// which has 10 levels around it. A value beyond the limit could be written and never be read back.
pub(crate) const MOST_LEVELS: usize = 127 - 10;

/// True if a value has more than [`MOST_LEVELS`] levels.
pub(crate) fn is_too_deep(value: &Value) -> bool {
    exceeds(value, MOST_LEVELS)
}

/// True if a value has more levels than this. It descends no further, so a value of any depth is safe for the stack.
fn exceeds(value: &Value, levels: usize) -> bool {
    let inner = levels.checked_sub(1);
    match value {
        Value::Array(items) => inner.is_none_or(|levels| items.iter().any(|item| exceeds(item, levels))),
        Value::Object(fields) => inner.is_none_or(|levels| fields.values().any(|field| exceeds(field, levels))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Description of a value that is too deep.
pub(crate) fn too_deep(what: &str) -> String {
    format!("{what} is nested more than {MOST_LEVELS} levels deep, and can't be kept")
}

/// Error in place of a result that is too deep.
pub(crate) fn deep_result() -> ToolError {
    ToolError::new(ToolErrorKind::Internal, too_deep("the result of the tool")).with_retryable(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, level| match level % 2 {
            0 => json!([inner]),
            _ => json!({"a": inner}),
        })
    }

    #[test]
    fn the_limit_is_counted_in_arrays_and_objects() {
        assert!(!is_too_deep(&nested(MOST_LEVELS)));
        assert!(is_too_deep(&nested(MOST_LEVELS + 1)));
        assert!(is_too_deep(&json!([1, {"b": nested(MOST_LEVELS)}])));
        assert!(exceeds(&json!([]), 0) && exceeds(&json!({}), 0) && !exceeds(&json!("[["), 0));
    }
}
