//! Transport of a turn over HTTP. Each request is sent exactly once; the agent retries.

use std::{collections::VecDeque, fmt};

use async_tool_runtime::model::ModelError;
use async_tool_wire::{Event, Events};
use reqwest::{
    Client, Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use serde_json::Value;

use crate::failure::{Failures, Refused};

/// Longest part of an error answer's body that is read, in bytes.
const REFUSAL: usize = 64 * 1_024;

/// The API at one address.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) http: Client,
    /// Address of the endpoint.
    pub(crate) url: Url,
    /// Headers of every request, the key's among them.
    pub(crate) headers: HeaderMap,
    pub(crate) failures: Failures,
}

impl Transport {
    /// Sends a request, and waits for the beginning of its answer.
    pub(crate) async fn ask(&self, body: &Value) -> Result<Answer, ModelError> {
        let request = self.http.post(self.url.clone()).headers(self.headers.clone());
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sent = request.body(body.to_string()).send().await;
        let mut response = sent.map_err(|error| self.failures.transport(error))?;
        if response.status().is_success() {
            return Ok(Answer {
                response,
                events: Events::default(),
                is_over: false,
            });
        }
        let mut body = Vec::new();
        // A partly read body is enough, because the status tells the rest.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= REFUSAL {
                body.truncate(REFUSAL);
                break;
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let refused = Refused::new(response.status(), response.headers(), body);
        Err(self.failures.refused(&refused))
    }
}

// The headers hold the key.
impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Answer {
    response: Response,
    events: Events,
    is_over: bool,
}

impl Answer {
    /// True if the answer is a stream of events. A server may ignore the request for one, and answer in one piece.
    pub(crate) fn is_streamed(&self) -> bool {
        let kind = self.response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        !kind.trim_start().to_ascii_lowercase().starts_with("application/json")
    }

    /// Reads the next events; `None` at the end of the stream. Cancel safe: a dropped read loses no bytes.
    pub(crate) async fn events(&mut self, failures: &Failures) -> Result<Option<VecDeque<Event>>, ModelError> {
        while !self.is_over {
            let ready = match self.response.chunk().await {
                Ok(Some(bytes)) => {
                    let ready = self.events.push(&bytes);
                    ready.map_err(|error| failures.malformed(&error.to_string()))?
                }
                Ok(None) => {
                    self.is_over = true;
                    self.events.end()
                }
                Err(error) => return Err(failures.broken(error)),
            };
            if !ready.is_empty() {
                return Ok(Some(ready.into()));
            }
        }
        Ok(None)
    }

    /// Reads the whole body.
    pub(crate) async fn text(self, failures: &Failures) -> Result<String, ModelError> {
        let bytes = self.response.bytes().await.map_err(|error| failures.transport(error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
