//! Principals, to whom tasks belong.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use axum::http::{Extensions, HeaderMap, header::AUTHORIZATION};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Finds a request's principal in its extensions, where a layer before the server has put it.
pub(super) type PrincipalOf = Arc<dyn Fn(&Extensions) -> Option<String> + Send + Sync>;

/// Caller to whom a task belongs, as a hash: a token must not get into a file or a log. Callers without a token are one principal, also the
/// caller on stdio.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Principal(Option<Arc<str>>);

impl Principal {
    /// Principal of an HTTP request: by the host's function if there is one, or else by the header `Authorization`.
    pub(super) fn of(headers: &HeaderMap, extensions: &Extensions, function: Option<&PrincipalOf>) -> Self {
        match function {
            Some(function) => Self(function(extensions).map(|name| hash(name.as_bytes()))),
            // Bytes and not text: a header that isn't UTF-8 must not be taken for no header.
            None => Self(headers.get(AUTHORIZATION).map(|value| hash(value.as_bytes()))),
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Principal(…)"
        } else {
            "Principal(none)"
        })
    }
}

fn hash(name: &[u8]) -> Arc<str> {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(name) {
        // Writing to a text can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
