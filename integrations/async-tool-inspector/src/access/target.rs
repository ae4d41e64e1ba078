//! Host and port that a request is for.

use axum::http::{HeaderMap, Uri, header, uri::Authority};

/// Host and port that a request is for: its only `Host` header. HTTP/2 has them in the address. `None` if there are several that differ.
pub(super) fn authority<'a>(headers: &'a HeaderMap, address: &'a Uri) -> Option<&'a str> {
    let named = address.authority().map(Authority::as_str);
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else { return named };
    let host = host.to_str().ok()?;
    let is_only = hosts.next().is_none() && named.is_none_or(|named| named.eq_ignore_ascii_case(host));
    is_only.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_one_host_in_each_version_of_http() {
        for (address, hosts, expected) in [
            ("/api/info", &["localhost:4000"][..], Some("localhost:4000")),
            ("http://localhost:4000/api/info", &[], Some("localhost:4000")),
            (
                "http://localhost:4000/api/info",
                &["LocalHost:4000"],
                Some("LocalHost:4000"),
            ),
            ("http://localhost:4000/api/info", &["evil.example"], None),
            ("http://evil.example/api/info", &["localhost:4000"], None),
            ("/api/info", &["localhost:4000", "evil.example"], None),
            ("/api/info", &["localhost:4000", "localhost:4000"], None),
            ("/api/info", &[], None),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            assert_eq!(
                authority(&headers, &address.parse().unwrap()),
                expected,
                "{address} {hosts:?}"
            );
        }
    }
}
