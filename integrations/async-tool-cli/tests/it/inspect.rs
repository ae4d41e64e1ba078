//! `async-tool inspect`: a page with the sessions of a file.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use async_tool_runtime::{AsyncAgent, AsyncToolManager, RulePlanner, tools};
use async_tool_sqlite::SqliteJournal;
use serde_json::{Value, json};

use super::{place, run, session, write};

/// Adds two numbers.
#[async_tool_runtime::async_tool(effect = "read")]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

/// Running program, and the cookie of a browser that was let in.
struct Page {
    program: Child,
    address: String,
    cookie: String,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _it_ended = self.program.kill();
        let _it_ended = self.program.wait();
    }
}

impl Page {
    fn open(path: &Path) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_async-tool"))
            .args(["inspect", path.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (page, token) = line.trim().split_once("#token=").unwrap();
        let address = page.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let mut page = Self {
            program,
            address,
            cookie: String::new(),
        };
        let answer = page.post("/api/login", &json!({"token": token}));
        let cookie = answer
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .unwrap();
        page.cookie = cookie.split(';').next().unwrap().to_owned();
        page
    }

    fn send(&self, head: &str, body: &str, enough: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (address, cookie) = (&self.address, &self.cookie);
        write!(stream, "{head} HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\ncookie: {cookie}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).unwrap();
        let (mut read, mut buffer) = (Vec::new(), [0; 4_096]);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            read.extend_from_slice(&buffer[..count]);
            if String::from_utf8_lossy(&read).contains(enough) {
                break;
            }
        }
        String::from_utf8(read).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> String {
        self.send(&format!("POST {path}"), &body.to_string(), "\u{0}")
    }

    /// The event stream of a session, up to this text.
    fn events(&self, session: &str, enough: &str) -> String {
        let events = self.send(&format!("GET /api/events?session={session}"), "", enough);
        assert!(events.contains(enough), "{enough}: {events}");
        events
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_shown_and_nothing_is_changed() {
    let (_directory, path) = place();
    write(&path, "s", &session(), false).await;
    let before = std::fs::read(&path).unwrap();
    let page = Page::open(&path);
    let events = page.events("s", "\"tool\":\"look_up\"");
    assert!(events.contains("\"state\":\"closed\""), "{events}");
    let refused = page.post("/api/act", &json!({"act": "send", "session": "s", "text": "hello"}));
    assert!(
        refused.starts_with("HTTP/1.1 403") && refused.contains("read_only"),
        "{refused}"
    );
    drop(page);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_followed_while_its_owner_runs_and_after_that() {
    let (_directory, path) = place();
    let journal = SqliteJournal::open(&path).unwrap();
    let manager = AsyncToolManager::builder().tools(tools![add]).build().unwrap();
    let agent = AsyncAgent::builder(RulePlanner::new(), manager)
        .journal(journal.clone())
        .session("ann")
        .start()
        .await
        .unwrap();
    let page = Page::open(&path);
    let owner = format!("\"owner\":\"process {}\"", std::process::id());
    let reader = std::thread::spawn(move || {
        page.events("ann", &owner);
        let told = page.events("ann", "\"kind\":\"closed\"");
        (page, told)
    });
    agent.run_to_completion("add a=2 b=3").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    agent.close().await.unwrap();
    journal.close().await;
    let (_page, told) = reader.join().unwrap();
    assert!(told.contains("\"result\":\"5\""), "{told}");
}

#[test]
fn a_file_that_is_no_journal_is_refused() {
    let ran = run(&["inspect", "nowhere.db"]);
    assert_eq!((ran.code, &*ran.out), (2, ""));
    assert!(ran.error.contains("nowhere.db"), "{}", ran.error);
    let (_directory, path) = place();
    std::fs::write(&path, "no journal").unwrap();
    assert_eq!(run(&["inspect", path.to_str().unwrap()]).code, 2);
}
