//! Keys of items.
//!
//! The first letter of a key tells its kind, so keys of different kinds never meet, whatever the names of sessions are.

use std::fmt::Write as _;

use async_tool_runtime::SessionId;
use sha2::{Digest as _, Sha256};

use crate::StoreError;

/// Longest partition key, in bytes.
const LONGEST_KEY: usize = 2_048;
/// Longest name of a session: an item with its name has to fit into DynamoDB's 400 KB.
const LONGEST_NAME: usize = 350_000;

/// Key of a session's head and of its batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Partition key in both tables.
    pub(crate) text: String,
    /// Name of the session, if the key doesn't have it.
    pub(crate) name: Option<String>,
}

impl Key {
    pub(crate) fn new(session: &SessionId) -> Result<Self, StoreError> {
        let name = session.as_str();
        let text = format!("s:{name}");
        if text.len() <= LONGEST_KEY {
            return Ok(Self { text, name: None });
        }
        if name.len() > LONGEST_NAME {
            return Err(StoreError::NameTooLong {
                bytes: name.len(),
                longest: LONGEST_NAME,
            });
        }
        Ok(Self {
            text: format!("h:{}", digest(name.as_bytes())),
            name: Some(name.to_owned()),
        })
    }

    /// Name of the session with this key; `None` if the key is of another kind.
    pub(crate) fn session(key: &str, name: Option<String>) -> Option<SessionId> {
        match key.split_once(':')? {
            ("s", name) => Some(SessionId::new(name)),
            ("h", _) => name.map(SessionId::new),
            _ => None,
        }
    }

    /// Key of the session's snapshot.
    pub(crate) fn snapshot(&self) -> String {
        format!("v:{}", digest(self.text.as_bytes()))
    }

    /// Key of a blob of the session.
    pub(crate) fn blob(&self, name: &str) -> String {
        format!("b:{}:{name}", digest(self.text.as_bytes()))
    }
}

/// Key of an owner's row.
pub(crate) fn owner(id: &str) -> String {
    format!("o:{id}")
}

/// Key of a batch's parts, by the id of its append.
pub(crate) fn parts(by: &str) -> String {
    format!("p:{by}")
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _a_string_takes_all = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_the_name_back_and_fits_into_dynamodb() {
        for name in [
            "",
            "a",
            "s:a",
            "h:a",
            "o:a",
            &"n".repeat(2_046),
            &"n".repeat(2_047),
            &"🦀".repeat(9_000),
        ] {
            let session = SessionId::new(name);
            let key = Key::new(&session).unwrap();
            assert!(
                !key.text.is_empty() && key.text.len() <= LONGEST_KEY,
                "{}",
                key.text.len()
            );
            assert_eq!(Key::session(&key.text, key.name.clone()), Some(session));
            assert!(key.blob(&digest(b"")).len() <= LONGEST_KEY);
        }
        let names = ["a", "b"].map(|end| SessionId::new("long".repeat(2_000) + end));
        assert_ne!(Key::new(&names[0]).unwrap().text, Key::new(&names[1]).unwrap().text);
    }

    #[test]
    fn a_name_that_no_item_holds_is_an_error() {
        let error = Key::new(&SessionId::new("n".repeat(400_000))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the session's name has 400000 bytes; give it 350000 bytes at most"
        );
    }

    #[test]
    fn rows_of_owners_and_parts_are_no_sessions() {
        for key in [owner("1"), parts("1"), "x".to_owned()] {
            assert_eq!(Key::session(&key, None), None, "{key}");
        }
    }
}
