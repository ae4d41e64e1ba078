//! A server that gives scripted answers, one per connection, and records the requests.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_tool_genai::{GenaiModel, GenaiModelBuilder, Provider};
use async_tool_runtime::{
    Message, Model, SessionId, ToolDefinition,
    model::{ModelError, ModelEvent, ModelRequest},
};
use futures_core::Stream;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
    /// True if the connection stays open and silent after the body; false if it closes.
    pub(crate) stalls: bool,
    /// True if each byte of the body comes by itself.
    pub(crate) one_by_one: bool,
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Self {
        Self {
            status: 200,
            headers: "content-type: application/json\r\n".to_owned(),
            body: body.to_string().into_bytes(),
            stalls: false,
            one_by_one: false,
        }
    }

    pub(crate) fn stream(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: format!("content-type: {kind}\r\n"),
            body: body.into(),
            stalls: false,
            one_by_one: false,
        }
    }

    pub(crate) fn error(status: u16, headers: &str, body: &Value) -> Self {
        Self {
            status,
            headers: format!("content-type: application/json\r\n{headers}"),
            ..Self::json(body)
        }
    }
}

#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Asked {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).expect("requests are JSON")
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers each request with the next reply; repeats the last reply for ever.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut next = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let reply = replies[next.min(replies.len() - 1)].clone();
                next += 1;
                let seen = Arc::clone(&seen);
                tokio::spawn(async move { serve(stream, reply, &seen).await });
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn builder(&self, provider: Provider) -> GenaiModelBuilder {
        GenaiModel::builder(format!("{provider}/some-model"))
            .base_url(&self.url)
            .api_key("test-key-1234")
    }
}

async fn serve(mut stream: TcpStream, reply: Reply, seen: &Mutex<Vec<Asked>>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let mut chunk = [0; 8192];
        let Ok(count @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            bytes.drain(..end + 4);
            break (head, length);
        }
    };
    while bytes.len() < length {
        let mut chunk = [0; 8192];
        let Ok(count @ 1..) = stream.read(&mut chunk).await else {
            return;
        };
        bytes.extend_from_slice(&chunk[..count]);
    }
    seen.lock().unwrap().push(Asked {
        head,
        text: String::from_utf8(bytes).unwrap(),
    });
    let head = format!(
        "HTTP/1.1 {} Scripted\r\n{}connection: close\r\n\r\n",
        reply.status, reply.headers
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let step = if reply.one_by_one { 1 } else { usize::MAX };
    let _ = stream.set_nodelay(true);
    for piece in reply.body.chunks(step) {
        let _ = stream.write_all(piece).await;
        tokio::task::yield_now().await;
    }
    let _ = stream.flush().await;
    if reply.stalls {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
}

pub(crate) fn search() -> ToolDefinition {
    ToolDefinition::new(
        "search",
        "Searches.",
        json!({
            "type": "object",
            "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
            "required": ["query"],
        }),
    )
}

pub(crate) fn request(messages: Vec<Message>) -> ModelRequest {
    let messages = messages.into_iter().map(Arc::new).collect();
    ModelRequest::new(SessionId::new("s"), messages, vec![search()].into()).with_system(Some("Be brief.".into()))
}

pub(crate) fn user(text: &str) -> Message {
    Message::user(text.to_owned())
}

/// Returns all events of a turn, and its error if it failed.
pub(crate) async fn ask(model: &GenaiModel, request: ModelRequest) -> (Vec<ModelEvent>, Option<ModelError>) {
    let mut stream = model.generate(request);
    let mut events = Vec::new();
    while let Some(event) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
        match event {
            Ok(event) => events.push(event),
            Err(error) => return (events, Some(error)),
        }
    }
    (events, None)
}
