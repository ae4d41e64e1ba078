//! A tool with policies that queries the index.

use std::net::SocketAddr;

use async_tool_runtime::{ToolError, ToolErrorKind, async_tool, tool};

use crate::{http, index::Package};

/// Address of the index.
pub(crate) struct IndexAddress(pub(crate) SocketAddr);

/// Looks up the versions of a package that are in use, and the number of packages that need it.
#[async_tool(
    effect = "read",
    timeout = "5s",
    retry(attempts = 3, backoff = "100ms..400ms"),
    rate = "4/1200ms",
    breaker(failures = 2, cooldown = "2s"),
    cache(ttl = "1min")
)]
pub(crate) async fn look_up(
    /// The name of the package.
    #[arg(pattern = "^[A-Za-z0-9_-]+$")]
    package: String,
    #[inject] index: tool::State<IndexAddress>,
) -> Result<Package, ToolError> {
    let unavailable = |message: String| ToolError::new(ToolErrorKind::Unavailable, message);
    let answer = http::fetch(index.0, &format!("/packages/{package}")).await;
    let answer = answer.map_err(|error| unavailable(format!("the index can't be reached: {error}")))?;
    let message = format!("{} {}", answer.status, answer.body);
    let error = match answer.status {
        200 => return serde_json::from_str(&answer.body).map_err(ToolError::from_error),
        429 => ToolError::new(ToolErrorKind::Overloaded, message),
        500..=599 => unavailable(message),
        // Another attempt would get the same answer. The breaker counts it as a success, because the server answers.
        _ => ToolError::failed(message).with_retryable(false),
    };
    Err(match answer.retry_after {
        Some(after) => error.with_retry_after(after),
        None => error,
    })
}
