//! Responses that begin before their call has ended, and streams that are never silent for long.
//!
//! A call without a progress token is silent. rmcp sends the head of its response with the first message, and clients on undici (those of Node)
//! give up after five minutes without one. So a slow call's stream begins early, with comments, which every client ignores.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header::CONTENT_TYPE},
    middleware::Next,
    response::Response,
};
use futures_core::Stream;
use rmcp::model::ProtocolVersion;
use tokio::time::{Sleep, sleep};

const EVENTS: &str = "text/event-stream";
const SIGN_OF_LIFE: &[u8] = b": working\n\n";

/// Largest response that is not a stream. Results of tools have limits of their own.
const LARGEST: usize = 256 * 1024 * 1024;

/// Begins the response to a call after a pause, if the call has not ended by then. A stream that is silent for so long gets a comment.
pub(super) async fn begin_early(State(pause): State<Duration>, request: Request, next: Next) -> Response {
    if !is_modern_call(request.headers()) {
        return kept_alive(next.run(request).await, pause);
    }
    let mut response = Box::pin(next.run(request));
    tokio::select! {
        biased;
        response = &mut response => return kept_alive(response, pause),
        () = sleep(pause) => {}
    }
    let stream = Early {
        state: Stage::Waits(response),
        pause,
        timer: Box::pin(sleep(Duration::ZERO)),
    };
    let mut early = Response::new(Body::from_stream(stream));
    early
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    early
}

fn kept_alive(response: Response, pause: Duration) -> Response {
    if !is_stream(response.headers()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let stream = Early {
        state: Stage::Streams(body.into_data_stream()),
        pause,
        timer: Box::pin(sleep(pause)),
    };
    Response::from_parts(parts, Body::from_stream(stream))
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with(EVENTS))
}

/// Older revisions have streams that begin at once.
fn is_modern_call(headers: &HeaderMap) -> bool {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    text("mcp-method").trim() == "tools/call" && text("mcp-protocol-version") >= ProtocolVersion::V_2026_07_28.as_str()
}

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Stream of a response. Dropping it drops the call's request, and so cancels the call.
struct Early {
    state: Stage,
    pause: Duration,
    timer: Pin<Box<Sleep>>,
}

enum Stage {
    Waits(Later<Response>),
    Reads(Later<Result<Bytes, axum::Error>>),
    Streams(BodyDataStream),
    Over,
}

impl Stream for Early {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                Stage::Waits(response) => match response.as_mut().poll(cx) {
                    Poll::Ready(response) => {
                        let (parts, body) = response.into_parts();
                        this.state = if is_stream(&parts.headers) {
                            Stage::Streams(body.into_data_stream())
                        } else {
                            Stage::Reads(Box::pin(to_bytes(body, LARGEST)))
                        };
                    }
                    Poll::Pending => {
                        ready!(this.timer.as_mut().poll(cx));
                        this.timer = Box::pin(sleep(this.pause));
                        return Poll::Ready(Some(Ok(Bytes::from_static(SIGN_OF_LIFE))));
                    }
                },
                Stage::Reads(body) => {
                    let body = ready!(body.as_mut().poll(cx));
                    this.state = Stage::Over;
                    // JSON of one line, as serde writes it.
                    return Poll::Ready(Some(body.map(|body| [b"data: ", &*body, b"\n\n"].concat().into())));
                }
                Stage::Streams(stream) => {
                    let item = match Pin::new(stream).poll_next(cx) {
                        Poll::Ready(item) => item,
                        Poll::Pending => {
                            ready!(this.timer.as_mut().poll(cx));
                            Some(Ok(Bytes::from_static(SIGN_OF_LIFE)))
                        }
                    };
                    this.timer = Box::pin(sleep(this.pause));
                    return Poll::Ready(item);
                }
                Stage::Over => return Poll::Ready(None),
            }
        }
    }
}
