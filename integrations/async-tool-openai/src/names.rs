//! Names and ids in a form that the API takes.
//!
//! A model can make up a name, and another provider's ids may be of any length. One of them would fail every later
//! request, so each is replaced. A replacement depends on nothing but the text it replaces: it is the same in every
//! request, and prompts stay cached.

use std::borrow::Cow;

use async_tool_wire::{short_id, tag};

/// Longest name of a function and longest id of a call, in characters.
const LONGEST: usize = 64;

/// The name of a function, as the API takes it: `^[a-zA-Z0-9_-]{1,64}$`. A replaced name ends with a hash, so that it
/// is not the name of a tool.
pub(crate) fn sendable_name(name: &str) -> Cow<'_, str> {
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || char == '_' || char == '-';
    if (1..=LONGEST).contains(&name.len()) && name.chars().all(is_allowed) {
        return Cow::Borrowed(name);
    }
    if name.is_empty() {
        return Cow::Borrowed("unnamed");
    }
    let cleaned = name.chars().map(|char| if is_allowed(char) { char } else { '_' });
    let tag = tag(name);
    let cleaned: String = cleaned.take(LONGEST - tag.len()).collect();
    Cow::Owned(cleaned + &tag)
}

/// The id of a call, as the API takes it: 1 to 64 characters.
pub(crate) fn sendable_id(id: &str) -> Cow<'_, str> {
    if id.is_empty() {
        return Cow::Borrowed("unnamed");
    }
    short_id(id, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_allowed_characters_and_stay_apart() {
        for name in ["gate", "A-b_9", &"x".repeat(64)] {
            assert_eq!(sendable_name(name), name);
        }
        assert_eq!(sendable_name(""), "unnamed");
        let long = "x".repeat(65);
        let bad = [
            "multi_tool_use.parallel",
            "multi_tool_use/parallel",
            "get weather!/é",
            "\u{0}",
            "東京",
            &long,
        ];
        let replaced = bad.map(|name| sendable_name(name).into_owned());
        for (place, name) in replaced.iter().enumerate() {
            assert_eq!(sendable_name(name), name.as_str(), "it is sendable");
            assert!(!replaced[..place].contains(name), "{name}");
        }
        assert_eq!(replaced[0], "multi_tool_use_parallel_8829ee16");
    }

    #[test]
    fn ids_have_one_to_64_characters() {
        for id in ["call_1", "~ é", &"é".repeat(64)] {
            assert_eq!(sendable_id(id), id);
        }
        assert_eq!(sendable_id(""), "unnamed");
        let long = ["é".repeat(65), "é".repeat(66)].map(|id| sendable_id(&id).into_owned());
        assert_ne!(long[0], long[1]);
        assert!(long.iter().all(|id| id.chars().count() == LONGEST), "{long:?}");
    }
}
