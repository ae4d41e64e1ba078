//! A server that gives scripted answers, one per connection, and records the requests.

use std::sync::{Arc, Mutex};

use rig_core::{
    DynModel,
    operation::Completion,
    providers::{anthropic::AnthropicConfig, openai::OpenAIConfig},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Key of every model here, which no message may hold.
pub(crate) const KEY: &str = "sk-canary-1234";

/// A scripted answer.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A turn of OpenAI's Chat Completions, streamed if the request asks for it.
    Turn {
        text: &'static str,
        calls: Vec<(&'static str, &'static str, &'static str)>,
        finish: &'static str,
    },
    /// Bytes of a stream, as they are.
    Stream(String),
    Error {
        status: u16,
        headers: &'static str,
        body: String,
    },
}

/// A turn with text alone.
pub(crate) fn text(text: &'static str) -> Reply {
    Reply::Turn {
        text,
        calls: Vec::new(),
        finish: "stop",
    }
}

/// A turn with calls: id, name and arguments of each.
pub(crate) fn calls<const N: usize>(calls: [(&'static str, &'static str, &'static str); N]) -> Reply {
    Reply::Turn {
        text: "",
        calls: calls.to_vec(),
        finish: "tool_calls",
    }
}

pub(crate) fn error(status: u16, body: &Value) -> Reply {
    Reply::Error {
        status,
        headers: "",
        body: body.to_string(),
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Server {
    /// Answers each request with the next reply; repeats the last reply for ever.
    pub(crate) async fn start(replies: impl Into<Vec<Reply>>) -> Self {
        let replies = replies.into();
        let _is_installed = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let (counter, count) = watch::channel(0);
        tokio::spawn(async move {
            let mut next = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let reply = replies[next.min(replies.len() - 1)].clone();
                next += 1;
                let (seen, counter) = (Arc::clone(&seen), counter.clone());
                tokio::spawn(async move { serve(stream, reply, &seen, &counter).await });
            }
        });
        Self { url, asked, count }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        let bodies = self.asked().into_iter();
        bodies.map(|body| serde_json::from_str(&body).unwrap()).collect()
    }

    /// Waits until this many requests have come.
    pub(crate) async fn has_asked(&self, count: usize) {
        let mut counted = self.count.clone();
        counted.wait_for(|asked| *asked >= count).await.unwrap();
    }

    pub(crate) fn chat(&self) -> DynModel<Completion> {
        self.chat_of("some-model")
    }

    /// This model, in the format of Chat Completions.
    pub(crate) fn chat_of(&self, model: &str) -> DynModel<Completion> {
        let config = OpenAIConfig::new(KEY).with_base_url(&self.url);
        config.client().chat(model).into()
    }

    pub(crate) fn anthropic(&self) -> DynModel<Completion> {
        let config = AnthropicConfig::new(KEY).with_base_url(&self.url);
        config.client().completion("claude-sonnet-4-5").into()
    }
}

async fn serve(mut stream: TcpStream, reply: Reply, seen: &Mutex<Vec<String>>, counter: &watch::Sender<usize>) {
    let Some(request) = read(&mut stream).await else { return };
    let is_streamed = serde_json::from_str(&request).is_ok_and(|body: Value| body["stream"] == true);
    let (status, headers, body) = match reply {
        Reply::Turn { text, calls, finish } if is_streamed => (
            200,
            "content-type: text/event-stream\r\n",
            streamed(text, &calls, finish),
        ),
        Reply::Turn { text, calls, finish } => (200, "content-type: application/json\r\n", whole(text, &calls, finish)),
        Reply::Stream(body) => (200, "content-type: text/event-stream\r\n", body),
        Reply::Error { status, headers, body } => (status, headers, body),
    };
    seen.lock().unwrap().push(request);
    counter.send_modify(|count| *count += 1);
    let head = format!("HTTP/1.1 {status} Scripted\r\n{headers}connection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
    let _ = stream.flush().await;
}

/// Reads a request; returns its body.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let length: usize = length.unwrap_or(0);
        if bytes.len() >= end + 4 + length {
            return Some(String::from_utf8(bytes[end + 4..].to_vec()).unwrap());
        }
    }
}

fn usage() -> Value {
    json!({
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 5},
    })
}

fn streamed(text: &str, calls: &[(&str, &str, &str)], finish: &str) -> String {
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    deltas.extend(text.split_inclusive(' ').map(|piece| json!({"content": piece})));
    for (index, (id, name, arguments)) in calls.iter().enumerate() {
        let half = arguments.len() / 2;
        deltas.push(json!({"tool_calls": [{
            "index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments[..half]},
        }]}));
        deltas.push(json!({"tool_calls": [{"index": index, "function": {"arguments": arguments[half..]}}]}));
    }
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "some-model",
            "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let mut body: String = deltas
        .into_iter()
        .map(|delta| {
            chunk(
                json!([{"index": 0, "delta": delta, "finish_reason": null}]),
                Value::Null,
            )
        })
        .collect();
    body += &chunk(json!([{"index": 0, "delta": {}, "finish_reason": finish}]), Value::Null);
    body += &chunk(json!([]), usage());
    body + "data: [DONE]\n\n"
}

fn whole(text: &str, calls: &[(&str, &str, &str)], finish: &str) -> String {
    let calls: Vec<_> = calls
        .iter()
        .map(|(id, name, arguments)| {
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
        })
        .collect();
    let mut message = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "some-model",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage(),
    })
    .to_string()
}
