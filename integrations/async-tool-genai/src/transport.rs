//! Requests over HTTP, and the bytes of their answers.

use async_tool_runtime::model::{ModelError, without_keys};
use async_tool_wire::halves;
use reqwest::{
    Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{
    Provider, Timeouts,
    answer::{Fault, Reader},
    assembly::Assembly,
    failure::{broken, faulty, refused},
    frames::Damaged,
    request::Sent,
    secret::Secret,
    wire::Wire,
};

/// Version of Anthropic's API.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A server, and how it is asked.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) provider: Provider,
    pub(crate) wire: Wire,
    pub(crate) base_url: Url,
    pub(crate) client: reqwest::Client,
    pub(crate) key: Secret,
    pub(crate) timeouts: Timeouts,
}

impl Transport {
    /// Sends a request, and reads its answer frame by frame. Calls `each` after each frame.
    pub(crate) async fn stream(
        &self,
        sent: Sent,
        reader: &mut Reader,
        turn: &mut Assembly,
        mut each: impl FnMut(&mut Assembly),
    ) -> Result<(), ModelError> {
        let begun = Instant::now() + self.timeouts.first_token;
        let mut response = timeout_at(begun, self.send(sent))
            .await
            .map_err(|_| ModelError::silent(self.timeouts.first_token))??;
        if is_json(&response) && self.wire != Wire::Ollama {
            // Some servers answer at once, though a stream was asked for.
            return self.read_whole(response, reader, turn).await;
        }
        let mut frames = reader.frames();
        let mut end = begun;
        let mut limit = self.timeouts.first_token;
        let damaged = |why: Damaged| ModelError::transient(format!("{}: {why}", self.provider));
        loop {
            let chunk = timeout_at(end, response.chunk())
                .await
                .map_err(|_| ModelError::silent(limit))?
                .map_err(|error| broken(self.provider, error, &self.key))?;
            let Some(bytes) = chunk else { break };
            limit = self.timeouts.stall;
            end = Instant::now() + limit;
            for frame in frames.push(&bytes).map_err(damaged)? {
                let is_over = reader.frame(&frame, turn);
                each(turn);
                if is_over.map_err(|fault| faulty(self.provider, fault, &self.key))? {
                    return Ok(());
                }
            }
        }
        for frame in frames.end() {
            let outcome = reader.frame(&frame, turn);
            each(turn);
            match outcome {
                // A frame that was cut off is the end of a cut stream, which the missing reason tells.
                Ok(true) => break,
                Ok(false) | Err(Fault::Unreadable(_)) => {}
                Err(fault) => return Err(faulty(self.provider, fault, &self.key)),
            }
        }
        Ok(())
    }

    /// Sends a request, and reads its answer as a whole.
    pub(crate) async fn whole(&self, sent: Sent, reader: &mut Reader, turn: &mut Assembly) -> Result<(), ModelError> {
        let response = self.send(sent).await?;
        self.read_whole(response, reader, turn).await
    }

    /// Sends a request, and returns its answer as JSON.
    pub(crate) async fn json(&self, sent: Sent) -> Result<Value, ModelError> {
        let response = self.send(sent).await?;
        self.read_json(response).await
    }

    async fn read_whole(&self, response: Response, reader: &mut Reader, turn: &mut Assembly) -> Result<(), ModelError> {
        let body = self.read_json(response).await?;
        let outcome = reader.whole(body, turn);
        outcome.map_err(|fault| faulty(self.provider, fault, &self.key))
    }

    async fn read_json(&self, response: Response) -> Result<Value, ModelError> {
        let is_json = is_json(&response);
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
        let bytes = response
            .bytes()
            .await
            .map_err(|error| broken(self.provider, error, &self.key))?;
        let text = String::from_utf8_lossy(&bytes);
        halves::parse(&text).map_err(|error| {
            let said: String = without_keys(&self.key.redact(&text)).chars().take(200).collect();
            ModelError::transient(if is_json {
                format!("{}: the answer is not JSON: {error}", self.provider)
            } else {
                let kind = self.key.redact(&kind.unwrap_or_default());
                format!("{}: the answer is `{kind}` and not JSON: {said}", self.provider)
            })
        })
    }

    /// Sends a request; waits for the head of an answer with a success status.
    async fn send(&self, sent: Sent) -> Result<Response, ModelError> {
        let headers = self.headers()?;
        let request = self
            .client
            .post(self.url(&sent.path))
            .headers(headers)
            .body(sent.body.to_string());
        let response = request
            .send()
            .await
            .map_err(|error| broken(self.provider, error, &self.key))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = response.bytes().await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        Err(refused(self.provider, status, &body, &headers, &self.key))
    }

    /// The address of a method. A query of the server's address stays, because some gateways need it.
    fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let path = format!("{}{path}", url.path());
        url.set_path(&path);
        if let Some((key, value)) = query.and_then(|query| query.split_once('=')) {
            url.query_pairs_mut().append_pair(key, value);
        }
        url
    }

    fn headers(&self) -> Result<HeaderMap, ModelError> {
        let key = self.key.expose();
        let bearer = ("authorization", format!("Bearer {key}"));
        let secret = match (self.wire, self.provider) {
            (_, Provider::Vertex) => Some(bearer),
            (Wire::Anthropic, _) => Some(("x-api-key", key.to_owned())),
            (Wire::Gemini, _) => Some(("x-goog-api-key", key.to_owned())),
            (Wire::Ollama, _) => None,
            _ => Some(bearer),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.wire == Wire::Anthropic && self.provider != Provider::Vertex {
            let version = HeaderValue::from_static(ANTHROPIC_VERSION);
            headers.insert("anthropic-version", version);
        }
        if let Some((name, text)) = secret {
            let mut value = HeaderValue::from_str(&text).map_err(|_| {
                ModelError::permanent(format!(
                    "{}: the key has letters that a header can't hold; give another one",
                    self.provider
                ))
            })?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }
}

fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}
