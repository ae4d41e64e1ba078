//! A tool that asks the index, and its policies.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_tool_runtime::{
    BreakerPolicy, CachePolicy, RateLimit, RetryPolicy, State, Tool, ToolContext, ToolError, ToolErrorKind, async_tool,
};
use serde_json::json;

use crate::{
    http,
    index::Package,
    server::{QUOTA, SPAN},
};

/// How many times a lookup is tried in all.
pub(crate) const ATTEMPTS: u32 = 3;
/// How many lookups in a row must fail until the index is left alone.
pub(crate) const FAILURES: u32 = 2;
/// For how long it is.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(2);
/// The server's span, and some more: requests that leave in time may come closer together than they left.
pub(crate) const RATE_SPAN: Duration = SPAN.saturating_add(Duration::from_millis(200));

/// Where the index is.
pub(crate) struct IndexAddress(pub(crate) SocketAddr);

/// The lookup, which has retry, breaker and cache, and the request, which has the rate limit.
///
/// They are two tools, because a tool's rate limit counts its calls, and what the server counts are requests: a call that is tried three
/// times makes three. Each attempt of the lookup is a call of `request`, and so each is counted.
pub(crate) fn tools() -> Vec<Arc<dyn Tool>> {
    let lookup = look_up::tool()
        .retry(RetryPolicy::new(ATTEMPTS).with_backoff(Duration::from_millis(100), Duration::from_millis(400)))
        .breaker(BreakerPolicy::new(FAILURES, COOLDOWN))
        .cache(CachePolicy::new(Duration::from_secs(60)));
    let request = request::tool().rate(RateLimit::new(QUOTA as u32, RATE_SPAN));
    vec![lookup.into(), request.into()]
}

/// Says which versions of a package are in use, and how many packages need it.
#[async_tool(effect = "read", timeout = "10s")]
async fn look_up(
    /// The name of the package.
    #[arg(pattern = "^[A-Za-z0-9_-]+$")]
    package: String,
    #[inject] cx: ToolContext,
) -> Result<Package, ToolError> {
    let path = format!("/packages/{package}");
    let found = cx.call_tool("request", json!({"path": path})).await?;
    serde_json::from_value(found).map_err(ToolError::from_error)
}

/// Asks the index for a path; the JSON that it answers with.
#[async_tool(effect = "read", timeout = "5s")]
async fn request(path: String, #[inject] index: State<IndexAddress>) -> Result<serde_json::Value, ToolError> {
    let unavailable = |message: String| ToolError::new(ToolErrorKind::Unavailable, message);
    let answer = http::fetch(index.0, &path).await;
    let answer = answer.map_err(|error| unavailable(format!("the index can't be reached: {error}")))?;
    let message = format!("{} {}", answer.status, answer.body);
    let error = match answer.status {
        200 => return serde_json::from_str(&answer.body).map_err(ToolError::from_error),
        429 => ToolError::new(ToolErrorKind::Overloaded, message),
        500..=599 => unavailable(message),
        // Not the index's fault, and so none that its breaker counts.
        404 => ToolError::new(ToolErrorKind::InvalidArguments, message),
        _ => ToolError::failed(message),
    };
    Err(match answer.retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    })
}
