//! Asks servers for their models.
//!
//! Every server with OpenAI's protocol answers the request for its models (`GET /v1/models`), and the request costs nothing. It is plain
//! HTTP, written by hand, because a build without models has no HTTP client.

use std::{net::Ipv4Addr, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{ModelName, Served};

/// Time limit for a server on this machine. It is short, because the user waits for it even if there is no server.
const GLANCE: Duration = Duration::from_millis(400);
/// Time limit for a server that the user named.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum size of an answer. A longer answer is not a list of models.
const BYTES_AT_MOST: u64 = 1 << 20;

struct Local {
    server: &'static str,
    port: u16,
    /// Provider whose protocol the server supports.
    provider: &'static str,
    /// Path at which that protocol begins.
    root: &'static str,
}

/// Local servers in the order of preference, at their default ports.
const LOCAL: [Local; 3] = [
    // With its own protocol, as with `--model ollama/…`.
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

/// Finds the server at this address; without an address, the first local server that answers.
pub(super) async fn probe(base_url: Option<&str>) -> Option<Served> {
    if let Some(url) = base_url {
        let model = first_model(url, PATIENCE).await?;
        return Some(Served {
            server: "the server",
            base_url: url.to_owned(),
            name: ModelName::new("openai", &model).ok()?,
        });
    }
    // Concurrently, so that servers that hang cost the time limit only once.
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

/// First model of a server that can hold a conversation, judging by its name.
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

/// List of models, as OpenAI documents it. Further fields differ between servers.
#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
}

/// Sends a request with HTTP/1.0 (RFC 1945): its answer comes in one piece and ends with the connection.
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
