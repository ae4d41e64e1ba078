//! Ids of calls that are longer than a provider takes.

use std::borrow::Cow;

/// Length of a [`tag`], in characters.
const TAG: usize = 9;

/// The id, with at most this many characters: the end of a longer one is replaced by a [`tag`]. Equal ids stay equal, and others stay apart.
///
/// Another provider's ids may be of any length, and one that is too long would fail every later request.
///
/// ```
/// use async_tool_wire::short_id;
///
/// assert_eq!(short_id("call_1", 40), "call_1");
/// assert_eq!(short_id("chatcmpl-tool-0123456789abcdef0123456789abcdef", 40).len(), 40);
/// ```
///
/// # Panics
///
/// A limit of less than nine characters.
#[must_use]
pub fn short_id(id: &str, longest: usize) -> Cow<'_, str> {
    assert!(longest >= TAG, "an id must have room for a tag of {TAG} characters");
    match id.char_indices().nth(longest - TAG) {
        Some((end, _)) if id.chars().nth(longest).is_some() => Cow::Owned(format!("{}{}", &id[..end], tag(id))),
        _ => Cow::Borrowed(id),
    }
}

/// A tag that tells one text from others: `_` and eight digits of a hash, which is the same in every process.
///
/// ```
/// assert_eq!(async_tool_wire::tag("multi_tool_use.parallel"), "_8829ee16");
/// ```
#[must_use]
pub fn tag(text: &str) -> String {
    // FNV-1a with 32 bits. The standard library's hash may change with its version.
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("_{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ids_are_cut_and_stay_apart() {
        for id in ["", "call_1", "~ \u{e9}", &"\u{e9}".repeat(64)] {
            assert_eq!(short_id(id, 64), id);
        }
        let long = ["\u{e9}".repeat(65), "\u{e9}".repeat(66)].map(|id| short_id(&id, 64).into_owned());
        assert_ne!(long[0], long[1]);
        assert!(long.iter().all(|id| id.chars().count() == 64), "{long:?}");
        assert_eq!(short_id(&"x".repeat(10), TAG).len(), TAG);
    }
}
