//! A server over HTTP.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize;

use super::{early::begin_early, handler::Handler, sessions::Sessions};
use crate::server::service::Service;

/// Longest silence of a response, also of one that has not begun.
const SILENCE: Duration = Duration::from_secs(15);

const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

pub(in crate::server) fn router(service: Arc<Service>) -> Router {
    let settings = service.settings.clone();
    let mut config = StreamableHttpServerConfig::default()
        .with_max_request_body_bytes(settings.body_limit)
        .with_allowed_hosts(settings.hosts)
        .with_allowed_origins(settings.origins)
        // The comments come from `begin_early`: rmcp's follow the system's clock, also where tokio's is paused.
        .with_sse_keep_alive(None);
    config = config.enforce_origin_validation();
    let handler = Handler(service);
    let http = StreamableHttpService::new(move || Ok(handler.clone()), Arc::new(Sessions::new()), config);
    let mut router = Router::new().route_service(&settings.path, http);
    if !settings.needs_names {
        router = router.layer(from_fn_with_state(settings.body_limit, name_tasks));
    }
    router.layer(from_fn_with_state(SILENCE, begin_early))
}

/// Adds a missing `Mcp-Name` to requests for tasks. FastMCP's client doesn't send it, and rmcp insists on it.
async fn name_tasks(State(limit): State<usize>, request: Request, next: Next) -> Response {
    let is_nameless = is_of_task(request.headers()) && !request.headers().contains_key(NAME);
    if !is_nameless {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, limit).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    if let Ok(Named {
        params: Params { task_id },
    }) = serde_json::from_slice(&bytes)
        && let Ok(name) = HeaderValue::from_str(&task_id)
    {
        parts.headers.insert(NAME, name);
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

fn is_of_task(headers: &HeaderMap) -> bool {
    let method = headers.get(METHOD).and_then(|method| method.to_str().ok());
    method.is_some_and(|method| method.trim().starts_with("tasks/"))
}

#[derive(Deserialize)]
struct Named {
    params: Params,
}

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "taskId")]
    task_id: String,
}
