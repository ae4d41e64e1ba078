//! An API key that is kept out of errors, logs and `Debug` output.

use std::{fmt, sync::Arc};

/// Shortest key that is redacted. Shorter keys are placeholders for servers that need none; redacting them
/// would only garble messages.
const SHORTEST: usize = 6;

/// An API key. Its `Debug` output hides it.
#[derive(Clone)]
pub(crate) struct Secret(Arc<str>);

impl Secret {
    pub(crate) fn new(key: &str) -> Self {
        // A key from a file or a variable often ends with a line break, which HTTP headers can't hold.
        Self(key.trim().into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes the key from the text, because some servers repeat the request in their error.
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
