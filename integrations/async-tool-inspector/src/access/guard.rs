//! Checks of a request before it is answered, and headers of every response.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Access, Origin, cookie, target::authority};
use crate::api::{ApiError, App};

/// Nothing but the page's own files, and no inline script. Text of tools never becomes HTML, also by mistake of the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     font-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// Sets the headers of every response, also of refusals.
pub(crate) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Refuses a request to a name that isn't the server's, or from a page that isn't.
pub(crate) async fn check_host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // A link from elsewhere may lead to the page, which holds no data, but not to its data.
    let may_be_linked = *request.method() == Method::GET && !request.uri().path().starts_with("/api");
    match app
        .access
        .check_origin(request.method(), request.uri(), request.headers(), may_be_linked)
    {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Refuses a request without the cookie.
pub(crate) async fn check_api(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    // Another server of the host may have set cookies of this name, which come first.
    if !cookie::read(request.headers(), request.uri()).any(|cookie| app.access.is_in(cookie)) {
        return ApiError::unauthorized().into_response();
    }
    next.run(request).await
}

impl Access {
    /// Checks `Host` and `Origin`.
    fn check_origin(
        &self,
        method: &Method,
        address: &Uri,
        headers: &HeaderMap,
        may_be_linked: bool,
    ) -> Result<(), ApiError> {
        let is_encrypted = self.is_encrypted(headers, address);
        let own = authority(headers, address).and_then(|host| Origin::of(host, is_encrypted));
        let own = own.filter(|own| own.is_loopback() || self.origins.contains(own));
        let Some(own) = own else {
            return Err(ApiError::forbidden(
                "the request is for another host; the program that serves this page can allow it with `allow_origin`",
            ));
        };
        let foreign = || Err(ApiError::forbidden("the request comes from another page"));
        match headers.get_all(header::ORIGIN).iter().count() {
            0 if *method == Method::GET || *method == Method::HEAD => {}
            0 => return foreign(),
            _ => {
                let origin = single(headers, &header::ORIGIN).and_then(Origin::parse);
                let is_own = origin.is_some_and(|origin| origin == own);
                if !is_own {
                    return foreign();
                }
            }
        }
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) if may_be_linked && headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate") => Ok(()),
            Some(_) => foreign(),
        }
    }

    /// True if the browser speaks TLS: the request is for an origin that the host has set with `https`.
    pub(crate) fn is_encrypted(&self, headers: &HeaderMap, address: &Uri) -> bool {
        let origin = authority(headers, address).and_then(|host| Origin::of(host, true));
        origin.is_some_and(|origin| self.origins.contains(&origin))
    }
}

/// The only value of a header; `None` if there is none, or several.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}
