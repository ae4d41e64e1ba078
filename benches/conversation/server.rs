//! Scripted server with OpenAI's Chat Completions protocol, streamed.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http_body_util::{BodyExt as _, channel::Channel};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::table::tokens_of;

/// Time to the first token.
const FIRST: Duration = Duration::from_millis(300);
/// Time from one token to the next.
const NEXT: Duration = Duration::from_millis(5);
/// Length of a token.
const TOKEN: usize = 4;
/// Tokens around the arguments of a call.
const AROUND_CALL: usize = 6;

/// Answer of a scripted model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reply {
    pub(crate) text: String,
    /// Name and arguments of each call.
    pub(crate) calls: Vec<(&'static str, Value)>,
}

impl Reply {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            calls: Vec::new(),
        }
    }

    pub(crate) fn calls(calls: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self {
            text: String::new(),
            calls: calls.into_iter().collect(),
        }
    }
}

/// Scripted model: the answer to a request, by the name of the model and the messages.
pub(crate) type Script = fn(&str, &[Value]) -> Reply;

/// Request that the server got.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Seconds since the Unix epoch.
    pub(crate) at: f64,
    pub(crate) body: Arc<Value>,
}

/// Server on this machine, on a free port. Dropping it stops it.
pub(crate) struct Server {
    pub(crate) base_url: String,
    log: Arc<Mutex<Vec<Asked>>>,
    accepting: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(script: Script) -> io::Result<Self> {
        Self::listen(script, false).await
    }

    /// Starts a server that says the tokens of each request, which takes it a while.
    pub(crate) async fn start_with_usage(script: Script) -> io::Result<Self> {
        Self::listen(script, true).await
    }

    async fn listen(script: Script, with_usage: bool) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let log = Arc::<Mutex<Vec<Asked>>>::default();
        let seen = Arc::clone(&log);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _slower_by_40_ms_at_worst = stream.set_nodelay(true);
                let seen = Arc::clone(&seen);
                let service = service_fn(move |request| answer(request, script, with_usage, Arc::clone(&seen)));
                tokio::spawn(async move {
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    let _the_client_may_break_off = connection.await;
                });
            }
        });
        Ok(Self {
            base_url,
            log,
            accepting,
        })
    }

    /// Takes the requests since the last call.
    pub(crate) fn take_log(&self) -> Vec<Asked> {
        std::mem::take(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Seconds since the Unix epoch: processes on one machine agree on them.
pub(crate) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

async fn answer(
    request: Request<Incoming>,
    script: Script,
    with_usage: bool,
    log: Arc<Mutex<Vec<Asked>>>,
) -> Result<Response<Channel<Bytes, Infallible>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let begin = Instant::now();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or_default();
    let reply = script(model, body["messages"].as_array().map_or(&[], Vec::as_slice));
    let input = if with_usage { tokens_of(&body) } else { 0 };
    let asked = Asked {
        at: now(),
        body: Arc::new(body),
    };
    log.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let (mut sender, channel) = Channel::new(16);
    tokio::spawn(async move {
        let mut at = begin + FIRST;
        let deltas = deltas(&reply);
        let output = deltas.len();
        for delta in deltas {
            sleep_until(at).await;
            at += NEXT;
            if let Some(delta) = delta
                && sender.send_data(frame(&delta)).await.is_err()
            {
                return;
            }
        }
        let reason = if reply.calls.is_empty() { "stop" } else { "tool_calls" };
        let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]});
        let usage = json!({"choices": [], "usage": {"prompt_tokens": input, "completion_tokens": output}});
        let usage = with_usage.then(|| frame(&usage));
        let done = Bytes::from_static(b"data: [DONE]\n\n");
        for last in [frame(&end)].into_iter().chain(usage).chain([done]) {
            let _the_client_may_break_off = sender.send_data(last).await;
        }
    });
    let mut response = Response::new(channel);
    let kind = hyper::header::HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    Ok(response)
}

/// One step for each token; `None` for a token that is not sent.
fn deltas(reply: &Reply) -> Vec<Option<Value>> {
    let text: Vec<char> = reply.text.chars().collect();
    let pieces = text.chunks(TOKEN);
    let mut deltas: Vec<Option<Value>> = pieces
        .map(|piece| Some(json!({"content": piece.iter().collect::<String>()})))
        .collect();
    for (index, (name, arguments)) in reply.calls.iter().enumerate() {
        deltas.resize(deltas.len() + AROUND_CALL - 1, None);
        let id = format!("call_{:08x}{index:02}", now().to_bits() as u32);
        deltas.push(Some(json!({"tool_calls": [
            {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        ]})));
        let arguments: Vec<char> = arguments.to_string().chars().collect();
        deltas.extend(arguments.chunks(TOKEN).map(|piece| {
            let piece: String = piece.iter().collect();
            Some(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
        }));
    }
    deltas
}

fn frame(delta: &Value) -> Bytes {
    let event = match delta.get("choices") {
        Some(_) => delta.clone(),
        None => json!({"choices": [{"index": 0, "delta": delta}]}),
    };
    Bytes::from(format!("data: {event}\n\n"))
}
