//! JSON parsing of stored entries.

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Deserializer, Error};

/// Deepest nesting of an entry. A model's output is at most 128 deep, and an entry nests it some levels deeper. The
/// limit keeps an edited file from exhausting the stack.
const DEPTH: usize = 256;

/// Parses stored JSON, such as an [`Entry`](super::Entry), for journals that keep text.
///
/// An entry is nested deeper than serde_json's own limit of 128 levels, because a model's output may use all of these. This reads 256
/// levels. Numbers are read to the last bit.
///
/// ```
/// use async_tool_runtime::journal::{Entry, read_json};
/// use async_tool_runtime::testing::sample_entries;
///
/// for entry in sample_entries() {
///     let stored = serde_json::to_vec(&entry)?;
///     assert_eq!(read_json::<Entry>(&stored)?, entry);
/// }
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
///
/// The parser's, and an error for text that is no UTF-8 or is nested deeper.
pub fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    if depth(text) > DEPTH {
        return Err(Error::custom(format!("it is nested more than {DEPTH} levels deep")));
    }
    // The whole text is checked as UTF-8, because the parser doesn't check text that it skips.
    let mut json = Deserializer::from_str(str::from_utf8(text).map_err(Error::custom)?);
    json.disable_recursion_limit();
    let value = T::deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// The largest number of open brackets, outside of strings.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut is_string, mut is_escaped) = (false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b'[' | b'{' if !is_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !is_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_are_not_counted() {
        for (text, expected) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[1,{}]}"#, 3),
            (r#"["[[\"[", "\\", []]"#, 2),
            ("]]]", 0),
        ] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_too_deep_is_an_error_and_no_end_of_the_process() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read_json::<serde_json::Value>(nested(DEPTH).as_bytes()).is_ok());
        for levels in [DEPTH + 1, 1_000_000] {
            let error = read_json::<serde_json::Value>(nested(levels).as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "it is nested more than 256 levels deep");
        }
    }
}
