//! Transport that sends each request exactly once.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use async_openai::middleware::HttpRequestFactory;
use reqwest::header::AUTHORIZATION;
use tower_service::Service;

use crate::failure::Refused;

/// Longest part of an error answer's body that is read, in bytes.
const REFUSAL: usize = 64 * 1_024;

type BoxError = Box<dyn Error + Send + Sync>;

/// Service that sends a request once. It returns an error answer as [`Refused`], with status and headers. The client's
/// own service would retry without the agent's knowledge, and log the server's messages.
#[derive(Clone, Debug)]
pub(crate) struct Once(pub(crate) reqwest::Client);

impl Service<HttpRequestFactory> for Once {
    type Response = reqwest::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<reqwest::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let mut request = request.build().await?;
            if let Some(key) = request.headers_mut().get_mut(AUTHORIZATION) {
                // Libraries below log all headers except those marked sensitive.
                key.set_sensitive(true);
            }
            let mut response = client.execute(request).await?;
            if response.status().is_success() {
                return Ok(response);
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
            Err(Refused::new(response.status(), response.headers(), body).into())
        })
    }
}
