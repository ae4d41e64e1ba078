//! The small part of HTTP/1.1 that this program needs: GET requests and their answers.
//!
//! It is written by hand, because it is short and used only with the server of this program. A real tool needs a client with
//! redirects, TLS and chunked answers; the rest of the tool stays the same.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Maximum size of a message. This program sends no longer ones.
const BYTES_AT_MOST: u64 = 64 << 10;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Header `Retry-After`, in its form with seconds.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: String,
}

/// Sends a GET request for a path.
pub(crate) async fn fetch(server: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.take(BYTES_AT_MOST).read_to_string(&mut text).await?;
    parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

/// Reads a request up to the end of its head; returns its path.
pub(crate) async fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() as u64 > BYTES_AT_MOST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    match head.split(' ').collect::<Vec<_>>()[..] {
        ["GET", path, ..] => Ok(path.to_owned()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Writes an answer and closes the connection.
pub(crate) async fn write_answer(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    stream.write_all(render(answer).as_bytes()).await?;
    stream.shutdown().await
}

fn render(answer: &Answer) -> String {
    let Answer {
        status,
        retry_after,
        body,
    } = answer;
    let retry_after = retry_after.map(|after| format!("Retry-After: {}\r\n", after.as_secs()));
    let retry_after = retry_after.unwrap_or_default();
    // The reason phrase after the status code may be empty (RFC 9112, section 4).
    format!(
        "HTTP/1.1 {status} \r\n{retry_after}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |wanted: &str| {
        let mut headers = lines.clone().filter_map(|line| line.split_once(':'));
        let found = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.and_then(|(_, value)| value.trim().parse::<u64>().ok())
    };
    if header("Content-Length").is_some_and(|length| length != body.len() as u64) {
        return None;
    }
    Some(Answer {
        status,
        retry_after: header("Retry-After").map(Duration::from_secs),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for retry_after in [None, Some(Duration::from_secs(2))] {
            let answer = Answer {
                status: 503,
                retry_after,
                body: "down: for now".to_owned(),
            };
            assert_eq!(parse(&render(&answer)), Some(answer));
        }
    }

    #[test]
    fn names_of_headers_may_be_in_capitals_and_half_an_answer_is_none() {
        let answer = parse("HTTP/1.1 429 Too Many Requests\r\nRETRY-AFTER: 7\r\n\r\n").unwrap();
        assert_eq!((answer.status, answer.retry_after), (429, Some(Duration::from_secs(7))));
        assert_eq!(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal"), None);
        assert_eq!(parse("HTTP/1.1 200 OK\r\n"), None);
    }
}
