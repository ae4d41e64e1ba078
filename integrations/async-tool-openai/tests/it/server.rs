//! An HTTP server that gives scripted answers and records the requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// One answer, in the bytes of the wire.
pub(crate) struct Reply {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    parts: Vec<Part>,
}

enum Part {
    Bytes(Vec<u8>),
    /// Sends nothing more until the test adds a permit.
    Wait(Arc<Semaphore>),
}

impl Reply {
    pub(crate) fn new(status: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            parts: vec![Part::Bytes(body.into().into_bytes())],
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A stream of these bytes.
    pub(crate) fn raw(bytes: impl Into<String>) -> Self {
        Self {
            headers: vec![("content-type", "text/event-stream".to_owned())],
            ..Self::new("200 OK", bytes)
        }
    }

    /// A stream of these bytes, in pieces of this size.
    pub(crate) fn pieces(bytes: &[u8], size: usize) -> Self {
        let mut reply = Self::raw("");
        reply.parts = bytes.chunks(size).map(|piece| Part::Bytes(piece.to_vec())).collect();
        reply
    }

    /// A complete turn with these items, streamed.
    pub(crate) fn stream(items: &[Value]) -> Self {
        Self::raw(events(items) + &completed(items))
    }

    /// A turn whose end waits for a permit of the test.
    pub(crate) fn held(items: &[Value], until: &Arc<Semaphore>) -> Self {
        let mut reply = Self::raw(events(items));
        reply.parts.push(Part::Wait(Arc::clone(until)));
        reply.parts.push(Part::Bytes(completed(items).into_bytes()));
        reply
    }

    /// A turn that sends only its head, and then waits for a permit of the test.
    pub(crate) fn mute(until: &Arc<Semaphore>) -> Self {
        let mut reply = Self::raw("");
        reply.parts.push(Part::Wait(Arc::clone(until)));
        reply
    }

    /// A complete turn with these items, unstreamed.
    pub(crate) fn plain(items: &[Value]) -> Self {
        Self::new("200 OK", response("completed", items).to_string())
    }

    /// The same turn, streamed or not.
    pub(crate) fn turn(is_streamed: bool, items: &[Value]) -> Self {
        if is_streamed {
            Self::stream(items)
        } else {
            Self::plain(items)
        }
    }
}

/// The server. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    /// Gets a permit for each client that hung up while its answer was held.
    pub(crate) hung_up: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Server {
    /// Starts a server that gives one of these answers to each request, and then 500.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let hung_up = Arc::new(Semaphore::new(0));
        let server = Self {
            url,
            seen: Arc::clone(&seen),
            hung_up: Arc::clone(&hung_up),
        };
        let replies: Arc<Mutex<VecDeque<Reply>>> = Arc::new(Mutex::new(replies.into_iter().collect()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, replies, hung_up) = (Arc::clone(&seen), Arc::clone(&replies), Arc::clone(&hung_up));
                tokio::spawn(async move {
                    // A client may hang up at any time.
                    let _hung_up = answer(stream, &seen, &replies, &hung_up).await;
                });
            }
        });
        server
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// The bodies of all requests so far.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.requests().into_iter().map(|request| request.body).collect()
    }

    /// The inputs of all requests so far, with a short text for each item.
    pub(crate) fn inputs(&self) -> Vec<Vec<String>> {
        let bodies = self.bodies();
        bodies
            .iter()
            .map(|body| body["input"].as_array().unwrap().iter().map(brief).collect())
            .collect()
    }
}

/// A short text for an item.
pub(crate) fn brief(item: &Value) -> String {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    match item["type"].as_str().unwrap_or_default() {
        "function_call" => format!("call {}", text("call_id")),
        "function_call_output" if text("output").contains("\"instruction\":") => {
            format!("ack {}", text("call_id"))
        }
        "function_call_output" => format!("output {} {}", text("call_id"), text("output")),
        "message" => match &item["content"] {
            Value::String(content) => format!("{}: {content}", text("role")),
            parts => format!("{}: {}", text("role"), parts[0]["text"].as_str().unwrap_or_default()),
        },
        other => other.to_owned(),
    }
}

async fn answer(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    replies: &Mutex<VecDeque<Reply>>,
    hung_up: &Semaphore,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        let body = &bytes[end + 4..];
        if body.len() >= length.unwrap_or_default() {
            break (head, serde_json::from_slice(body).unwrap_or_default());
        }
    };
    seen.lock().unwrap().push(Request { head, body });
    let reply = replies.lock().unwrap().pop_front();
    let reply = reply.unwrap_or_else(|| Reply::new("500 Internal Server Error", "the script is at its end"));
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await?;
    for part in reply.parts {
        match part {
            Part::Bytes(bytes) => stream.write_all(&bytes).await?,
            Part::Wait(until) => tokio::select! {
                permit = until.acquire() => permit.unwrap().forget(),
                // A client sends no more data, so a completed read means that it hung up.
                _ = stream.read_u8() => {
                    hung_up.add_permits(1);
                    return Ok(());
                }
            },
        }
        stream.flush().await?;
    }
    stream.shutdown().await
}

/// An event, as it is written on the wire.
pub(crate) fn event(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

/// The events of a turn, without its end.
pub(crate) fn events(items: &[Value]) -> String {
    let mut text = event(&json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}));
    for (index, item) in items.iter().enumerate() {
        text += &event(
            &json!({"type": "response.output_item.added", "output_index": index, "item": {"type": item["type"]}}),
        );
        if item["type"] == "message" {
            let words = item["content"][0]["text"].as_str().unwrap();
            for delta in words.split_inclusive(' ') {
                text += &event(&json!({
                    "type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": delta,
                }));
            }
        }
        if item["type"] == "function_call" {
            text += &event(&json!({
                "type": "response.function_call_arguments.delta", "output_index": index, "delta": item["arguments"],
            }));
        }
        text += &event(&json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    }
    text
}

pub(crate) fn completed(items: &[Value]) -> String {
    event(&json!({"type": "response.completed", "response": response("completed", items)}))
}

pub(crate) fn response(status: &str, items: &[Value]) -> Value {
    json!({
        "id": "resp_1", "object": "response", "status": status, "output": items,
        "usage": {
            "input_tokens": 100, "input_tokens_details": {"cached_tokens": 40},
            "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 7}, "total_tokens": 120,
        },
    })
}

pub(crate) fn said(text: &str) -> Value {
    json!({
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    })
}

/// A call of `gate`, declared asynchronous.
pub(crate) fn gate(call: &str, name: &str) -> Value {
    json!({
        "type": "function_call", "id": format!("fc_{call}"), "call_id": call, "name": "gate", "async": true,
        "arguments": json!({"name": name}).to_string(), "status": "completed",
    })
}

pub(crate) fn reasoning(id: &str) -> Value {
    json!({"type": "reasoning", "id": id, "summary": [], "encrypted_content": format!("secret of {id}")})
}

pub(crate) fn task(call: &str, arguments: &Value) -> Value {
    json!({
        "type": "function_call", "id": format!("fc_{call}"), "call_id": call, "name": "task",
        "arguments": arguments.to_string(), "status": "completed",
    })
}
