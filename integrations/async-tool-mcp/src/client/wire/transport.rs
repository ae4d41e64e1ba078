//! Transports: HTTP, child processes, and pairs of streams.

use std::{collections::HashMap, error::Error, io, process::Stdio, sync::Arc, time::Duration};

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::transport::{
    StreamableHttpClientTransport, TokioChildProcess,
    streamable_http_client::{HttpStatusError, StreamableHttpClientTransportConfig, StreamableHttpError},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{ChildStderr, Command},
};

use crate::client::{failure::Failure, settings::Settings, target::McpCommand};

const CONNECT: Duration = Duration::from_secs(10);
/// Bytes of a line of a server's log that are passed on at once: a server may write without an end of the line.
const LINE: u64 = 1_000;

pub(super) type Http = StreamableHttpClientTransport<reqwest::Client>;

/// Transport to the server at a URL.
pub(super) fn http(url: &str, settings: &Settings) -> Result<Http, String> {
    let tls = tls().map_err(|error| format!("TLS: {error}"))?;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        // A redirect would pass the token on to another server.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.without_url().to_string())?;
    let mut headers = HashMap::new();
    for (name, value) in &settings.headers {
        let key = HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` is no name of a header"))?;
        let mut value = HeaderValue::try_from(value.as_str())
            .map_err(|_| format!("the value of the header `{name}` has characters that no header can have"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    let mut config = StreamableHttpClientTransportConfig::with_uri(url).max_concurrent_requests(256);
    config.custom_headers = headers;
    config.auth_header.clone_from(&settings.bearer);
    Ok(StreamableHttpClientTransport::with_client(client, config))
}

/// TLS with ring and the system's trusted certificates, because reqwest's default needs a C toolchain and a minute to build.
fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    // reqwest sets no ALPN protocols on a given configuration.
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// Starts the command of a server.
pub(super) fn child(command: &McpCommand) -> io::Result<TokioChildProcess> {
    let mut process = Command::new(&command.program);
    process
        .args(&command.args)
        .envs(command.env.iter().map(|(key, value)| (key, value)));
    if let Some(dir) = &command.dir {
        process.current_dir(dir);
    }
    let (child, log) = TokioChildProcess::builder(process).stderr(Stdio::piped()).spawn()?;
    if let Some(log) = log {
        tokio::spawn(pass_on(log, command.program.to_string_lossy().into_owned()));
    }
    Ok(child)
}

/// Passes the log of a server on: its lines must not end up in the middle of a terminal program.
async fn pass_on(log: ChildStderr, program: String) {
    let mut log = BufReader::new(log);
    while let Some(line) = next_line(&mut log).await {
        let line = String::from_utf8_lossy(&line);
        tracing::debug!(target: "async_tool::mcp", program, line = line.trim_end(), "log of a server");
    }
}

/// Next line, or the next piece of a long one.
async fn next_line(log: &mut (impl AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = log.take(LINE).read_until(b'\n', &mut line).await;
    matches!(read, Ok(1..)).then_some(line)
}

/// Failure of an error of a transport.
pub(super) fn failure(error: &(dyn Error + Send + Sync + 'static)) -> Failure {
    let Some(error) = error.downcast_ref::<StreamableHttpError<reqwest::Error>>() else {
        // A pipe that is closed. The request may have gone through it before.
        return Failure::Lost(chain(error));
    };
    let text = match error {
        // rmcp's own text has the URL.
        StreamableHttpError::Client(error) => chain(error),
        other => chain(other),
    };
    match error {
        StreamableHttpError::HttpStatus(error) => of_status(error),
        StreamableHttpError::Client(error) if error.is_connect() || error.is_builder() => Failure::NotSent(text),
        StreamableHttpError::Client(error) if error.is_decode() => Failure::Invalid(text),
        StreamableHttpError::TransportChannelClosed | StreamableHttpError::SessionExpired => Failure::NotSent(text),
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => Failure::Unauthorized,
        StreamableHttpError::UnexpectedServerResponse(what) if status_in(what).is_some() => match status_in(what) {
            None | Some(401 | 403) => Failure::Unauthorized,
            Some(status) => Failure::Http {
                status,
                retry_after: None,
            },
        },
        StreamableHttpError::Deserialize(_)
        | StreamableHttpError::UnexpectedServerResponse(_)
        | StreamableHttpError::UnexpectedContentType(_)
        | StreamableHttpError::ResponseBodyTooLarge { .. } => Failure::Invalid(text),
        _ => Failure::Lost(text),
    }
}

/// Status in rmcp's text for an answer without a JSON-RPC message: `HTTP 404 Not Found: …`.
fn status_in(text: &str) -> Option<u16> {
    text.strip_prefix("HTTP ")?.get(..3)?.parse().ok()
}

fn of_status(error: &HttpStatusError) -> Failure {
    let seconds = error.retry_after.as_deref().and_then(|after| after.trim().parse().ok());
    Failure::Http {
        status: error.status,
        retry_after: seconds.map(Duration::from_secs),
    }
}

/// Text of an error with its sources, without the URL, which may hold a token.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let own = match error.downcast_ref::<reqwest::Error>() {
            Some(error) if error.is_connect() => "no connection".to_owned(),
            Some(error) if error.is_body() || error.is_decode() => "the answer broke off".to_owned(),
            Some(_) => "the request failed".to_owned(),
            None => error.to_string(),
        };
        // rmcp's errors repeat their source, with the URL.
        let repeats = error.source().is_some_and(|source| source.is::<reqwest::Error>());
        if !repeats && !text.contains(&own) {
            text = if text.is_empty() { own } else { format!("{text}: {own}") };
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_without_an_end_is_passed_on_in_pieces() {
        let long = [b'x'; 2_500];
        let text = [b"one\n\n", &long[..], b"\nlast"].concat();
        let mut log = BufReader::new(&*text);
        let mut pieces = Vec::new();
        while let Some(piece) = next_line(&mut log).await {
            pieces.push(piece);
        }
        let lengths: Vec<_> = pieces.iter().map(Vec::len).collect();
        assert_eq!(lengths, [4, 1, 1_000, 1_000, 501, 4]);
        assert_eq!(pieces.concat(), text, "nothing is lost");
    }
}
