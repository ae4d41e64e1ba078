//! A server between the journal and the real one, which loses, changes and refuses.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// A request of the journal.
#[derive(Debug)]
pub(crate) struct Request {
    /// Such as `TransactWriteItems`.
    pub(crate) operation: String,
    pub(crate) body: Value,
    /// Number of requests before it.
    pub(crate) number: usize,
}

/// Treatment of a request.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It is passed on, with its body as it is now.
    Pass,
    /// It is passed on, and the connection is closed in place of the answer.
    LoseAnswer,
    /// It is passed on, and the connection is closed after half of the answer.
    HalfAnswer,
    /// It never arrives: the connection is closed.
    LoseRequest,
    /// It is answered here.
    Answer(u16, String),
    /// The connection is closed, and the request is passed on when another one awaits that.
    PassLate(Arc<Late>),
    /// It is passed on after the late one was answered.
    PassAfter(Arc<Late>),
}

/// A request that was held up in the network.
#[derive(Debug, Default)]
pub(crate) struct Late {
    wanted: Notify,
    answered: Notify,
}

impl Fate {
    /// An error of DynamoDB.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = json!({
            "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
            "message": format!("injected: {code}"),
        });
        Self::Answer(status, body.to_string())
    }

    /// A transaction that was cancelled for these reasons.
    pub(crate) fn cancelled(codes: &[&str]) -> Self {
        let reasons: Vec<_> = codes
            .iter()
            .map(|code| json!({"Code": code, "Message": "injected"}))
            .collect();
        let body = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", ")),
            "CancellationReasons": reasons,
        });
        Self::Answer(400, body.to_string())
    }
}

type Rule = Arc<dyn Fn(&mut Request) -> Fate + Send + Sync>;

/// The server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) endpoint: String,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a server that decides about each request by this rule.
    pub(crate) async fn start(to: &str, rule: impl Fn(&mut Request) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (to, rule, asked) = (
            to.trim_start_matches("http://").to_owned(),
            Arc::new(rule),
            Arc::new(AtomicUsize::new(0)),
        );
        let count = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(serve(client, to.clone(), Arc::clone(&rule) as Rule, Arc::clone(&count)));
            }
        });
        Self { endpoint, asked, task }
    }

    /// Number of requests so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a connection until it is closed, or a fate closes it.
async fn serve(mut client: TcpStream, to: String, rule: Rule, asked: Arc<AtomicUsize>) -> Option<()> {
    loop {
        let (head, body) = message(&mut client).await?;
        let operation = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let is_target = name.eq_ignore_ascii_case("x-amz-target");
            is_target.then(|| value.rsplit('.').next().unwrap_or_default().trim().to_owned())
        });
        let mut request = Request {
            operation: operation?,
            body: serde_json::from_slice(&body).ok()?,
            number: asked.fetch_add(1, Ordering::SeqCst),
        };
        let before = request.body.clone();
        let fate = rule(&mut request);
        let body = match request.body == before {
            true => body,
            false => request.body.to_string().into_bytes(),
        };
        match fate {
            Fate::LoseRequest => return None,
            Fate::Answer(status, body) => {
                let answer = format!(
                    "HTTP/1.1 {status} Injected\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                client.write_all(answer.as_bytes()).await.ok()?;
            }
            Fate::PassLate(late) => {
                tokio::spawn(async move {
                    late.wanted.notified().await;
                    pass_on(&to, &head, &body).await;
                    late.answered.notify_one();
                });
                return None;
            }
            Fate::Pass | Fate::LoseAnswer | Fate::HalfAnswer | Fate::PassAfter(_) => {
                if let Fate::PassAfter(late) = &fate {
                    late.wanted.notify_one();
                    late.answered.notified().await;
                }
                let answer = pass_on(&to, &head, &body).await?;
                match fate {
                    Fate::LoseAnswer => return None,
                    Fate::HalfAnswer => {
                        client.write_all(&answer[..answer.len() / 2]).await.ok()?;
                        return None;
                    }
                    _ => client.write_all(&answer).await.ok()?,
                }
                // The real server closes its connection after each answer.
                return client.shutdown().await.ok();
            }
        }
    }
}

async fn pass_on(to: &str, head: &str, body: &[u8]) -> Option<Vec<u8>> {
    let mut server = TcpStream::connect(to).await.ok()?;
    let kept = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !["content-length", "connection"].contains(&name.as_str())
    };
    let mut request = head.lines().filter(kept).collect::<Vec<_>>().join("\r\n");
    request.push_str(&format!(
        "\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    ));
    server.write_all(request.as_bytes()).await.ok()?;
    server.write_all(body).await.ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await.ok()?;
    Some(answer)
}

/// Head and body of the next request; `None` if the connection was closed.
async fn message(client: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = read.split_off(end + 4);
    read.truncate(end);
    let head = String::from_utf8(read).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    })?;
    while body.len() < length {
        if client.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, body))
}
