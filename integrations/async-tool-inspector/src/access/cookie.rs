//! The cookie of a browser that was let in.

use axum::http::{HeaderMap, Uri, header, uri::Authority};

use super::{door::AGE, target::authority};

/// Name of the cookie. Browsers send cookies to all ports of a host, so it has the port.
fn name(headers: &HeaderMap, address: &Uri) -> String {
    let port = authority(headers, address).and_then(|host| host.parse::<Authority>().ok()?.port_u16());
    port.map_or_else(
        || "async-tool-inspector".to_owned(),
        |port| format!("async-tool-inspector-{port}"),
    )
}

/// Values of the cookie of a request. There are several if pages of the same host have set some for other paths.
pub(crate) fn read<'a>(headers: &'a HeaderMap, address: &Uri) -> impl Iterator<Item = &'a str> + use<'a> {
    let name = name(headers, address);
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// Header that sets the cookie for a page and all below it; without a value, it deletes it.
pub(crate) fn set(headers: &HeaderMap, original: &Uri, value: Option<&str>, is_encrypted: bool) -> String {
    let name = name(headers, original);
    let path = page_of(original.path());
    let secure = if is_encrypted { "; Secure" } else { "" };
    let (value, age) = match value {
        Some(value) => (value, AGE.as_secs()),
        None => ("", 0),
    };
    format!("{name}={value}; Path={path}; HttpOnly; SameSite=Strict{secure}; Max-Age={age}")
}

/// Path of the page that a request to its API belongs to. A path with characters that would end the attribute is `/`.
fn page_of(path: &str) -> &str {
    let page = path.rfind("api/").map_or("/", |end| &path[..end]);
    let is_plain = page.starts_with('/') && !page.contains([';', ',', '"', ' ']);
    if is_plain { page } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &'static str, cookie: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn each_port_has_a_cookie_of_its_own() {
        let found = |host| {
            let headers = headers(
                host,
                "a=b; async-tool-inspector-4000=one; async-tool-inspector-4001=two;async-tool-inspector=three; async-tool-inspector-4000=four",
            );
            let found = read(&headers, &Uri::from_static("/api/info"));
            found.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found("127.0.0.1:4000"), ["one", "four"]);
        assert_eq!(found("[::1]:4001"), ["two"]);
        assert_eq!(found("ops.example.com"), ["three"]);
        assert_eq!(found("127.0.0.1:4002"), [""; 0]);
    }

    #[test]
    fn the_cookie_is_for_the_page_alone_and_no_script_sees_it() {
        let headers = headers("127.0.0.1:4000", "");
        let set = |path: &str, encrypted| set(&headers, &path.parse().unwrap(), Some("x"), encrypted);
        assert_eq!(
            set("/inspect/api/login", false),
            "async-tool-inspector-4000=x; Path=/inspect/; HttpOnly; SameSite=Strict; Max-Age=2592000"
        );
        assert_eq!(
            set("/api/login", true),
            "async-tool-inspector-4000=x; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=2592000"
        );
        assert!(set("/a;b/api/login", false).contains("Path=/;"));
    }
}
