//! A scripted server with OpenAI's Chat Completions protocol, streamed.

use std::{
    collections::VecDeque,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Answer of the server.
pub(crate) enum Reply {
    /// Text of the model.
    Text(&'static str),
    /// Calls of the model: id, name, arguments.
    Calls(Vec<(&'static str, &'static str, Value)>),
    /// A refusal of the request: status and body.
    Refusal(u16, Value),
}

/// A server on this machine, on a free port. It gives each reply once, in order; dropping it stops it.
pub(crate) struct Server {
    pub(crate) base_url: String,
    bodies: Arc<Mutex<Vec<Value>>>,
    accepting: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let bodies = Arc::<Mutex<Vec<Value>>>::default();
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        let seen = Arc::clone(&bodies);
        let accepting = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (path, body) = read(&mut stream).await.unwrap();
                seen.lock().unwrap().push(body);
                let answer = match replies.pop_front() {
                    Some(reply) if path == "/v1/chat/completions" => render(&reply),
                    _ => refusal(
                        404,
                        &json!({"error": {"message": format!("the script has no reply for {path}")}}),
                    ),
                };
                let _client_disconnected = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self {
            base_url,
            bodies,
            accepting,
        }
    }

    /// Bodies of the requests so far.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.bodies.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<(String, Value)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    let length = headers.find(|(name, _)| *name == "content-length");
    let length = length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok((path, serde_json::from_slice(&body)?))
}

fn render(reply: &Reply) -> String {
    let (deltas, reason) = match reply {
        Reply::Refusal(status, body) => return refusal(*status, body),
        Reply::Text(text) => {
            // Word by word, as a model streams.
            let words = text.split_inclusive(' ').map(|word| json!({"content": word}));
            (words.collect(), "stop")
        }
        Reply::Calls(calls) => (
            calls.iter().enumerate().flat_map(pieces).collect::<Vec<_>>(),
            "tool_calls",
        ),
    };
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
            "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let mut events: Vec<String> = deltas
        .into_iter()
        .map(|delta| {
            chunk(
                json!([{"index": 0, "delta": delta, "finish_reason": null}]),
                Value::Null,
            )
        })
        .collect();
    events.push(chunk(
        json!([{"index": 0, "delta": {}, "finish_reason": reason}]),
        Value::Null,
    ));
    events.push(chunk(
        json!([]),
        json!({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}),
    ));
    events.push("data: [DONE]\n\n".to_owned());
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{}",
        events.concat()
    )
}

/// Splits a call into two pieces: the head and the arguments.
fn pieces((index, (id, name, arguments)): (usize, &(&'static str, &'static str, Value))) -> [Value; 2] {
    let head = json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
    let rest = json!({"index": index, "function": {"arguments": arguments.to_string()}});
    [json!({"tool_calls": [head]}), json!({"tool_calls": [rest]})]
}

fn refusal(status: u16, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
