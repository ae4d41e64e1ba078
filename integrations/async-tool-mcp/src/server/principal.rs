//! Principals, to whom tasks belong.

use std::{fmt, sync::Arc};

use axum::http::{Extensions, HeaderMap, header::AUTHORIZATION};

/// Finds a request's principal in its extensions, where a layer before the server has put it.
pub(super) type PrincipalOf = Arc<dyn Fn(&Extensions) -> Option<String> + Send + Sync>;

/// Caller to whom a task belongs. Callers without a token are one principal, also the caller on stdio.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Principal(Option<Arc<str>>);

impl Principal {
    /// Principal of an HTTP request: by the host's function if there is one, or else by the header `Authorization`.
    pub(super) fn of(headers: &HeaderMap, extensions: &Extensions, function: Option<&PrincipalOf>) -> Self {
        let name = match function {
            Some(function) => function(extensions),
            // Bytes and not text: a header that isn't UTF-8 must not be taken for no header.
            None => headers
                .get(AUTHORIZATION)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        };
        Self(name.map(Into::into))
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A token must not get into a log.
        f.write_str(if self.0.is_some() {
            "Principal(…)"
        } else {
            "Principal(none)"
        })
    }
}
