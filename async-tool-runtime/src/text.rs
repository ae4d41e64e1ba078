//! A text that is nearly always short.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is kept where it is named if it is short, and is shared otherwise: a name that goes with every task costs no memory of its
/// own, which one thread would take and another give back. Cheap to clone.
#[derive(Clone)]
pub(crate) enum ShortText {
    Short { length: u8, bytes: [u8; Self::SHORT] },
    Long(Arc<str>),
}

impl ShortText {
    /// How many bytes are short: the ids of calls that providers make up have 29 or 30.
    const SHORT: usize = 30;

    pub(crate) fn as_str(&self) -> &str {
        match self {
            // What was a text when it came is one.
            Self::Short { length, bytes } => str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }
}

impl From<&str> for ShortText {
    fn from(text: &str) -> Self {
        let mut bytes = [0; Self::SHORT];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(length), Some(place)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { length, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }
}

impl PartialEq for ShortText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ShortText {}

impl PartialOrd for ShortText {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShortText {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for ShortText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for ShortText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_str().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ShortText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::from(&*text))
    }
}

#[cfg(test)]
mod tests {
    use super::ShortText;

    #[test]
    fn a_text_of_any_length_comes_back_as_it_was() {
        for text in [
            "",
            "call_1",
            "é",
            "日本語の名前です",
            &"a".repeat(30),
            &"a".repeat(31),
            &"é".repeat(1_000),
        ] {
            let short = ShortText::from(text);
            assert_eq!(short.as_str(), text);
            assert_eq!(matches!(short, ShortText::Short { .. }), text.len() <= 30);
            let written = serde_json::to_string(&short).unwrap();
            assert_eq!(written, serde_json::to_string(text).unwrap());
            assert_eq!(serde_json::from_str::<ShortText>(&written).unwrap(), short);
        }
    }

    #[test]
    fn short_texts_are_small() {
        assert_eq!(size_of::<ShortText>(), 32);
    }
}
