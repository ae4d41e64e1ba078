//! How requests are sent: once each.

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

/// How much is read of an answer that is no success, in bytes.
const REFUSAL: usize = 64 * 1_024;

type BoxError = Box<dyn Error + Send + Sync>;

/// Sends a request, and hands over what is no success as a [`Refused`], which has the status and the headers. The client's own service tries
/// again by itself, behind the agent's back, and logs what a server said.
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
                // Libraries below log headers, but for those that are marked so.
                key.set_sensitive(true);
            }
            let mut response = client.execute(request).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            let mut body = Vec::new();
            // What comes of it is enough: the status says the rest.
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
