//! The server on a thread of its own.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use async_tool_inspector::Inspector;
use futures_util::FutureExt as _;

use crate::stand::{agent, split};

/// Sends a request over a connection, and reads until the server closes it or `enough` is there.
fn exchange(address: &str, request: &str, enough: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let (mut read, mut buffer) = (Vec::new(), [0; 4_096]);
    while let Ok(count) = stream.read(&mut buffer) {
        read.extend_from_slice(&buffer[..count]);
        if count == 0 || String::from_utf8_lossy(&read).contains(enough) {
            break;
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn the_page_answers_while_the_hosts_runtime_is_blocked_and_stops_with_its_handle() {
    let agent = agent().await;
    let server = Inspector::new()
        .agent(&agent)
        .serve_quietly("127.0.0.1:0")
        .await
        .unwrap();
    let (page, token) = split(&server.link());
    let address = server.address().to_string();
    assert_eq!(page, format!("http://{address}/"));
    // This runtime has one thread, which these lines keep.
    let body = format!("{{\"token\":\"{token}\"}}");
    let login = exchange(
        &address,
        &format!(
            "POST /api/login HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
        "\"ok\"",
    );
    assert!(login.starts_with("HTTP/1.1 200"), "{login}");
    let cookie = login
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap();
    let cookie = cookie.split(';').next().unwrap();
    assert!(server.viewed().now_or_never().is_none(), "a login is no look");
    let first = exchange(
        &address,
        &format!("GET /api/events?session=ann HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n"),
        "event: snapshot",
    );
    assert!(first.contains("event: snapshot"), "{first}");
    server.viewed().await;
    server.stop();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(TcpStream::connect(&address).is_err(), "the server is gone");
    agent.close().await.unwrap();
}

#[tokio::test]
async fn the_link_of_a_server_on_all_addresses_leads_to_this_machine() {
    let server = Inspector::new().serve_quietly("0.0.0.0:0").await.unwrap();
    let (page, _) = split(&server.link());
    assert_eq!(page, format!("http://localhost:{}/", server.address().port()));
    let address = format!("127.0.0.1:{}", server.address().port());
    let answer = |host: &str| {
        exchange(
            &address,
            &format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"),
            "</html>",
        )
    };
    assert!(answer(&format!("localhost:{}", server.address().port())).starts_with("HTTP/1.1 200"));
    assert!(
        answer("10.0.0.1").starts_with("HTTP/1.1 403"),
        "another address of the machine has to be allowed"
    );
}
