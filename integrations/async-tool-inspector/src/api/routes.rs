//! Routes of the page and its data.

use std::{sync::Arc, time::Duration};

use async_tool_runtime::SessionId;
use axum::{
    Json, Router,
    body::{Bytes, to_bytes},
    extract::{OriginalUri, Path, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

use super::{ApiError, act, read};
use crate::{
    access::{Access, check_api, check_host, cookie, security_headers},
    assets,
    watch::{Hub, Place, Viewer, now},
};

/// Reads of whole sessions at the same time.
pub(crate) const READS: usize = 4;
/// Largest body of a request, in bytes.
pub(crate) const BODY: usize = 256 * 1_024;
/// Largest body of a login, in bytes. All programs of the machine may send one.
const TOKEN: usize = 1_024;
/// Longest time that a body may take.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Longest name of a session, in bytes.
const NAME: usize = 4_096;

/// All that the requests need.
pub(crate) struct App {
    pub(crate) title: String,
    pub(crate) access: Access,
    pub(crate) hub: Arc<Hub>,
    /// Runtime of the host, for acts; `None` if requests run there anyway.
    pub(crate) runtime: Option<Handle>,
    pub(crate) reads: Semaphore,
}

/// Router of the page.
pub(crate) fn router(app: Arc<App>) -> Router {
    let data = Router::new()
        .route("/api/info", get(info))
        .route("/api/events", get(events))
        .route("/api/task", get(read::task))
        .route("/api/transcript", get(read::transcript))
        .route("/api/questions", get(read::questions))
        .route("/api/act", post(act::act))
        .route("/api/logout", post(logout))
        .layer(from_fn_with_state(Arc::clone(&app), check_api));
    let open = Router::new()
        .route("/api/login", post(login))
        .route(
            "/assets/{name}",
            get(async |Path(name): Path<String>| assets::serve(&name)),
        )
        .fallback(page);
    data.merge(open)
        .layer(from_fn_with_state(Arc::clone(&app), check_host))
        .layer(from_fn(security_headers))
        .with_state(app)
}

/// The page itself. Its address ends with a slash, because its parts have relative addresses.
async fn page(OriginalUri(original): OriginalUri, request: Request) -> Response {
    if !matches!(request.uri().path(), "" | "/") {
        return match request.uri().path().starts_with("/api") {
            true => ApiError::not_found("there is no such request").into_response(),
            false => (StatusCode::NOT_FOUND, "there is no such page").into_response(),
        };
    }
    if original.path().ends_with('/') {
        return assets::serve("index.html");
    }
    // Only the last name, so that it works below any prefix that a proxy adds.
    let last = original.path().rsplit('/').next().unwrap_or_default();
    Redirect::permanent(&format!("./{last}/")).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

async fn login(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let Login { token } = body_within(request, TOKEN).await?;
    let cookie = app.access.enter(&token).ok_or_else(ApiError::unauthorized)?;
    let is_encrypted = app.access.is_encrypted(&headers, &uri);
    let set = cookie::set(&headers, &uri, Some(&cookie), is_encrypted);
    Ok(([(header::SET_COOKIE, set)], Json(json!({"ok": true}))).into_response())
}

async fn logout(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let _nothing: serde_json::Map<String, Value> = body(request).await?;
    for cookie in cookie::read(&headers, &uri).filter(|cookie| app.access.is_in(cookie)) {
        app.access.leave(cookie);
    }
    let set = cookie::set(&headers, &uri, None, app.access.is_encrypted(&headers, &uri));
    Ok(([(header::SET_COOKIE, set)], Json(json!({"ok": true}))).into_response())
}

async fn info(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "title": app.title,
        "read_only": app.hub.is_read_only(),
        "now": now(),
        "has_manager": !app.hub.sources.managers().is_empty(),
        "epoch": app.hub.epoch(),
        "limits": {"message": BODY},
    }))
}

#[derive(Deserialize)]
struct Which {
    session: Option<String>,
}

async fn events(
    State(app): State<Arc<App>>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let session = which.session.map(session).transpose()?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let viewer = Viewer::new(&app.hub, session, last.and_then(Place::parse)).await;
    let viewer = viewer.ok_or_else(|| ApiError::busy("too many viewers are connected"))?;
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // A proxy must not wait for more.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, viewer.into_body()).into_response())
}

/// Name of a session.
pub(super) fn session(name: String) -> Result<SessionId, ApiError> {
    match name.len() {
        ..=NAME => Ok(SessionId::new(name)),
        _ => Err(ApiError::bad_request("the name of the session is too long")),
    }
}

/// Body of a request as JSON, within the limits.
pub(super) async fn body<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    body_within(request, BODY).await
}

async fn body_within<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, ApiError> {
    let kind = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    // Other types need no consent of the server when a page of another origin sends them.
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::media_type());
    }
    let large = || ApiError::too_large(format!("a request has at most {limit} bytes"));
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(large());
    }
    let bytes: Bytes = match timeout(BODY_TIME, to_bytes(request.into_body(), limit)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => return Err(large()),
        Err(_) => return Err(ApiError::bad_request("the body of the request did not come in time")),
    };
    serde_json::from_slice(&bytes).map_err(|error| ApiError::bad_request(format!("the request can't be read: {error}")))
}
