//! Asks servers what models they have.
//!
//! The list of models (`GET /v1/models`) is the one request that every server with OpenAI's protocol answers, and it costs nothing. One over
//! plain HTTP is written by hand: the programs are built without an HTTP client where they are built without models.

use std::{net::Ipv4Addr, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{ModelName, Served};

/// How long a server of this machine's may take to answer. Nobody should wait for a program to find out that there is none.
const GLANCE: Duration = Duration::from_millis(400);
/// How long a server may take that was named.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer answer is no list of models.
const BYTES_AT_MOST: u64 = 1 << 20;

struct Local {
    server: &'static str,
    port: u16,
    /// Whose protocol is spoken with it.
    provider: &'static str,
    /// Where that protocol begins.
    root: &'static str,
}

/// In the order in which they are preferred, at the ports that they have by default.
const LOCAL: [Local; 3] = [
    // In its own protocol, as with `--model ollama/…`.
    Local {
        server: "Ollama",
        port: 11434,
        provider: "ollama",
        root: "/",
    },
    Local {
        server: "LM Studio",
        port: 1234,
        provider: "openai",
        root: "/v1/",
    },
    Local {
        server: "llama-server",
        port: 8080,
        provider: "openai",
        root: "/v1/",
    },
];

/// Who answers at this address; without one, the first local server that does.
pub(super) async fn probe(base_url: Option<&str>) -> Option<Served> {
    if let Some(url) = base_url {
        let model = first_model(url, PATIENCE).await?;
        return Some(Served {
            server: "the server",
            base_url: url.to_owned(),
            name: ModelName::new("openai", &model).ok()?,
        });
    }
    // Side by side, so that one that hangs costs no more than all.
    let (ollama, studio, llama) = tokio::join!(LOCAL[0].ask(), LOCAL[1].ask(), LOCAL[2].ask());
    ollama.or(studio).or(llama)
}

impl Local {
    async fn ask(&self) -> Option<Served> {
        let Self {
            server,
            port,
            provider,
            root,
        } = *self;
        let address = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
        let model = first_model(&format!("{address}/v1"), GLANCE).await?;
        Some(Served {
            server,
            base_url: format!("{address}{root}"),
            name: ModelName::new(provider, &model).ok()?,
        })
    }
}

/// The first model of a server that can hold a conversation, as far as its name tells.
pub(super) async fn first_model(base_url: &str, patience: Duration) -> Option<String> {
    let rest = base_url.strip_prefix("http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    let answer = timeout(patience, get(host, &format!("{slash}{path}/models"))).await;
    let list: List = serde_json::from_slice(body_of(&answer.ok()??)?).ok()?;
    list.data
        .into_iter()
        .map(|model| model.id)
        .find(|id| !id.is_empty() && !id.contains("embed"))
}

/// The list as OpenAI documents it; more is in it, and differs between servers.
#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
}

/// HTTP/1.0, in which an answer ends with its connection and comes in one piece (RFC 1945).
async fn get(host: &str, path: &str) -> Option<Vec<u8>> {
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(BYTES_AT_MOST).read_to_end(&mut answer).await.ok()?;
    Some(answer)
}

fn body_of(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let is_ok = answer.starts_with(b"HTTP/1.") && answer.get(9..12) == Some(b"200");
    is_ok.then(|| &answer[end + 4..])
}
