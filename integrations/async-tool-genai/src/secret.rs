//! A key, and how it is kept out of everything that is written.

use std::{fmt, sync::Arc};

/// Shorter ones are placeholders for servers that want no key; taking them out would only garble what is said.
const SHORTEST: usize = 6;

/// A key. Nothing prints it.
#[derive(Clone)]
pub(crate) struct Secret(Arc<str>);

impl Secret {
    pub(crate) fn new(key: &str) -> Self {
        // A key from a file or a variable often ends with a line break, which no header may hold.
        Self(key.trim().into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text without the key: some servers repeat in a refusal what they were sent.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.len() < SHORTEST {
            text.to_owned()
        } else {
            text.replace(&*self.0, "[key]")
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
