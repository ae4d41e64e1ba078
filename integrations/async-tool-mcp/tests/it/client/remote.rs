//! A scripted server: over streams with virtual time, and over HTTP on the loopback interface.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_tool_mcp::McpTarget;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep},
};

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    /// The whole message.
    pub(super) message: Value,
    /// HTTP headers, with names in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) at: Instant,
}

impl Seen {
    pub(super) fn params(&self) -> &Value {
        &self.message["params"]
    }
}

/// Acts of the server on a request, in order.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Result(Value),
    Error(i64, &'static str),
    /// A notification or a request of the server.
    Says(Value),
    Waits(Duration),
    /// A text that is no message.
    Nonsense(&'static str),
    /// An HTTP status with headers, and no JSON-RPC.
    Status(u16, &'static str),
    /// The connection ends; over streams, the server dies.
    Hangs,
    Dies,
}

type Script = dyn Fn(&Seen, usize) -> Vec<Act> + Send + Sync;

/// A scripted server. The script gets each request, and the number of requests of its method before.
#[derive(Clone)]
pub(super) struct Remote {
    script: Arc<Script>,
    seen: Arc<Mutex<Vec<Seen>>>,
    tools: Arc<Mutex<Value>>,
    /// Revision that it speaks: `None` for 2026-07-28.
    legacy: Option<&'static str>,
    connections: Arc<AtomicUsize>,
    /// Lines that go to all connections over streams.
    news: Arc<Mutex<Vec<mpsc::UnboundedSender<Value>>>>,
    is_down: Arc<Mutex<bool>>,
}

pub(super) fn tool(name: &str) -> Value {
    json!({"name": name, "description": "A tool.", "inputSchema": {"type": "object"}})
}

pub(super) fn text(text: &str) -> Value {
    json!({"resultType": "complete", "content": [{"type": "text", "text": text}]})
}

/// State of a task, as `tasks/get` tells it.
pub(super) fn state(id: &str, status: &str) -> Value {
    json!({
        "resultType": "complete", "taskId": id, "status": status, "ttlMs": null,
        "createdAt": "2026-11-30T12:00:00Z", "lastUpdatedAt": "2026-11-30T12:00:00Z", "pollIntervalMs": 20,
    })
}

/// The same with other fields.
pub(super) fn with(mut value: Value, fields: Value) -> Value {
    if let (Some(value), Value::Object(fields)) = (value.as_object_mut(), fields) {
        value.extend(fields);
    }
    value
}

/// Answer to `tools/call` that makes a task.
pub(super) fn created(id: &str) -> Value {
    with(state(id, "working"), json!({"resultType": "task"}))
}

pub(super) fn completed(id: &str, said: &str) -> Value {
    with(
        state(id, "completed"),
        json!({"result": {"content": [{"type": "text", "text": said}]}}),
    )
}

impl Remote {
    pub(super) fn new(script: impl Fn(&Seen, usize) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self {
            script: Arc::new(script),
            seen: Arc::default(),
            tools: Arc::new(Mutex::new(json!([tool("work")]))),
            legacy: None,
            connections: Arc::default(),
            news: Arc::default(),
            is_down: Arc::default(),
        }
    }

    /// A server of an older revision, which has never heard of `server/discover`.
    pub(super) fn legacy(mut self, revision: &'static str) -> Self {
        self.legacy = Some(revision);
        self
    }

    pub(super) fn offers(&self, tools: Value) {
        *self.tools.lock().unwrap() = tools;
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests of a method.
    pub(super) fn of(&self, method: &str) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.method == method);
        seen
    }

    fn count(&self, method: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.method == method).count()
    }

    pub(super) async fn until(&self, method: &str, count: usize) {
        super::until(|| self.count(method) >= count).await;
    }

    /// Sends a notification over all streams.
    pub(super) fn tell(&self, message: &Value) {
        self.news
            .lock()
            .unwrap()
            .retain(|news| news.send(message.clone()).is_ok());
    }

    /// Ends all streams, and refuses new ones while it is down.
    pub(super) fn set_down(&self, is_down: bool) {
        *self.is_down.lock().unwrap() = is_down;
        if is_down {
            self.news.lock().unwrap().clear();
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    fn note(&self, what: &str, message: Value) {
        self.seen.lock().unwrap().push(Seen {
            method: what.to_owned(),
            message,
            headers: BTreeMap::new(),
            at: Instant::now(),
        });
    }

    fn acts(&self, message: Value, headers: BTreeMap<String, String>) -> Vec<Act> {
        let seen = Seen {
            method: message["method"].as_str().unwrap_or_default().to_owned(),
            message,
            headers,
            at: Instant::now(),
        };
        let before = self.count(&seen.method);
        self.seen.lock().unwrap().push(seen.clone());
        let acts = (self.script)(&seen, before);
        if !acts.is_empty() {
            return acts;
        }
        let capabilities = json!({"tools": {"listChanged": self.legacy.is_some()}, "extensions": {"io.modelcontextprotocol/tasks": {}}});
        let server = json!({"name": "remote", "version": "1"});
        match (&*seen.method, self.legacy) {
            ("server/discover", None) => vec![Act::Result(json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities,
                "ttlMs": 0, "cacheScope": "private", "_meta": {"io.modelcontextprotocol/serverInfo": server},
            }))],
            ("initialize", Some(revision)) => vec![Act::Result(json!({
                "protocolVersion": revision, "capabilities": {"tools": {"listChanged": true}}, "serverInfo": server,
            }))],
            ("tools/list", _) => vec![Act::Result(json!({
                "resultType": "complete", "tools": *self.tools.lock().unwrap(), "ttlMs": 0, "cacheScope": "private",
            }))],
            ("tasks/cancel" | "tasks/update", _) => vec![Act::Result(json!({"resultType": "complete"}))],
            ("notifications/initialized" | "notifications/cancelled" | "", _) => Vec::new(),
            _ => vec![Act::Error(-32601, "no such method")],
        }
    }

    /// The server over streams.
    pub(super) fn streams(&self) -> McpTarget {
        let remote = self.clone();
        McpTarget::streams(move || {
            let remote = remote.clone();
            async move {
                if *remote.is_down.lock().unwrap() {
                    return Err(std::io::Error::other("the server is down"));
                }
                remote.connections.fetch_add(1, Ordering::SeqCst);
                let (ours, theirs) = tokio::io::duplex(1 << 20);
                let (lines, to_write) = mpsc::unbounded_channel();
                remote.news.lock().unwrap().push(lines.clone());
                tokio::spawn(remote.serve(ours, lines.downgrade(), to_write));
                Ok(tokio::io::split(theirs))
            }
        })
    }

    async fn serve(
        self,
        stream: tokio::io::DuplexStream,
        lines: mpsc::WeakUnboundedSender<Value>,
        mut to_write: mpsc::UnboundedReceiver<Value>,
    ) {
        let (read, mut write) = tokio::io::split(stream);
        let mut read = BufReader::new(read).lines();
        loop {
            tokio::select! {
                line = to_write.recv() => {
                    // All senders are gone: the server is down.
                    let Some(line) = line else { return };
                    let raw = match line {
                        Value::String(raw) => raw,
                        message => message.to_string(),
                    };
                    if write.write_all(format!("{raw}\n").as_bytes()).await.is_err() {
                        return;
                    }
                }
                line = read.next_line() => {
                    let Ok(Some(line)) = line else { return };
                    let Some(lines) = lines.upgrade() else { return };
                    let message: Value = serde_json::from_str(&line).unwrap();
                    let id = message["id"].clone();
                    let acts = self.acts(message, BTreeMap::new());
                    let remote = self.clone();
                    tokio::spawn(async move {
                        for act in acts {
                            match act {
                                Act::Waits(time) => sleep(time).await,
                                Act::Says(said) => drop(lines.send(said)),
                                Act::Nonsense(raw) => drop(lines.send(json!(raw))),
                                Act::Result(result) => drop(lines.send(json!({"jsonrpc": "2.0", "id": id, "result": result}))),
                                Act::Error(code, why) => drop(lines.send(
                                    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": why}}),
                                )),
                                Act::Dies => {
                                    remote.news.lock().unwrap().clear();
                                    return;
                                }
                                Act::Hangs | Act::Status(..) => return,
                            }
                        }
                    });
                }
            }
        }
    }

    /// The server over HTTP.
    pub(super) async fn http(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        self.listen(listener);
        url
    }

    pub(super) fn listen(&self, listener: TcpListener) {
        let remote = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if *remote.is_down.lock().unwrap() {
                    continue;
                }
                let remote = remote.clone();
                tokio::spawn(async move {
                    remote.connections.fetch_add(1, Ordering::SeqCst);
                    let _the_client_may_go = remote.answer(stream).await;
                });
            }
        });
    }

    async fn answer(self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let verb = line.split(' ').next().unwrap_or_default().to_owned();
            let mut headers = BTreeMap::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await?;
                let Some((name, value)) = line.trim_end().split_once(':') else {
                    break;
                };
                headers.insert(name.to_lowercase(), value.trim().to_owned());
            }
            let length = headers.get("content-length").and_then(|length| length.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            stream.read_exact(&mut body).await?;
            if *self.is_down.lock().unwrap() {
                return Ok(());
            }
            if verb != "POST" {
                stream
                    .write_all(b"HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n")
                    .await?;
                continue;
            }
            let message: Value = serde_json::from_slice(&body)?;
            let id = message["id"].clone();
            let acts = self.acts(message, headers);
            if id.is_null() {
                stream
                    .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
                    .await?;
                continue;
            }
            let is_stream = acts
                .iter()
                .any(|act| matches!(act, Act::Says(_) | Act::Waits(_) | Act::Hangs));
            if is_stream {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
                    .await?;
            }
            for act in acts {
                let json = |body: Value| {
                    if is_stream {
                        return format!("data: {body}\n\n");
                    }
                    let body = body.to_string();
                    let status = if body.contains("\"code\":-32601") {
                        "404 Not Found"
                    } else {
                        "200 OK"
                    };
                    format!(
                        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    )
                };
                let bytes = match act {
                    Act::Waits(time) => {
                        sleep(time).await;
                        continue;
                    }
                    Act::Says(said) => format!("data: {said}\n\n"),
                    Act::Result(result) => json(json!({"jsonrpc": "2.0", "id": id, "result": result})),
                    Act::Error(code, why) => {
                        json(json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": why}}))
                    }
                    Act::Nonsense(raw) => {
                        format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{raw}",
                            raw.len()
                        )
                    }
                    Act::Status(status, headers) => {
                        format!("HTTP/1.1 {status} No\r\n{headers}content-length: 0\r\n\r\n")
                    }
                    Act::Dies => return Ok(()),
                    Act::Hangs => {
                        // Until the client ends the connection.
                        let _end = stream.read(&mut [0; 1]).await;
                        self.note("closed", id.clone());
                        return Ok(());
                    }
                };
                stream.write_all(bytes.as_bytes()).await?;
            }
            if is_stream {
                return Ok(());
            }
        }
    }
}
