//! Origins that a page of the inspector may have.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::uri::Authority;

/// Scheme, host and port of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(super) is_encrypted: bool,
    /// In lower case.
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an origin as a browser writes it; `None` for anything else, such as `null`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_encrypted = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Self::of(authority, is_encrypted)
    }

    /// Origin of a `Host` header, for a scheme.
    pub(super) fn of(authority: &str, is_encrypted: bool) -> Option<Self> {
        if authority.contains(['@', '/']) {
            return None;
        }
        let authority: Authority = authority.parse().ok()?;
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return None;
        }
        // By hand: `port` is also `None` for a port that is no number of 16 bits.
        let port = match authority.as_str()[host.len()..].strip_prefix(':') {
            Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => port.parse().ok()?,
            Some(_) => return None,
            None if is_encrypted => 443,
            None => 80,
        };
        Some(Self {
            is_encrypted,
            host,
            port,
        })
    }

    /// True for a name of the loopback interface, which no name server can give away.
    pub(super) fn is_loopback(&self) -> bool {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match bare {
            Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
            None => {
                self.host == "localhost" || self.host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_loopback_interface_are_its_names() {
        let is_loopback = |host: &str| Origin::of(host, false).is_some_and(|origin| origin.is_loopback());
        for own in [
            "localhost",
            "LocalHost:80",
            "127.0.0.1",
            "127.0.0.1:4000",
            "127.8.9.1:1",
            "[::1]",
            "[::1]:4000",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1.nip.io:4000",
            "0.0.0.0",
            "192.168.1.1:4000",
            "[::]",
            "[::ffff:192.168.1.1]",
            "user@localhost",
            "localhost:99999",
            "localhost:",
            ":80",
            "127.1",
            "2130706433",
            "0x7f.1",
            "localhost.",
            "localhost/evil",
            "localhost evil",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        let origin = |text| Origin::parse(text);
        assert_eq!(origin("http://a.example"), origin("http://A.example:80"));
        assert_eq!(origin("https://a.example"), origin("https://a.example:443"));
        assert_ne!(origin("http://a.example"), origin("https://a.example"));
        assert_ne!(origin("http://localhost:1"), origin("http://localhost:2"));
        for wrong in [
            "null",
            "",
            "file://",
            "ftp://a.example",
            "a.example",
            "http://u@a.example",
            "http://a.example/b",
        ] {
            assert_eq!(origin(wrong), None, "{wrong}");
        }
    }
}
